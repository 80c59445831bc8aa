//! The machines of one caller in one region, polled for all upstreams that look among them.
//!
//! Invariant: there is one poll at a time; a new upstream causes one only if the last did not ask for what it wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use biplane_core::scalars::Timestamp;
use biplane_source::{Listing as Told, SourceError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::counters::count;
use crate::failure::{Failure, Kind};
use crate::keep::{Account, Found, Keep, Snapshot};
use crate::plan::{Plan, Want};
use crate::poll::Look;
use crate::report::Report;
use crate::session::{Caller, Session};
use biplane_source::pace::{self, Backoff};

/// How long nobody must have come before a poll begins: upstreams come together.
const SETTLE: Duration = Duration::from_millis(50);

/// How long that is waited for.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// The pause after failures grows up to the refresh, but at least to this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What makes a listing of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) caller: Caller,
    /// Filters of EC2's own, which only EC2 can apply.
    pub(crate) filters: BTreeMap<String, Vec<String>>,
}

/// What is known, and to what question.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) plan: Arc<Plan>,
    pub(crate) told: Told<Arc<Snapshot>>,
}

/// A listing that is kept fresh for as long as this lives.
#[derive(Debug)]
pub(crate) struct Listing {
    label: String,
    report: Report,
    shared: Arc<Shared>,
    known: watch::Receiver<Option<Known>>,
    task: JoinHandle<()>,
}

/// What upstreams tell the task.
#[derive(Debug, Default)]
struct Shared {
    /// How many upstreams want what.
    wants: Mutex<BTreeMap<Want, usize>>,
    wake: Notify,
}

/// An upstream's part in a listing. While it lives its machines are asked for.
#[derive(Debug)]
pub(crate) struct Interest {
    want: Want,
    listing: Arc<Listing>,
}

impl Key {
    fn label(&self) -> String {
        let filters = self.filters.iter().map(|(name, values)| format!(" {name}={}", values.join(",")));
        std::iter::once(self.caller.label()).chain(filters).collect()
    }
}

impl Listing {
    /// Begins to poll. Needs a Tokio runtime.
    pub(crate) fn start(
        session: Arc<Session>,
        key: &Key,
        report: Report,
        pulse: watch::Receiver<u64>,
    ) -> Self {
        let label = key.label();
        report.begin(&label);
        let shared = Arc::<Shared>::default();
        let (sender, known) = watch::channel(None);
        let task = Task {
            label: label.clone(),
            filters: key.filters.clone(),
            keep: Keep::new(session.client().options.refresh / 2),
            backoff: Backoff::starting(
                Duration::from_secs(1),
                session.client().options.refresh.max(PAUSE_MAX),
            ),
            session,
            report: report.clone(),
            shared: Arc::clone(&shared),
            known: sender,
            good_at: None,
        };
        Self { label, report, shared, known, task: tokio::spawn(task.run(pulse)) }
    }

    /// What is known, from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Known>> {
        self.known.clone()
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.task.abort();
        self.report.end(&self.label);
    }
}

impl Interest {
    pub(crate) fn new(listing: Arc<Listing>, want: Want) -> Self {
        listing.shared.change(|wants| *wants.entry(want.clone()).or_default() += 1);
        Self { want, listing }
    }

    /// The listing.
    pub(crate) fn listing(&self) -> &Listing {
        &self.listing
    }

    /// What a poll has told, if it asked for what is wanted.
    pub(crate) fn heard(&self, known: Option<Known>) -> Option<Told<Arc<Snapshot>>> {
        let known = known?;
        let is_answer = matches!(known.told, Told::Failed(_)) || known.plan.covers(&self.want);
        is_answer.then_some(known.told)
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.listing.shared.change(|wants| {
            if let Some(count) = wants.get_mut(&self.want) {
                *count -= 1;
            }
            wants.retain(|_, count| *count > 0);
        });
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Want, usize>)) {
        // Entries come and go one by one: a poisoned lock is still usable.
        change(&mut self.wants.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    fn plan(&self) -> Plan {
        Plan::of(self.wants.lock().unwrap_or_else(PoisonError::into_inner).keys())
    }

    /// Whether a poll has asked for everything that is wanted now.
    fn is_covered_by(&self, plan: &Plan) -> bool {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner).keys().all(|want| plan.covers(want))
    }
}

