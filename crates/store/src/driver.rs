//! The one loop that follows a store, whichever it is.
//!
//! List, watch from the listing's revision, and when the watch ends for whatever reason list again.
//! Now and then a full list is compared with what the watch has told ([`audit`]). The loop never
//! ends while somebody listens, never sends a partial state, and gives every call a deadline.
//!
//! The channel to the listener is bounded: while the control plane is busy the watch is not read,
//! and a store that cannot keep its history for that long answers with a resync.

mod audit;
mod ended;
mod handle;
mod mirror;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::backoff::{Backoff, random};
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::object::{Changes, Listing, Revision, WatchEvent};
use crate::store::{Store, WatchStream};
use audit::{Audit, Step};
use ended::Ended;
use mirror::{Mirror, Seen};

pub use handle::DriverHandle;

/// A store that asks to be left alone is left alone for this long at most.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(2);

/// What a driver tells the control plane.
#[derive(Clone, Debug)]
pub enum SourceEvent {
    /// The store holds exactly this. The first sign of a working store, its return after trouble, and what it
    /// says when it is asked again. It is told as it is, also where its revision or its identity is another one
    /// than before: whether to believe that is decided above.
    Complete(Listing),
    /// What happened since the last event; without changes and faults: the store is at this revision.
    Changes(Changes),
    /// The store cannot be read; what it held before still stands. Sent again when the reason changes.
    Failed {
        /// Why.
        error: StoreError,
        /// When the first of an unbroken row of failures happened.
        since: Instant,
    },
}

/// A driver's deadlines and periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverOptions {
    /// How long a full list may take.
    pub list_deadline: Duration,
    /// How long opening a watch may take.
    pub watch_deadline: Duration,
    /// The first delay after a failure.
    pub backoff_min: Duration,
    /// The longest delay between two attempts.
    pub backoff_max: Duration,
    /// How often a full list is compared with what the watch told, give or take a tenth.
    pub audit_period: Duration,
    /// How long a watch may lag behind such a list before a difference counts as a lost event. Also how
    /// long a watch must have lived for its end not to count as a row of failures.
    pub audit_grace: Duration,
}

impl DriverOptions {
    /// For stores on this machine: quick to retry.
    pub const fn local() -> Self {
        Self { backoff_max: Duration::from_secs(1), audit_period: Duration::from_mins(5), ..Self::remote() }
    }

    /// For stores across a network: patient.
    pub const fn remote() -> Self {
        Self {
            list_deadline: Duration::from_secs(30),
            watch_deadline: Duration::from_secs(10),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(4),
            audit_period: Duration::from_mins(10),
            audit_grace: Duration::from_secs(2),
        }
    }
}

/// Follows one store and tells what it sees.
#[derive(Debug)]
pub struct Driver {
    store: Arc<dyn Store>,
    options: DriverOptions,
    events: mpsc::Sender<SourceEvent>,
    metrics: Arc<StoreMetrics>,
    mirror: Mirror,
    /// Behind lists that failed. The first that succeeds ends the row.
    unread: Backoff,
    /// Behind watches that did not live. One that lives for a while ends the row: a store that lists well and
    /// cannot be watched must not be listed in a hot loop.
    unwatched: Backoff,
    failure: Option<Failure>,
    handle: DriverHandle,
}

/// The present row of failures.
#[derive(Debug)]
struct Failure {
    since: Instant,
    told: StoreError,
}

impl Driver {
    /// A driver of `store` that tells `events`, once [`run`](Self::run).
    pub fn new(store: Arc<dyn Store>, options: DriverOptions, events: mpsc::Sender<SourceEvent>) -> Self {
        let backoff = || Backoff::new(options.backoff_min, options.backoff_max);
        let (unread, unwatched) = (backoff(), backoff());
        Self {
            store,
            options,
            events,
            metrics: Arc::default(),
            mirror: Mirror::default(),
            unread,
            unwatched,
            failure: None,
            handle: DriverHandle::default(),
        }
    }

    /// By which others ask this driver to list again.
    pub fn handle(&self) -> DriverHandle {
        self.handle.clone()
    }

    /// What this driver counts.
    pub fn metrics(&self) -> Arc<StoreMetrics> {
        self.metrics.clone()
    }

