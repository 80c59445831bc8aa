//! What a memory store holds. Pure steps over maps, all under the store's one lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use bytes::Bytes;
use tokio::sync::watch;

use super::hold::Hold;
use crate::batch::{Operation, Write};
use crate::error::StoreError;
use crate::layout::{self, Layout, MANIFEST, SENTINEL};
use crate::log::ChangeLog;
use crate::manifest::Manifest;
use crate::object::{Change, Changes, Fault, Identity, Listing, Revision, StoredObject};
use crate::records::{Fence, Record};
use crate::sentinel::{self, Sentinel};

/// How many changes a memory store remembers for its watches.
const HISTORY: usize = 4096;

/// Raw keys below `config/` and what becomes of them; `None` removes.
pub(super) type Writes = BTreeMap<String, Option<Bytes>>;

/// Everything, and its history.
#[derive(Clone)]
pub(super) struct State {
    name: Arc<str>,
    entries: BTreeMap<String, Entry>,
    /// The raw keys that are no objects, and why.
    faults: BTreeMap<String, Fault>,
    /// Paths below the root and what lies there.
    pub(super) records: BTreeMap<String, Record>,
    /// The newest write, of records too.
    newest: Revision,
    /// The newest write below `config/`.
    revision: Revision,
    log: Arc<ChangeLog>,
    /// What readers see instead while a batch is not finished.
    pub(super) hold: Option<Hold>,
    /// The batch that nobody waits for any more.
    pub(super) given_up: Option<String>,
    /// Who holds the leader's seat.
    pub(super) seat: watch::Sender<Option<Fence>>,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    created: Revision,
    revision: Revision,
}

