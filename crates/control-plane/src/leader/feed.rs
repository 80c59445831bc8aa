//! The versions of objects as the store shows them, kept until the leader has written them down. A replica
//! that does not lead keeps the last ones too, since it may be its turn next.
//!
//! Invariant: what is neither pending nor told as lost has been taken; memory is bounded by [`MOST`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Change, Changes, Listing, Revision, SourceEvent, StoredObject};
use bytes::Bytes;
use tokio::sync::Notify;

/// The most versions that wait. Beyond, the oldest are lost, and the writer looks at what there is.
const MOST: usize = 4096;

/// One version of an object.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Which object.
    pub(crate) key: ObjectKey,
    /// When it was written.
    pub(crate) revision: Revision,
    /// Its text; nothing: it was deleted.
    pub(crate) value: Option<Bytes>,
}

/// Values may be secret.
impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl From<&StoredObject> for Version {
    fn from(object: &StoredObject) -> Self {
        Self { key: object.key.clone(), revision: object.revision, value: Some(object.value.clone()) }
    }
}

/// What has been seen and not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<(u64, Version)>,
    /// Numbers the versions in order of coming.
    next: u64,
    /// Something may have been seen that is not pending: the writer has to look at the engine, as soon as
    /// that has taken the same event in.
    lost: bool,
    about_to_be_lost: bool,
    /// What the store showed last.
    shown: HashMap<ObjectKey, (Revision, Location)>,
    revision: Revision,
    read: bool,
}

/// What waits to be written down.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// In order of coming.
    pub(crate) versions: Vec<Version>,
    /// To give back when they are written: see [`Feed::done`].
    pub(crate) until: u64,
    /// Whether what the store shows has to be looked at as a whole.
    pub(crate) lost: bool,
}

impl Feed {
    /// Takes note of what the store tells, before the engine does; [`Self::tell`] follows when it has.
    pub(crate) fn note(&self, event: &SourceEvent) {
        let mut state = self.lock();
        match event {
            SourceEvent::Complete(listing) => state.listing(listing),
            SourceEvent::Changes(changes) => state.changes(changes),
            SourceEvent::Failed { .. } => {}
        }
    }

    /// The engine has taken the last event in.
    pub(crate) fn tell(&self) {
        let mut state = self.lock();
        state.lost |= std::mem::take(&mut state.about_to_be_lost);
        drop(state);
        self.news.notify_one();
    }

    /// Waits until something comes.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// What waits. It stays until [`Self::done`]; a loss is told once.
    pub(crate) fn pending(&self) -> Pending {
        let mut state = self.lock();
        Pending {
            versions: state.pending.iter().map(|(_, version)| version.clone()).collect(),
            until: state.next,
            lost: std::mem::take(&mut state.lost),
        }
    }

    /// What was pending when this number was given is written down.
    pub(crate) fn done(&self, until: u64) {
        self.lock().pending.retain(|(number, _)| *number >= until);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn listing(&mut self, listing: &Listing) {
        // The first reading is looked at as a whole; so is a store that was taken back to what it was.
        self.about_to_be_lost |= !self.read || listing.revision < self.revision;
        let (follows, was) = (self.read, std::mem::take(&mut self.shown));
        self.read = true;
        self.revision = listing.revision;
        for object in &listing.items {
            let known = was.get(&object.key).map(|(revision, _)| *revision);
            if follows && known != Some(object.revision) {
                self.push(Version::from(object));
            }
            self.show(object);
        }
        if follows {
            self.missing(was, listing);
        }
    }

    /// What a reading lacks was deleted, unless one of its faults hides it.
    fn missing(&mut self, was: HashMap<ObjectKey, (Revision, Location)>, listing: &Listing) {
        let present: HashSet<_> = listing.items.iter().map(|object| &object.key).collect();
        for (key, (revision, location)) in was {
            if present.contains(&key) {
                continue;
            }
            if listing.faults.iter().any(|fault| fault.may_hide(&location)) {
                self.shown.insert(key, (revision, location));
            } else {
                self.push(Version { key, revision: listing.revision, value: None });
            }
        }
    }

    fn changes(&mut self, changes: &Changes) {
        self.revision = changes.revision;
        for change in &changes.changes {
            match change {
                Change::Put(object) => {
                    self.push(Version::from(object));
                    self.show(object);
                }
                Change::Deleted(key) => {
                    self.shown.remove(key);
                    self.push(Version { key: key.clone(), revision: changes.revision, value: None });
                }
            }
        }
    }

    fn show(&mut self, object: &StoredObject) {
        self.shown.insert(object.key.clone(), (object.revision, object.location.clone()));
    }

    fn push(&mut self, version: Version) {
        self.pending.push_back((self.next, version));
        self.next += 1;
        if self.pending.len() > MOST {
            self.pending.pop_front();
            self.about_to_be_lost = true;
        }
    }
}
