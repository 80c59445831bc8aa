//! The reference store: everything in memory, with a history, revisions and optimistic locking.
//!
//! It keeps raw keys, as etcd and Consul do, so that keys that name no object can exist in it. All
//! state changes under one lock, together with the log that watches read: what a listing shows and
//! what a watch from its revision tells always fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use bytes::Bytes;

use crate::batch::{Batch, Operation, Write};
use crate::error::StoreError;
use crate::layout;
use crate::log::ChangeLog;
use crate::object::{Change, Changes, Fault, Identity, Listing, Revision, StoredObject};
use crate::store::{Description, RevisionScope, Store, WatchStream};

/// How many changes a memory store remembers for its watches.
const HISTORY: usize = 4096;

/// A store in memory. Clones share the content, as replicas share a server.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
    log: Arc<ChangeLog>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    revision: Revision,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Bytes,
    created: Revision,
    revision: Revision,
}

impl MemoryStore {
    /// An empty store called `memory://NAME`.
    pub fn new(name: &str) -> Self {
        Self {
            name: format!("memory://{name}").into(),
            state: Arc::default(),
            log: Arc::new(ChangeLog::new(Revision::default(), HISTORY)),
        }
    }

    /// Writes under a raw key, which need not name an object, as somebody else's tool would.
    pub fn put_raw(&self, key: &str, value: impl Into<Bytes>) -> Revision {
        self.change(BTreeMap::from([(key.to_owned(), Some(value.into()))]))
    }

    /// Removes a raw key, if it is there.
    pub fn delete_raw(&self, key: &str) -> Revision {
        self.change(BTreeMap::from([(key.to_owned(), None)]))
    }

    /// Forgets the history, as a compaction does: watches from before now have to resync.
    pub fn compact(&self) {
        self.log.forget();
    }

    fn change(&self, writes: BTreeMap<String, Option<Bytes>>) -> Revision {
        let mut state = self.lock();
        self.apply(&mut state, writes)
    }

    /// Makes the writes visible at the next revision and logs them.
    fn apply(&self, state: &mut State, writes: BTreeMap<String, Option<Bytes>>) -> Revision {
        let faults_before = self.faults(state);
        let revision = state.revision.next();
        state.revision = revision;
        let keys: BTreeSet<_> = writes.keys().cloned().collect();
        for (key, value) in writes {
            state.write(key, value, revision);
        }
        let mut changes: Vec<_> = keys.iter().filter_map(|key| self.change_of(state, key)).collect();
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        let faults = self.faults(state);
        let faults = (faults != faults_before).then_some(faults);
        self.log.push(Changes { revision, changes, faults });
        revision
    }

    fn change_of(&self, state: &State, raw: &str) -> Option<Change> {
        let key = layout::parse_key(raw).ok()?;
        Some(state.entries.get(raw).map_or_else(
            || Change::Deleted(key.clone()),
            |entry| Change::Put(self.object(key.clone(), raw, entry)),
        ))
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

    fn faults(&self, state: &State) -> Vec<Fault> {
        let fault = |(raw, entry): (&String, &Entry)| {
            let message = layout::parse_key(raw).err()?;
            Some(layout::misplaced_key(self.location(raw, entry), message))
        };
        state.entries.iter().filter_map(fault).collect()
    }

    fn listing(&self, state: &State) -> Listing {
        let object =
            |(raw, entry): (&String, &Entry)| Some(self.object(layout::parse_key(raw).ok()?, raw, entry));
        let mut items: Vec<_> = state.entries.iter().filter_map(object).collect();
        items.sort_by(|a, b| a.key.cmp(&b.key));
        Listing {
            identity: Identity(self.name.clone()),
            revision: state.revision,
            items,
            faults: self.faults(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no step of a memory store panics under its lock")
    }
}

impl State {
    fn write(&mut self, key: String, value: Option<Bytes>, revision: Revision) {
        let Some(value) = value else {
            self.entries.remove(&key);
            return;
        };
        let created = self.entries.get(&key).map_or(revision, |entry| entry.created);
        self.entries.insert(key, Entry { value, created, revision });
    }

    fn check(&self, operation: &Operation) -> Result<(), StoreError> {
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

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> Description {
        Description {
            name: self.name.to_string(),
            writable: true,
            sentinel: true,
            revisions: RevisionScope::Store,
        }
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        Ok(self.listing(&self.lock()))
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        Ok(self.log.clone().stream(from))
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        Ok(self.lock().revision)
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let mut state = self.lock();
        batch.operations.iter().try_for_each(|operation| state.check(operation))?;
        let writes = writes(batch)?;
        if writes.is_empty() {
            return Ok(state.revision);
        }
        Ok(self.apply(&mut state, writes))
    }
}

/// The batch by raw key; an object that appears twice has no defined outcome and is refused.
fn writes(batch: Batch) -> Result<BTreeMap<String, Option<Bytes>>, StoreError> {
    let mut writes = BTreeMap::new();
    for operation in batch.operations {
        let value = match operation.write {
            Write::Put(value) => Some(value),
            Write::Delete => None,
        };
        if writes.insert(layout::format_key(&operation.key), value).is_some() {
            return Err(StoreError::invalid(format!("{} appears twice in one batch", operation.key)));
        }
    }
    Ok(writes)
}
