//! The versions of objects as the store shows them, kept until the leader has written them down. A replica
//! that does not lead keeps only what was deleted, which nobody can see later: it may be its turn next.
//!
//! Invariant: what is neither pending nor told as lost has been taken; memory is bounded by [`MOST`] and
//! [`MOST_BYTES`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Change, Changes, Fault, Listing, Revision, SourceEvent, StoredObject};
use bytes::Bytes;
use tokio::sync::Notify;

/// The most versions that wait. Beyond, the oldest are lost, and the writer looks at what there is.
const MOST: usize = 4096;
/// And the most bytes of them.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What a version takes beside its value.
const BYTES_BESIDE: usize = 256;

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

impl Version {
    fn bytes(&self) -> usize {
        BYTES_BESIDE + self.value.as_ref().map_or(0, Bytes::len)
    }
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
    /// What they weigh.
    bytes: usize,
    /// Whether somebody here writes them down.
    leads: bool,
    /// Numbers the versions in order of coming.
    next: u64,
    /// Something may have been seen that is not pending: the writer has to look at the engine, as soon as
    /// that has taken the same event in.
    lost: bool,
    about_to_be_lost: bool,
    /// What the store showed last.
    shown: HashMap<ObjectKey, (Revision, Location)>,
    faults: Vec<Fault>,
    revision: Revision,
    read: bool,
}

/// What waits to be written down.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// In order of coming, numbered.
    pub(crate) versions: Vec<(u64, Version)>,
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

    /// This replica leads from now on: whatever comes with this number or a later one came in its term.
    pub(crate) fn lead(&self) -> u64 {
        let mut state = self.lock();
        state.leads = true;
        state.next
    }

    /// This replica leads no longer.
    pub(crate) fn follow(&self) {
        let mut state = self.lock();
        state.leads = false;
        let all = state.pending.len();
        state.pending.retain(|(_, version)| version.value.is_none());
        state.bytes = state.pending.iter().map(|(_, version)| version.bytes()).sum();
        state.lost |= state.pending.len() < all;
    }

    /// The store's revision, if it is known not to hold this object.
    pub(crate) fn lacks(&self, key: &ObjectKey) -> Option<Revision> {
        let state = self.lock();
        let is_hidden = |fault: &Fault| fault.hides_its_object() && fault.key.as_ref() == Some(key);
        let may_be_there = state.shown.contains_key(key) || state.faults.iter().any(is_hidden);
        (state.read && !may_be_there).then_some(state.revision)
    }

    /// Waits until something comes.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// What waits. It stays until [`Self::done`]; a loss is told once.
    pub(crate) fn pending(&self) -> Pending {
        let mut state = self.lock();
        Pending {
            versions: state.pending.iter().cloned().collect(),
            until: state.next,
            lost: std::mem::take(&mut state.lost),
        }
    }

    /// What was pending when this number was given is written down.
    pub(crate) fn done(&self, until: u64) {
        let mut state = self.lock();
        while state.pending.front().is_some_and(|(number, _)| *number < until) {
            state.pop();
        }
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
        self.faults.clone_from(&listing.faults);
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
        if let Some(faults) = &changes.faults {
            self.faults.clone_from(faults);
        }
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
        // What is there can be looked at later; only that it was deleted cannot.
        if !self.leads && version.value.is_some() {
            self.about_to_be_lost = true;
            return;
        }
        self.bytes += version.bytes();
        self.pending.push_back((self.next, version));
        self.next += 1;
        while self.pending.len() > MOST || self.bytes > MOST_BYTES {
            self.pop();
            self.about_to_be_lost = true;
        }
    }

    fn pop(&mut self) {
        if let Some((_, version)) = self.pending.pop_front() {
            self.bytes -= version.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_store::{FaultKind, Identity};

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::Upstream, "default", name)
    }

    fn object(name: &str, revision: u64, bytes: usize) -> StoredObject {
        StoredObject {
            key: key(name),
            value: vec![b' '; bytes].into(),
            location: Location::file(format!("{name}.yaml"), 1),
            revision: Revision(revision),
            created: None,
        }
    }

    fn note(feed: &Feed, revision: u64, changes: Vec<Change>) {
        feed.note(&SourceEvent::Changes(Changes { revision: Revision(revision), changes, faults: None }));
        feed.tell();
    }

    /// A feed of a store that holds this, which has been looked at.
    fn feed(items: Vec<StoredObject>, faults: Vec<Fault>) -> Feed {
        let feed = Feed::default();
        let listing = Listing { identity: Identity::new("a"), revision: Revision(1), items, faults };
        feed.note(&SourceEvent::Complete(listing));
        feed.tell();
        assert!(feed.pending().lost, "the first reading is looked at as a whole");
        feed
    }

    #[test]
    fn large_versions_are_lost_before_they_fill_the_memory() {
        let feed = feed(Vec::new(), Vec::new());
        feed.lead();
        let most = u64::try_from(MOST_BYTES / (512 * 1024)).unwrap();
        for revision in 2..=2 * most {
            note(&feed, revision, vec![Change::Put(object("u", revision, 512 * 1024))]);
        }
        let pending = feed.pending();
        let bytes: usize = pending.versions.iter().map(|(_, version)| version.bytes()).sum();
        assert!(bytes <= MOST_BYTES && bytes > MOST_BYTES / 2, "{bytes} bytes");
        assert!(pending.lost);
        feed.done(pending.until);
        note(&feed, 1000, vec![Change::Put(object("u", 1000, MOST_BYTES / 2))]);
        let pending = feed.pending();
        assert_eq!((pending.versions.len(), pending.lost), (1, false), "what was taken weighs nothing");
    }

    #[test]
    fn replica_that_does_not_lead_keeps_deletions_and_no_values() {
        let feed = feed(vec![object("gone", 1, 10)], Vec::new());
        let changes = vec![Change::Deleted(key("gone")), Change::Put(object("u", 2, 10))];
        note(&feed, 2, changes.clone());
        let pending = feed.pending();
        let told: Vec<_> = pending.versions.iter().map(|(_, version)| version.key.clone()).collect();
        assert_eq!((told, pending.lost), (vec![key("gone")], true));

        assert_eq!(feed.lead(), 1, "what comes next came in this term");
        note(&feed, 3, vec![Change::Put(object("v", 3, 10))]);
        assert_eq!(feed.pending().versions.len(), 2);
        feed.follow();
        let pending = feed.pending();
        assert_eq!((pending.versions.len(), pending.lost), (1, true));
    }

    #[test]
    fn only_what_is_known_to_be_absent_is_lacking() {
        assert_eq!(Feed::default().lacks(&key("a")), None, "nothing was read");
        let fault = Fault::new(FaultKind::TooLarge, Location::file("hidden.yaml", 1), "too large");
        let feed = feed(vec![object("there", 1, 1)], vec![fault.of(key("hidden"))]);
        let lacks = ["there", "hidden", "gone"].map(|name| feed.lacks(&key(name)));
        assert_eq!(lacks, [None, None, Some(Revision(1))]);
    }
}
