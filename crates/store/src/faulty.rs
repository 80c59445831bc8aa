//! A store that breaks on demand, around any other one: how everything above stores is tested
//! against bad days without having to arrange them.

mod records;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use futures::StreamExt as _;
use tokio::sync::watch;

use crate::batch::Batch;
use crate::error::StoreError;
use crate::object::{Identity, Listing, Revision, StoredObject, WatchEvent};
use crate::records::Records;
use crate::store::{Description, Store, WatchStream};
use records::FaultyRecords;

/// Wraps a store; its [`Faults`] say how it misbehaves from now on. Without any it adds nothing.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

/// The switches of a [`FaultyStore`], to be flipped while it is in use.
#[derive(Default)]
pub struct Faults {
    settings: Mutex<Settings>,
    cuts: watch::Sender<Cuts>,
    lists: AtomicUsize,
}

/// What happens to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It goes through.
    #[default]
    Pass,
    /// It fails with this.
    Fail(StoreError),
    /// It never returns.
    Hang,
}

/// How open watches are ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The stream just ends.
    End,
    /// It yields this error and ends.
    Fail(StoreError),
    /// It asks for a new list and ends.
    Resync,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    list: Mode,
    watch: Mode,
    commit: Mode,
    records: Mode,
    swallow: usize,
}

#[derive(Clone, Debug, Default)]
struct Cuts {
    count: usize,
    how: Option<Cut>,
}

impl FaultyStore {
    /// Wraps `inner`, at first without any fault.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, faults: Arc::default() }
    }

    /// The switches.
    pub fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }
}

impl Faults {
    /// What happens to `list`, `get` and `head` from now on.
    pub fn on_list(&self, mode: Mode) {
        self.lock().list = mode;
    }

    /// What happens to `watch` from now on. Open watches go on; see [`Self::cut`].
    pub fn on_watch(&self, mode: Mode) {
        self.lock().watch = mode;
    }

    /// What happens to `commit` and `init` from now on.
    pub fn on_commit(&self, mode: Mode) {
        self.lock().commit = mode;
    }

    /// What happens to every call about records from now on. A seat that is held stays held.
    pub fn on_records(&self, mode: Mode) {
        self.lock().records = mode;
    }

    /// Everything fails with `error` from now on, and open watches with it.
    pub fn take_down(&self, error: &StoreError) {
        let down = Mode::Fail(error.clone());
        *self.lock() = Settings {
            list: down.clone(),
            watch: down.clone(),
            commit: down.clone(),
            records: down,
            swallow: 0,
        };
        self.cut(Cut::Fail(error.clone()));
    }

    /// Every call goes through again.
    pub fn heal(&self) {
        *self.lock() = Settings::default();
    }

    /// Ends all watches that are open now.
    pub fn cut(&self, how: Cut) {
        self.cuts.send_modify(|cuts| *cuts = Cuts { count: cuts.count + 1, how: Some(how) });
    }

    /// The next `events` events of watches are lost on the way, silently.
    pub fn swallow(&self, events: usize) {
        self.lock().swallow = events;
    }

    /// How often `list` was called.
    pub fn lists(&self) -> usize {
        self.lists.load(Ordering::Relaxed)
    }

    fn swallows_one(&self) -> bool {
        let mut settings = self.lock();
        let swallows = settings.swallow > 0;
        settings.swallow = settings.swallow.saturating_sub(1);
        swallows
    }

    fn mode(&self, of: impl FnOnce(&Settings) -> &Mode) -> Mode {
        of(&self.lock()).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        // Settings are plain values, whole after every step.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

impl Mode {
    async fn pass(self) -> Result<(), StoreError> {
        match self {
            Self::Pass => Ok(()),
            Self::Fail(error) => Err(error),
            Self::Hang => std::future::pending().await,
        }
    }
}

impl Cuts {
    /// What a watch says when it is cut.
    fn last_word(&self) -> Option<Result<WatchEvent, StoreError>> {
        match self.how.clone()? {
            Cut::End => None,
            Cut::Fail(error) => Some(Err(error)),
            Cut::Resync => Some(Ok(WatchEvent::Resync)),
        }
    }
}

#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be answered by a default")]
#[async_trait]
impl Store for FaultyStore {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.faults.lists.fetch_add(1, Ordering::Relaxed);
        self.faults.mode(|settings| &settings.list).pass().await?;
        self.inner.list().await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        self.faults.mode(|settings| &settings.list).pass().await?;
        self.inner.get(key).await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        self.faults.mode(|settings| &settings.watch).pass().await?;
        let watch = Watch {
            cuts: self.faults.cuts.subscribe(),
            faults: self.faults.clone(),
            inner: self.inner.watch(from).await?,
        };
        let next = |watch: Option<Watch>| async move { watch?.next().await };
        Ok(futures::stream::unfold(Some(watch), next).boxed())
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.faults.mode(|settings| &settings.list).pass().await?;
        self.inner.head().await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        self.faults.mode(|settings| &settings.commit).pass().await?;
        self.inner.commit(batch).await
    }

    async fn init(&self) -> Result<Identity, StoreError> {
        self.faults.mode(|settings| &settings.commit).pass().await?;
        self.inner.init().await
    }

    fn records(&self) -> Option<Arc<dyn Records>> {
        Some(Arc::new(FaultyRecords { inner: self.inner.records()?, faults: self.faults.clone() }))
    }
}

/// One open watch: the inner one, until it is cut.
struct Watch {
    inner: WatchStream,
    cuts: watch::Receiver<Cuts>,
    faults: Arc<Faults>,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<WatchEvent, StoreError>, Option<Self>)> {
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.cuts.changed() => {
                    let last_word = self.cuts.borrow().last_word()?;
                    return Some((last_word, None));
                }
                event = self.inner.next() => {
                    let event = event?;
                    if !self.faults.swallows_one() {
                        return Some((event, Some(self)));
                    }
                }
            }
        }
    }
}
