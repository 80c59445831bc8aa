//! The task that keeps a shadow up to date, for as long as somebody uses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use biplane_admin_api::resources::Problem;
use biplane_store::{Driver, DriverHandle, DriverOptions, Revision, SourceEvent, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::Shadow;
use crate::off_the_runtime;
use crate::problems::reading;

/// A shadow that nobody has used for so long is dropped: it takes as much memory as the control plane's graph.
const IDLE: Duration = Duration::from_mins(5);

/// How long the first reading of the store may take, the driver's own deadline included.
const FIRST: Duration = Duration::from_secs(35);

/// How long a watch may lag behind the store's revision before the store is listed again: the watch may be
/// broken, and the driver in a back-off that nobody who waits has to sit out.
const LAG: Duration = Duration::from_millis(250);

/// How long that listing may take. After it a change is judged by what is known, which is a little older than
/// what is stored, as it may be anyway by the time the change is written.
const RELIST: Duration = Duration::from_secs(10);

/// The shadow under the lock that its trials take. Empty before the first reading, and at the end.
pub(super) type State = Arc<Mutex<Option<Shadow>>>;

/// A shadow and the task that feeds it. Dropping it ends both.
pub(super) struct Follower {
    state: State,
    seen: watch::Receiver<Seen>,
    driver: DriverHandle,
    usage: Arc<Mutex<Usage>>,
    /// The latest revision that was waited for in vain.
    waited_out: Mutex<Revision>,
    _task: AbortOnDropHandle<()>,
}

/// What the store has told.
#[derive(Clone, Debug)]
enum Seen {
    /// Nothing yet.
    Nothing,
    /// It cannot be read, and never could.
    Failed(StoreError),
    /// Everything up to here.
    At(Revision),
}

/// When the shadow was last used, and whether it is gone.
struct Usage {
    last: Instant,
    over: bool,
}

impl Follower {
    pub(super) fn start(store: Arc<dyn Store>) -> Self {
        let state = State::default();
        let (tell, seen) = watch::channel(Seen::Nothing);
        let usage = Arc::new(Mutex::new(Usage { last: Instant::now(), over: false }));
        // One event waits while another is taken in: the driver reads no further ahead.
        let (sender, events) = mpsc::channel(1);
        let driver = Driver::new(store, DriverOptions::remote(), sender);
        let handle = driver.handle();
        let feed = Feed { state: state.clone(), tell, usage: usage.clone() };
        let task = AbortOnDropHandle::new(tokio::spawn(feed.follow(driver, events)));
        Self { state, seen, driver: handle, usage, waited_out: Mutex::default(), _task: task }
    }

    pub(super) fn state(&self) -> State {
        self.state.clone()
    }

    /// Says that it is used; `false`: it is gone.
    pub(super) fn touch(&self) -> bool {
        let mut usage = lock(&self.usage);
        usage.last = Instant::now();
        !(usage.over || self.state.is_poisoned())
    }

    /// Waits until the shadow holds what the store held at `revision`.
    pub(super) async fn reach(&self, revision: Revision) -> Result<(), Problem> {
        let mut seen = self.seen.clone();
        if Self::first(&mut seen).await? >= revision || *lock(&self.waited_out) >= revision {
            return Ok(());
        }
        let there = |seen: &Seen| matches!(seen, Seen::At(at) if *at >= revision);
        if timeout(LAG, seen.wait_for(there)).await.is_ok() {
            return Ok(());
        }
        self.driver.relist();
        if timeout(RELIST, seen.wait_for(there)).await.is_err() {
            debug!(%revision, "the store cannot be followed to this revision, which is not waited for any more");
            let mut waited_out = lock(&self.waited_out);
            *waited_out = revision.max(*waited_out);
        }
        Ok(())
    }

    /// Waits until the store was read, and says up to where the shadow has followed it.
    async fn first(seen: &mut watch::Receiver<Seen>) -> Result<Revision, Problem> {
        let told = timeout(FIRST, seen.wait_for(|seen| !matches!(seen, Seen::Nothing))).await;
        let told = told.ok().and_then(Result::ok).map(|seen| seen.clone());
        match told {
            Some(Seen::At(revision)) => Ok(revision),
            Some(Seen::Failed(error)) => Err(reading(error)),
            Some(Seen::Nothing) | None => {
                Err(reading(StoreError::unavailable("the store could not be read in time")))
            }
        }
    }
}

/// The task's side of a follower.
struct Feed {
    state: State,
    tell: watch::Sender<Seen>,
    usage: Arc<Mutex<Usage>>,
}

impl Feed {
    /// Feeds the shadow until nobody has used it for a while.
    async fn follow(self, driver: Driver, mut events: mpsc::Receiver<SourceEvent>) {
        let mut driver = std::pin::pin!(driver.run());
        while !end(&self.usage) {
            let due = lock(&self.usage).last + IDLE;
            let event = tokio::select! {
                event = events.recv() => event,
                () = &mut driver => None,
                () = sleep_until(due) => continue,
            };
            let Some(event) = event else { break };
            if !self.take(event).await {
                break;
            }
        }
        lock(&self.usage).over = true;
        // Dropping a graph takes a while.
        let state = self.state;
        drop(tokio::task::spawn_blocking(move || state.lock().ok().and_then(|mut shadow| shadow.take())));
    }

    /// Takes an event in; `false`: the shadow cannot be trusted any more.
    async fn take(&self, event: SourceEvent) -> bool {
        let state = self.state.clone();
        let Ok(Some(seen)) = off_the_runtime(move || take(&state, event)).await else { return false };
        self.tell.send_if_modified(|known| {
            // A store that fails after it was read leaves the shadow as it is.
            let news = matches!(seen, Seen::At(_)) || !matches!(known, Seen::At(_));
            if news {
                *known = seen;
            }
            news
        });
        true
    }
}

/// Whether it is really over: a use just before the deadline counts.
fn end(usage: &Mutex<Usage>) -> bool {
    let mut usage = lock(usage);
    usage.over = usage.last + IDLE <= Instant::now();
    usage.over
}

/// Takes an event in; `None`: a trial has panicked, and the shadow cannot be trusted.
fn take(state: &State, event: SourceEvent) -> Option<Seen> {
    let mut held = state.lock().ok()?;
    match event {
        SourceEvent::Complete(listing) => {
            let revision = listing.revision;
            held.get_or_insert_default().listing(listing);
            Some(Seen::At(revision))
        }
        SourceEvent::Changes(changes) => {
            let revision = changes.revision;
            held.get_or_insert_default().changes(changes);
            Some(Seen::At(revision))
        }
        SourceEvent::Failed { error, .. } => Some(Seen::Failed(error)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
