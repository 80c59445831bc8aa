//! The task that logs in, renews, and logs in again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_source::SourceError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::files::Files;
use super::{Login, Standing, Suspicion, Verdict};
use crate::auth;
use crate::client::{Client, Failure, Grant, Kind};
use crate::counters::count;
use crate::lease::{Lease, Step};
use crate::options::{Auth, VaultOptions};
use crate::pace::{self, Backoff};
use crate::report::Report;

/// How long a token that was found alive is not asked about again: questions that are not allowed come in crowds.
const ALIVE: Duration = Duration::from_secs(1);

/// How soon a token is replaced that may be dead and is not allowed to tell.
const BLIND: Duration = Duration::from_mins(1);

pub(super) struct Keeper {
    name: String,
    auth: Auth,
    client: Client,
    report: Report,
    pulse: watch::Receiver<u64>,
    standing: watch::Sender<Standing>,
    suspicions: mpsc::Receiver<Suspicion>,
    retry_max: Duration,
    files: Files,
    serial: u64,
}

/// A token that works.
struct Held {
    login: Arc<Login>,
    lease: Lease,
    backoff: Backoff,
    /// Since when, or since when it could not be replaced.
    since: Instant,
    /// When it was last found alive after somebody suspected it.
    alive_at: Option<Instant>,
    /// It may not look itself up, so that a refusal tells nothing about it.
    is_blind: bool,
    /// When the file is tried again that has another token, but none that works.
    file_at: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(
        options: &VaultOptions,
        client: Client,
        report: Report,
        pulse: watch::Receiver<u64>,
        standing: watch::Sender<Standing>,
        suspicions: mpsc::Receiver<Suspicion>,
    ) -> Self {
        Self {
            name: options.name.clone(),
            auth: options.auth.clone(),
            client,
            report,
            pulse,
            standing,
            suspicions,
            retry_max: options.tuning.retry_max,
            files: Files::new(options.auth.files(), options.tuning.glance),
            serial: 0,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let held = self.log_in().await;
            self.keep(held).await;
        }
    }

    /// Tries until there is a token.
    async fn log_in(&mut self) -> Held {
        let mut backoff = pace::backoff(self.retry_max);
        loop {
            match self.attempt(None).await {
                Ok(held) => return held,
                Err(failure) => {
                    self.be_out(&failure.error);
                    self.pause(backoff.delay(), &failure).await;
                }
            }
        }
    }

    /// One login. Whatever comes of it, the token that was in use stays so until there is another one.
    async fn attempt(&mut self, before: Option<&Lease>) -> Result<Held, Failure> {
        self.files.look();
        let granted = auth::log_in(&self.client, &self.auth).await;
        let grant = granted.inspect_err(|failure| {
            count(&self.client.tally().login_failures);
            warn!(source = %self.name, error = %failure.error, "cannot log in to Vault");
        })?;
        count(&self.client.tally().logins);
        self.serial += 1;
        let now = Instant::now();
        let lease = Lease::new(&grant, self.auth.makes_tokens(), now);
        info!(source = %self.name, method = self.auth.method(), seconds = grant.lease_duration, "logged in to Vault");
        self.tell(&grant);
        let login = Arc::new(Login {
            token: grant.client_token,
            serial: self.serial,
            before_ends: before.and_then(|lease| lease.ends),
        });
        self.standing.send_replace(Standing::In(Arc::clone(&login)));
        let backoff = pace::backoff(self.retry_max);
        Ok(Held { login, lease, backoff, since: now, alive_at: None, is_blind: false, file_at: None })
    }

    /// Keeps a token until it is lost.
    async fn keep(&mut self, mut held: Held) {
        self.get_to_know(&mut held).await;
        while !held.lease.is_over(Instant::now()) {
            let is_ours = self.auth.makes_tokens();
            tokio::select! {
                () = sleep_maybe(held.lease.wakes()) => self.step(&mut held).await,
                () = self.files.changed(), if !is_ours => self.take_file(&mut held).await,
                () = sleep_maybe(held.file_at) => self.take_file(&mut held).await,
                Some(suspicion) = self.suspicions.recv() => {
                    if !self.judge(suspicion, &mut held).await {
                        return;
                    }
                }
            }
        }
    }

    /// Asks for what nothing waits for: the server's version, and whether a new token may look itself up.
    async fn get_to_know(&self, held: &mut Held) {
        self.report.version(&self.client).await;
        if self.auth.makes_tokens() {
            let looked = auth::look_up(&self.client, &held.login.token).await;
            held.is_blind = looked.is_err_and(|failure| failure.kind == Kind::Forbidden);
        }
    }

    /// What the lease says is to be done now.
    async fn step(&mut self, held: &mut Held) {
        match held.lease.next.filter(|(at, _)| *at <= Instant::now()) {
            Some((_, Step::Renew)) => self.renew(held).await,
            Some((_, Step::LogIn)) => self.replace(held, Step::LogIn).await,
            None => {}
        }
    }