    /// Follows the store until nobody listens; to stop earlier, drop the future.
    pub async fn run(mut self) {
        let store = self.store.describe().name;
        loop {
            let Err(ended) = self.session().await;
            let delay = self.delay(&ended);
            if matches!(ended, Ended::Closed) || self.settle(&store, ended).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = self.handle.asked() => {}
                () = self.events.closed() => return,
            }
        }
    }

    /// How long to wait before the store is asked again.
    fn delay(&mut self, ended: &Ended) -> Duration {
        if matches!(ended, Ended::Asked) {
            return Duration::ZERO;
        }
        let wished = ended.retry_after().map_or(Duration::ZERO, |wish| {
            // A little later than asked, and not all replicas at once.
            wish.min(RETRY_AFTER_MAX).mul_f64(1.0 + random() / 10.0)
        });
        let row = if matches!(ended, Ended::List(_)) { &mut self.unread } else { &mut self.unwatched };
        row.delay(random()).max(wished)
    }

    /// One listing and the watch from it, for as long as they fit together.
    async fn session(&mut self) -> Result<std::convert::Infallible, Ended> {
        let listing = list(&self.store, &self.options, &self.metrics).await.map_err(Ended::List)?;
        self.unread.reset();
        let revision = listing.revision;
        debug!(%revision, objects = listing.items.len(), faults = listing.faults.len(), "store listed");
        self.mirror.adopt(&listing);
        self.failure = None;
        self.emit(SourceEvent::Complete(listing)).await?;
        let watch = self.watch(revision).await.map_err(Ended::Watch)?;
        let opened = Instant::now();
        let result = self.follow(watch).await;
        if opened.elapsed() >= self.options.audit_grace {
            self.unwatched.reset();
        }
        result
    }

    async fn follow(&mut self, mut watch: WatchStream) -> Result<std::convert::Infallible, Ended> {
        let mut audit = Audit::new(self.store.clone(), self.options.clone(), self.metrics.clone());
        loop {
            tokio::select! {
                event = watch.next() => self.take(event).await?,
                step = audit.step() => self.check(step)?,
                () = self.handle.asked() => return Err(Ended::Asked),
                () = self.events.closed() => return Err(Ended::Closed),
            }
        }
    }

    async fn take(&mut self, event: Option<Result<WatchEvent, StoreError>>) -> Result<(), Ended> {
        let changes = match event {
            Some(Ok(WatchEvent::Changes(changes))) => changes,
            Some(Ok(WatchEvent::Resync)) => return Err(Ended::Resync),
            Some(Err(error)) => return Err(Ended::Watch(error)),
            None => return Err(Ended::Silently),
        };
        let was = self.mirror.revision();
        if !self.mirror.apply(&changes) {
            return Err(Ended::Backwards(changes.revision));
        }
        // A revision without changes is told too: somebody may wait until it is reached.
        if changes.changes.is_empty() && changes.faults.is_none() && changes.revision == was {
            return Ok(());
        }
        self.emit(SourceEvent::Changes(changes)).await
    }

    fn check(&mut self, step: Step) -> Result<(), Ended> {
        match step {
            Step::Began => self.mirror.start_audit(),
            Step::Failed(error) => return Err(Ended::List(error)),
            Step::Compare(listing) => match self.mirror.compare(&listing) {
                Seen::Earlier => return Err(Ended::Backwards(listing.revision)),
                Seen::Another if self.store.describe().sentinel => return Err(Ended::Another),
                Seen::Drift(objects) => return Err(Ended::Drift(objects)),
                Seen::Same | Seen::Another => self.unwatched.reset(),
            },
        }
        Ok(())
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        timeout(self.options.watch_deadline, self.store.watch(from))
            .await
            .unwrap_or_else(|_| Err(too_slow("open a watch", self.options.watch_deadline)))
    }

    /// Says and counts why a session ended; only a store that cannot be listed has failed.
    async fn settle(&mut self, store: &str, ended: Ended) -> Result<(), Ended> {
        match &ended {
            Ended::List(_) | Ended::Closed | Ended::Asked => {}
            Ended::Watch(_) | Ended::Silently | Ended::Backwards(_) | Ended::Another => {
                self.metrics.watch_failed();
            }
            Ended::Resync => self.metrics.resync(),
            Ended::Drift(objects) => self.metrics.drift(*objects),
        }
        match ended {
            Ended::List(error) => self.fail(store, error).await,
            Ended::Resync | Ended::Asked => {
                info!(store, "{ended}, listing again");
                Ok(())
            }
            _ => {
                warn!(store, "{ended}, listing again");
                Ok(())
            }
        }
    }

    async fn fail(&mut self, store: &str, error: StoreError) -> Result<(), Ended> {
        let since = self.failure.as_ref().map_or_else(Instant::now, |failure| failure.since);
        if self.failure.as_ref().is_some_and(|failure| failure.told == error) {
            return Ok(());
        }
        warn!(store, %error, hint = error.hint(), "store cannot be read, its last state stands");
        self.failure = Some(Failure { since, told: error.clone() });
        self.emit(SourceEvent::Failed { error, since }).await
    }

    async fn emit(&self, event: SourceEvent) -> Result<(), Ended> {
        self.events.send(event).await.map_err(|_| Ended::Closed)
    }
}

/// Lists under the deadline, and counts.
async fn list(
    store: &Arc<dyn Store>,
    options: &DriverOptions,
    metrics: &StoreMetrics,
) -> Result<Listing, StoreError> {
    metrics.list();
    timeout(options.list_deadline, store.list())
        .await
        .unwrap_or_else(|_| Err(too_slow("list", options.list_deadline)))
        .inspect_err(|_| metrics.list_failed())
}

fn too_slow(call: &str, deadline: Duration) -> StoreError {
    StoreError::unavailable(format!("no answer within {deadline:?} to the call to {call}"))
}