impl State {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            entries: BTreeMap::new(),
            faults: BTreeMap::new(),
            records: BTreeMap::new(),
            newest: Revision::default(),
            revision: Revision::default(),
            log: new_log(Revision::default()),
            hold: None,
            given_up: None,
            seat: watch::Sender::new(None),
        }
    }

    /// Becomes what was: with a log of its own, while the readers of the old one are woken.
    pub(super) fn replace(&mut self, old: Self) {
        let left = std::mem::replace(&mut self.log, new_log(old.revision));
        let (log, seat) = (self.log.clone(), self.seat.clone());
        *self = Self { log, seat, hold: None, ..old };
        left.push(Changes { revision: left.head().next(), changes: Vec::new(), faults: None });
    }

    pub(super) const fn log(&self) -> &Arc<ChangeLog> {
        &self.log
    }

    /// The newest write below `config/`, shown or held.
    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    /// The next revision, for a write of whatever.
    pub(super) const fn next_revision(&mut self) -> Revision {
        self.newest = self.newest.next();
        self.newest
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.entries.keys().cloned()
    }

    pub(super) fn is_marked(&self) -> bool {
        self.entries.contains_key(SENTINEL)
    }

    /// Which store this is, or that nothing says so.
    pub(super) fn identity(&self) -> Result<Identity, StoreError> {
        let place = format!("{}/config/{SENTINEL}", self.name);
        let mark = self.entries.get(SENTINEL).ok_or_else(|| sentinel::missing(&place, &self.name))?;
        Ok(Sentinel::decode(&mark.value, &place)?.identity())
    }

    /// The batch that is being written, as its manifest says.
    pub(super) fn open_batch(&self) -> Option<Manifest> {
        let manifest = Manifest::decode(&self.entries.get(MANIFEST)?.value)?;
        manifest.open.then_some(manifest)
    }

    /// Takes the writes in, and tells what they changed of objects.
    pub(super) fn write(&mut self, writes: Writes, revision: Revision) -> Vec<Change> {
        self.revision = revision;
        let keys: Vec<_> = writes.keys().cloned().collect();
        for (key, value) in writes {
            self.write_one(key, value, revision);
        }
        let mut changes: Vec<_> = keys.iter().filter_map(|key| self.change_of(key)).collect();
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        changes
    }

    pub(super) fn write_one(&mut self, key: String, value: Option<Bytes>, revision: Revision) {
        self.faults.remove(&key);
        let Some(value) = value else {
            self.entries.remove(&key);
            return;
        };
        let created = self.entries.get(&key).map_or(revision, |entry| entry.created);
        let entry = Entry { value, created, revision };
        if let Some(fault) = self.fault(&key, &entry) {
            self.faults.insert(key.clone(), fault);
        }
        self.entries.insert(key, entry);
    }

    /// What is too large is a fault, and what it was before is neither changed nor gone.
    fn change_of(&self, raw: &str) -> Option<Change> {
        let key = object_key(raw)?;
        match self.entries.get(raw) {
            None => Some(Change::Deleted(key)),
            Some(entry) if entry.value.len() > MAX_OBJECT => None,
            Some(entry) => Some(Change::Put(self.object(key, raw, entry))),
        }
    }

    fn object(&self, key: ObjectKey, raw: &str, entry: &Entry) -> StoredObject {
        StoredObject {
            key,
            value: entry.value.clone(),
            location: self.location(raw, entry),
            revision: entry.revision,
            created: Some(entry.created.0),
        }
    }

    fn location(&self, raw: &str, entry: &Entry) -> Location {
        Location::Key { store: self.name.clone(), key: raw.into(), revision: entry.revision.0 }
    }

    /// One object as readers see it.
    pub(super) fn get(&self, key: &ObjectKey) -> Option<StoredObject> {
        if let Some(hold) = &self.hold {
            return hold.shown.items.iter().find(|object| object.key == *key).cloned();
        }
        let raw = layout::format_key(key);
        let entry = self.entries.get(&raw).filter(|entry| entry.value.len() <= MAX_OBJECT)?;
        Some(self.object(key.clone(), &raw, entry))
    }

    /// Everything as readers see it.
    pub(super) fn shown(&self) -> Listing {
        self.hold.as_ref().map_or_else(|| self.listing(), |hold| hold.shown.clone())
    }

    /// Everything as it is.
    pub(super) fn listing(&self) -> Listing {
        let small = self.entries.iter().filter(|(_, entry)| entry.value.len() <= MAX_OBJECT);
        let mut items: Vec<_> =
            small.filter_map(|(raw, entry)| Some(self.object(object_key(raw)?, raw, entry))).collect();
        items.sort_by(|a, b| a.key.cmp(&b.key));
        let identity = self.identity().unwrap_or_else(|_| Identity(self.name.clone()));
        Listing { identity, revision: self.revision, items, faults: self.faults() }
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<_> = self.faults.values().cloned().chain(self.unfinished()).collect();
        faults.sort_by(|a, b| a.location.cmp(&b.location));
        faults
    }

    fn fault(&self, raw: &str, entry: &Entry) -> Option<Fault> {
        let at = self.location(raw, entry);
        match Layout::Biplane.parse(raw) {
            Err(message) => Some(layout::misplaced_key(at, message)),
            Ok(Some(key)) if entry.value.len() > MAX_OBJECT => {
                Some(layout::too_large(at, key, entry.value.len()))
            }
            Ok(_) => None,
        }
    }

    /// The open batch that nobody waits for any more.
    pub(super) fn abandoned_batch(&self) -> Option<Manifest> {
        self.open_batch().filter(|batch| self.given_up.as_ref() == Some(&batch.id))
    }

    fn unfinished(&self) -> Option<Fault> {
        let batch = self.abandoned_batch()?;
        Some(batch.unfinished(self.location(MANIFEST, self.entries.get(MANIFEST)?)))
    }

    pub(super) fn check(&self, operation: &Operation) -> Result<(), StoreError> {
        let found = self.entries.get(&layout::format_key(&operation.key)).map(|entry| entry.revision);
        let key = || operation.key.clone();
        if !operation.precondition.holds(found) {
            return Err(StoreError::Conflict { key: key(), found });
        }
        if operation.write == Write::Delete && found.is_none() {
            return Err(StoreError::NotFound { key: key() });
        }
        Ok(())
    }
}

/// The object that a raw key names, if it names one.
fn object_key(raw: &str) -> Option<ObjectKey> {
    Layout::Biplane.parse(raw).ok().flatten()
}

fn new_log(head: Revision) -> Arc<ChangeLog> {
    Arc::new(ChangeLog::new(head, HISTORY))
}