    async fn renew(&mut self, held: &mut Held) {
        match auth::renew(&self.client, &held.login.token).await {
            Ok(grant) => {
                count(&self.client.tally().renewals);
                held.lease = held.lease.renewed(&grant, self.auth.makes_tokens(), Instant::now());
                held.backoff.reset();
                self.tell(&grant);
            }
            Err(failure) => {
                count(&self.client.tally().renewal_failures);
                warn!(source = %self.name, error = %failure.error, "cannot renew the token for Vault");
                self.report.refused(&failure.error);
                // A token that cannot be renewed is replaced; a server that cannot be asked is asked again.
                let is_refusal = matches!(failure.kind, Kind::Forbidden | Kind::Invalid);
                if is_refusal && self.auth.makes_tokens() {
                    // Without another one, the present token may be renewed the next time.
                    self.replace(held, Step::Renew).await;
                } else {
                    held.lease.again(Step::Renew, held.backoff.delay(), Instant::now());
                }
            }
        }
    }

    /// Logs in again while the present token still works; if that fails, `step` is what comes next.
    async fn replace(&mut self, held: &mut Held, step: Step) {
        if !self.is_replaced(held).await {
            held.lease.again(step, held.backoff.delay(), Instant::now());
        }
    }

    /// Others have written a token. Until it works, the present one is renewed as before.
    async fn take_file(&mut self, held: &mut Held) {
        if !self.is_replaced(held).await {
            held.file_at = Some(Instant::now() + held.backoff.delay());
        }
    }

    async fn is_replaced(&mut self, held: &mut Held) -> bool {
        match self.attempt(Some(&held.lease)).await {
            Ok(new) => *held = Held { is_blind: held.is_blind, ..new },
            Err(failure) => {
                self.report.refused(&failure.error);
                return false;
            }
        }
        true
    }

    /// Whether the token is still there after a suspicion.
    async fn judge(&mut self, suspicion: Suspicion, held: &mut Held) -> bool {
        if suspicion.serial != held.login.serial {
            suspicion.tell(Verdict::Replaced(Arc::clone(&held.login)));
            return true;
        }
        let verdict = self.verdict(held).await;
        // Those who came meanwhile ask the same.
        while let Ok(other) = self.suspicions.try_recv() {
            other.tell(verdict.clone());
        }
        let is_lost =
            matches!(verdict, Verdict::Unknown(_)) && matches!(*self.standing.borrow(), Standing::Out(_));
        suspicion.tell(verdict);
        !is_lost
    }

    async fn verdict(&mut self, held: &mut Held) -> Verdict {
        let is_alive = held.alive_at.is_some_and(|at| at.elapsed() < ALIVE);
        if is_alive || held.is_blind && held.since.elapsed() < BLIND {
            return Verdict::Alive;
        }
        match auth::look_up(&self.client, &held.login.token).await {
            Ok(_) => {
                held.alive_at = Some(Instant::now());
                Verdict::Alive
            }
            Err(failure) if failure.kind != Kind::Forbidden => Verdict::Unknown(failure),
            Err(_) => self.revive(held).await,
        }
    }

    /// The token is dead.
    async fn revive(&mut self, held: &mut Held) -> Verdict {
        match self.attempt(None).await {
            Ok(new) => {
                *held = Held { is_blind: held.is_blind, ..new };
                Verdict::Replaced(Arc::clone(&held.login))
            }
            // Perhaps it is not: it may only have lost a right.
            Err(failure) if held.is_blind => {
                held.since = Instant::now();
                self.report.refused(&failure.error);
                Verdict::Unknown(failure)
            }
            Err(failure) => {
                self.be_out(&failure.error);
                Verdict::Unknown(failure)
            }
        }
    }

    /// Waits before the next login; whoever suspects something meanwhile hears how the last one went.
    async fn pause(&mut self, delay: Duration, failure: &Failure) {
        let until = Instant::now() + delay;
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                Ok(()) = self.pulse.changed() => return,
                () = self.files.changed() => return,
                Some(suspicion) = self.suspicions.recv() => suspicion.tell(Verdict::Unknown(failure.clone())),
                else => return sleep(delay).await,
            }
        }
    }

    fn be_out(&self, error: &SourceError) {
        self.report.down(error);
        self.standing.send_replace(Standing::Out(error.clone()));
    }

    fn tell(&self, grant: &Grant) {
        let life = Duration::from_secs(grant.lease_duration);
        let ends = (!life.is_zero()).then(|| SystemTime::now() + life);
        self.report.logged_in(&self.auth.describe(), ends);
    }
}

impl Suspicion {
    fn tell(self, verdict: Verdict) {
        // Whoever asked may have gone.
        let _ = self.answer.send(verdict);
    }
}

async fn sleep_maybe(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
