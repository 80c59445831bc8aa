//! Traffic at a constant rate over connections that are kept, and an account of every answer.
//!
//! The schedule does not wait for answers: a request that is sent late because an earlier one hung counts its
//! waiting as latency. What a [`Client`] reports as an error is one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::background::Background;
use crate::http::{Client, Request, Response};

/// Failures described in a report.
const SAMPLES: usize = 10;

/// Traffic under way.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    account: Arc<Mutex<Account>>,
    thread: Background,
}

/// How much traffic.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests per second over all connections.
    pub per_second: u32,
    /// Connections that are kept.
    pub connections: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_second: 200, connections: 4 }
    }
}

/// What the workers write into.
#[derive(Debug, Default)]
struct Account {
    statuses: BTreeMap<u16, u64>,
    errors: u64,
    reconnects: u64,
    latencies: Vec<Duration>,
    samples: Vec<String>,
}

/// What became of the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub errors: u64,
    /// Connections that were closed by the server and opened again.
    pub reconnects: u64,
    /// The first failures: when, and what.
    pub samples: Vec<String>,
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// 99 of 100 answers took no longer.
    pub p99: Duration,
    /// No answer took longer.
    pub max: Duration,
}

impl Load {
    /// Sends `requests` in turn to a port on loopback until it is stopped. All of them share the first one's
    /// protocol and TLS.
    pub fn start(port: u16, requests: Vec<Request>, rate: Rate) -> Self {
        assert!(!requests.is_empty(), "traffic needs at least one request");
        let (stop, stopped) = watch::channel(false);
        let account = Arc::new(Mutex::new(Account::default()));
        let theirs = Arc::clone(&account);
        let thread = Background::spawn("load", move || run(port, requests.into(), rate, stopped, theirs));
        Self { stop, account, thread }
    }

    /// Sends traffic for a time.
    pub async fn run(port: u16, requests: Vec<Request>, rate: Rate, time: Duration) -> Report {
        let load = Self::start(port, requests, rate);
        tokio::time::sleep(time).await;
        load.stop()
    }

    /// How many answers and errors there are so far.
    pub fn sent(&self) -> u64 {
        let account = self.account.lock().expect(NO_PANIC);
        account.errors + account.statuses.values().sum::<u64>()
    }

    /// Waits for the answers that are due, and ends.
    pub fn stop(self) -> Report {
        let _ = self.stop.send(true);
        self.thread.join();
        let account = std::mem::take(&mut *self.account.lock().expect(NO_PANIC));
        account.report()
    }
}

const NO_PANIC: &str = "nobody panics while holding this lock";

impl Report {
    /// How many requests there were.
    pub fn sent(&self) -> u64 {
        self.errors + self.statuses.values().sum::<u64>()
    }

    /// How many were not answered with 200.
    pub fn failed(&self) -> u64 {
        self.sent() - self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Panics unless there was traffic and all of it was answered with 200.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.sent() > 0 && self.failed() == 0, "the traffic was to pass without a failure: {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statuses, errors, reconnects, p50, p99, max, .. } = self;
        write!(
            formatter,
            "answers by status {statuses:?}, {errors} without answer, {reconnects} reconnects, "
        )?;
        write!(formatter, "p50 {p50:?}, p99 {p99:?}, max {max:?}")?;
        self.samples.iter().try_for_each(|sample| write!(formatter, "\n  {sample}"))
    }
}

impl Account {
    fn answered(&mut self, response: &Response, at: Duration, latency: Duration) {
        *self.statuses.entry(response.status).or_default() += 1;
        self.latencies.push(latency);
        if response.status != 200 {
            self.sample(at, &format!("{} {:?}", response.status, response.text()));
        }
    }

    fn failed(&mut self, error: &anyhow::Error, at: Duration) {
        self.errors += 1;
        self.sample(at, &format!("{error:#}"));
    }

    fn sample(&mut self, at: Duration, what: &str) {
        if self.samples.len() < SAMPLES {
            self.samples.push(format!("after {at:.3?}: {what}"));
        }
    }

    fn report(mut self) -> Report {
        self.latencies.sort_unstable();
        let percentile = |percent: usize| {
            let last = self.latencies.len().saturating_sub(1);
            self.latencies.get(last * percent / 100).copied().unwrap_or_default()
        };
        Report {
            p50: percentile(50),
            p99: percentile(99),
            max: percentile(100),
            statuses: self.statuses,
            errors: self.errors,
            reconnects: self.reconnects,
            samples: self.samples,
        }
    }
}

/// One worker a connection, each with its own part of the schedule.
async fn run(
    port: u16,
    requests: Arc<[Request]>,
    rate: Rate,
    stopped: watch::Receiver<bool>,
    account: Arc<Mutex<Account>>,
) {
    let started = Instant::now();
    let gap = Duration::from_secs(1) / rate.per_second.max(1);
    let workers: Vec<_> = (0..rate.connections.max(1))
        .map(|number| {
            let worker = Worker {
                client: Client::new(port),
                requests: Arc::clone(&requests),
                next: number as usize,
                started,
                account: Arc::clone(&account),
            };
            tokio::spawn(worker.run(started + gap * number, gap * rate.connections.max(1), stopped.clone()))
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker does not panic");
    }
}

struct Worker {
    client: Client,
    requests: Arc<[Request]>,
    next: usize,
    started: Instant,
    account: Arc<Mutex<Account>>,
}

impl Worker {
    async fn run(mut self, first: Instant, period: Duration, mut stopped: watch::Receiver<bool>) {
        let mut schedule = interval_at(first, period);
        schedule.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                due = schedule.tick() => self.one(due).await,
                _ = stopped.changed() => return,
            }
        }
    }

    async fn one(&mut self, due: Instant) {
        let requests = Arc::clone(&self.requests);
        let request = &requests[self.next % requests.len()];
        self.next += 1;
        let reconnects = self.client.reconnects();
        let outcome = self.client.send(request).await;
        let at = due.duration_since(self.started);
        let mut account = self.account.lock().expect(NO_PANIC);
        account.reconnects += self.client.reconnects() - reconnects;
        match outcome {
            Ok(response) => account.answered(&response, at, due.elapsed()),
            Err(error) => account.failed(&error, at),
        }
    }
}
