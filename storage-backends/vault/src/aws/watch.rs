//! Credentials from now on: renewed as long as they can be, and replaced before they end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_source::{Listing, Secret, SecretOptions, SourceError, Watch};
use futures::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::Wanted;
use super::credentials::{Credentials, extend, make};
use crate::client::Failure;
use crate::pace::{self, Backoff};
use crate::session::SerialReader;
use crate::time::rfc3339;
use crate::told::Told;
use crate::vault::Vault;

/// How long AWS takes to know a new user everywhere. Those of before are good meanwhile.
const SETTLES: Duration = Duration::from_secs(10);

/// How long is slept at most: a machine that was suspended sleeps longer than it thinks.
const NAP: Duration = Duration::from_mins(5);

/// Watches credentials. Nothing is made but while the stream's reader polls.
pub(crate) fn follow(vault: Arc<Vault>, wanted: Wanted, options: SecretOptions) -> Watch<Option<Secret>> {
    let known = options.known.and_then(|secret| Credentials::known(&secret, SystemTime::now()));
    let serial = vault.session.serial();
    let follower = Follower {
        pulse: vault.pulse.subscribe(),
        backoff: pace::backoff(vault.options.tuning.retry_max),
        not_before: Instant::now(),
        told: Told::default(),
        made_with: None,
        staged: None,
        trouble: None,
        held: known,
        serial,
        wanted,
        vault,
    };
    stream::unfold(follower, |mut follower| async {
        let listing = follower.next().await;
        Some((listing, follower))
    })
    .boxed()
}

struct Follower {
    vault: Arc<Vault>,
    wanted: Wanted,
    pulse: watch::Receiver<u64>,
    serial: SerialReader,
    /// The token that the credentials in use were made with.
    made_with: Option<u64>,
    held: Option<Credentials>,
    /// New ones that AWS may not know everywhere yet.
    staged: Option<(Credentials, Instant)>,
    trouble: Option<SourceError>,
    not_before: Instant,
    backoff: Backoff,
    told: Told,
}

impl Follower {
    async fn next(&mut self) -> Listing<Option<Secret>> {
        loop {
            let secret = self.held.as_ref().map(Credentials::secret);
            let trouble = self.trouble.clone().map(|error| self.with_life(error));
            if let Some(news) = self.told.next(secret.as_ref(), trouble.as_ref()) {
                return news;
            }
            let due = self.due();
            tokio::select! {
                () = sleep_until(due) => self.step().await,
                () = self.serial.changed() => {}
                Ok(()) = self.pulse.changed() => self.not_before = Instant::now(),
            }
        }
    }

    /// What trouble means for the credentials in use.
    fn with_life(&self, mut error: SourceError) -> SourceError {
        if let Some(held) = &self.held {
            let tense = if SystemTime::now() >= held.expires { "have ended at" } else { "are good until" };
            error.message =
                format!("{}; the credentials in use {tense} {}", error.message, rfc3339(held.expires));
        }
        error
    }

    fn due(&self) -> Instant {
        let now = Instant::now();
        let at = |time: SystemTime| now + time.duration_since(SystemTime::now()).unwrap_or_default();
        let due = match (&self.staged, &self.held) {
            (Some((_, ready)), _) => *ready,
            (None, Some(held)) if !self.is_orphaned(held) => at(held.renews).max(self.not_before),
            (None, _) => self.not_before,
        };
        due.min(now + NAP)
    }

    /// Whether the token that they end with is about to.
    fn is_orphaned(&self, held: &Credentials) -> bool {
        let serial = self.serial.get();
        held.end_with_the_token() && serial.is_some() && self.made_with.is_some() && serial != self.made_with
    }

    /// How long credentials are still good, be it that their token ends before them.
    fn left_of(&self, held: &Credentials) -> Option<Duration> {
        let left = held.expires.duration_since(SystemTime::now()).ok()?;
        if !self.is_orphaned(held) {
            return Some(left);
        }
        Some(left.min(self.serial.before_ends()?.saturating_duration_since(Instant::now())))
    }

    async fn step(&mut self) {
        if self.due() > Instant::now() {
            return;
        }
        if let Some((credentials, _)) = self.staged.take() {
            self.held = Some(credentials);
            return;
        }
        if let Err(Failure { error, .. }) = self.renew().await {
            self.not_before = Instant::now() + self.backoff.delay();
            if self.trouble.as_ref() != Some(&error) {
                warn!(source = %self.vault.options.name, %error, "no new credentials");
            }
            self.trouble = Some(error);
        } else {
            (self.trouble, self.not_before) = (None, Instant::now());
            self.backoff.reset();
        }
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        if let Some(held) = self.held.as_ref().filter(|held| held.can_last() && !self.is_orphaned(held))
            && let Ok(extended) = extend(&self.vault, &self.wanted, held).await
            && extended.can_last()
        {
            self.held = Some(extended);
            return Ok(());
        }
        let serial = self.serial.get();
        let made = make(&self.vault, &self.wanted).await?;
        let until = rfc3339(made.expires);
        info!(
            source = %self.vault.options.name,
            engine = self.wanted.mount,
            role = self.wanted.role,
            until,
            "new credentials of AWS"
        );
        self.use_in_time(made);
        // If it was replaced meanwhile, the older one is taken for it, and they are made again.
        self.made_with = serial.or(self.serial.get());
        Ok(())
    }

    /// A user is not known everywhere at once, and one that still works is better until then.
    fn use_in_time(&mut self, made: Credentials) {
        let left = self.held.as_ref().and_then(|held| self.left_of(held));
        match left.filter(|_| made.end_with_the_token()) {
            Some(left) => self.staged = Some((made, Instant::now() + SETTLES.min(left / 2))),
            None => self.held = Some(made),
        }
    }
}