/// The task's state.
struct Task {
    label: String,
    filters: BTreeMap<String, Vec<String>>,
    session: Arc<Session>,
    report: Report,
    shared: Arc<Shared>,
    known: watch::Sender<Option<Known>>,
    keep: Keep,
    backoff: Backoff,
    /// When the last poll succeeded, for people.
    good_at: Option<Timestamp>,
}

impl Task {
    async fn run(mut self, mut pulse: watch::Receiver<u64>) {
        loop {
            self.settle().await;
            let plan = self.shared.plan();
            let due = Instant::now() + self.poll(plan).await;
            loop {
                tokio::select! {
                    () = sleep_until(due) => break,
                    () = self.shared.wake.notified() => if self.has_news() { break },
                    Ok(()) = pulse.changed() => break,
                }
            }
        }
    }

    /// Waits until nobody comes any more.
    async fn settle(&self) {
        let until = Instant::now() + SETTLE_MAX;
        while Instant::now() < until && timeout(SETTLE, self.shared.wake.notified()).await.is_ok() {}
    }

    /// Whether an upstream wants what the last poll, which went well, has not asked for.
    fn has_news(&self) -> bool {
        let known = self.known.borrow();
        known.as_ref().is_some_and(|known| {
            matches!(known.told, Told::Complete(_)) && !self.shared.is_covered_by(&known.plan)
        })
    }

    /// Polls, and says when to do so again.
    async fn poll(&mut self, plan: Plan) -> Duration {
        let refresh = self.session.client().options.refresh;
        let session = Arc::clone(&self.session);
        let (look, started) = (Look::new(&session), Instant::now());
        match self.ask(&look, &plan).await {
            Ok((region, found)) => {
                let account = self.keep.take(found, Instant::now());
                self.polled(account, look.calls(), started.elapsed());
                self.tell(plan, Told::Complete(Arc::new(self.keep.snapshot(&region))));
                self.backoff.reset();
                pace::around(refresh)
            }
            Err(failure) => {
                count(&session.client().counters.read_failures);
                self.report.polled(&self.label, Err(failure.error.clone()), self.since(&failure.error));
                self.tell(plan, Told::Failed(failure.error));
                let pause = self.backoff.delay();
                // Who asks too much does not ask sooner than usual.
                if failure.kind == Kind::Throttled { pause.max(pace::around(refresh)) } else { pause }
            }
        }
    }

    async fn ask(&self, look: &Look<'_>, plan: &Plan) -> Result<(String, Found), Failure> {
        let outcome = async {
            let region = self.session.region().await?;
            Ok((region, look.run(plan, &self.filters).await?))
        };
        outcome.await.map_err(|failure: Failure| failure.within(&self.label))
    }

    fn polled(&mut self, account: Account, calls: usize, time: Duration) {
        let counters = &self.session.client().counters;
        count(&counters.reads);
        self.good_at = Some(now());
        let Account { found, kept } = account;
        let mut detail = format!("{found} instances in {calls} calls and {} ms", time.as_millis());
        if account.is_suspect() {
            count(&counters.suspicions);
            detail = format!(
                "suspect: no instance is listed where there were {kept}; a second answer has to confirm it"
            );
            tracing::warn!(
                listing = self.label,
                kept,
                "EC2 lists no instance where there were some; it is asked again"
            );
        } else if kept > 0 {
            detail.push_str(&format!(
                "; {kept} more are not listed any more, a second answer has to confirm it"
            ));
        }
        self.report.polled(&self.label, Ok(()), detail);
    }

    fn since(&self, error: &SourceError) -> String {
        let last = self.good_at.map_or_else(|| "never answered yet".to_owned(), |at| format!("as of {at}"));
        format!("{last}: {error}")
    }

    fn tell(&self, plan: Plan, told: Told<Arc<Snapshot>>) {
        self.known.send_replace(Some(Known { plan: Arc::new(plan), told }));
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
