//! The reference store: everything in memory, with a history, revisions, optimistic locking, a sentinel,
//! records and a leader's seat.
//!
//! It keeps raw keys, as etcd and Consul do, so that keys that name no object can exist in it. All
//! state changes under one lock, together with the log that watches read: what a listing shows and
//! what a watch from its revision tells always fit together.

mod hold;
mod records;
mod state;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use bytes::Bytes;

use crate::batch::{Batch, Write};
use crate::error::StoreError;
use crate::intent::{self, Intent};
use crate::layout::{self, MANIFEST, SENTINEL};
use crate::manifest::PATIENCE;
use crate::object::{Identity, Listing, Revision, StoredObject};
use crate::records::Records;
use crate::sentinel::Sentinel;
use crate::store::{Description, RevisionScope, Store, WatchStream};
use hold::Before;
use records::MemoryRecords;
use state::{State, Writes};

/// What a server would do in one step. A batch beyond it needs the manifest, and takes over one that was left open.
const STEP: usize = 128;

/// A store in memory. Clones share the content, as replicas share a server.
#[derive(Clone)]
pub struct MemoryStore {
    name: Arc<str>,
    patience: Duration,
    state: Arc<Mutex<State>>,
}

/// All that a memory store held at one moment, records and revisions included.
#[derive(Clone)]
pub struct Backup(State);

impl MemoryStore {
    /// An empty store called `memory://NAME`. It is marked from the start, and two of one name share their identity.
    pub fn new(name: &str) -> Self {
        let store = Self::unmarked(name);
        let sentinel = Sentinel { id: store.name.to_string(), ..Sentinel::new() };
        store.lock().write_one(SENTINEL.to_owned(), Some(sentinel.encode()), Revision::default());
        store
    }

    /// An empty place called `memory://NAME`, which is no store before [`Store::init`].
    pub fn unmarked(name: &str) -> Self {
        let name: Arc<str> = format!("memory://{name}").into();
        Self { state: Arc::new(Mutex::new(State::new(name.clone()))), name, patience: PATIENCE }
    }

    /// The same store for a reader who waits this long for a batch that is not finished.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Writes under a raw key below `config/`, which need not name an object, as somebody else's tool would.
    pub fn put_raw(&self, key: &str, value: impl Into<Bytes>) -> Revision {
        self.apply(&mut self.lock(), Writes::from([(key.to_owned(), Some(value.into()))]))
    }

    /// Removes a raw key, if it is there.
    pub fn delete_raw(&self, key: &str) -> Revision {
        self.apply(&mut self.lock(), Writes::from([(key.to_owned(), None)]))
    }

    /// Removes everything below `config/` in one step, the sentinel included.
    pub fn wipe(&self) -> Revision {
        let mut state = self.lock();
        let writes = state.keys().map(|key| (key, None)).collect();
        self.apply(&mut state, writes)
    }

    /// Forgets the history, as a compaction does: watches from before now have to resync.
    pub fn compact(&self) {
        self.lock().log().forget();
    }

    /// A copy of everything, to [`restore`](Self::restore) later.
    pub fn backup(&self) -> Backup {
        Backup(self.lock().clone())
    }

    /// Goes back to what was: revisions go backwards, and open watches are told to list again.
    pub fn restore(&self, backup: Backup) {
        self.lock().replace(backup.0);
    }

    /// Takes the leader's seat from whoever holds it, as a lease that ran out does. Whether anybody did.
    pub fn expire_seat(&self) -> bool {
        self.lock().vacate(None)
    }

    /// Makes the writes visible at the next revision and logs them, or holds them while a batch is open.
    fn apply(&self, state: &mut State, writes: Writes) -> Revision {
        let before = Before::of(state, &writes);
        let revision = state.next_revision();
        let changes = state.write(writes, revision);
        self.show(state, before, changes);
        revision
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no step of a memory store panics under its lock")
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").finish_non_exhaustive()
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
        let state = self.lock();
        state.identity()?;
        Ok(state.shown())
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        let state = self.lock();
        state.identity()?;
        Ok(state.get(key))
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        watch::open(self, from)
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        let state = self.lock();
        state.identity()?;
        Ok(state.revision())
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        batch.check()?;
        refuse_large_values(&batch)?;
        let mut state = self.lock();
        state.identity()?;
        batch.operations.iter().try_for_each(|operation| state.check(operation))?;
        if batch.operations.is_empty() {
            return Ok(state.revision());
        }
        let intents = Intent::parts(&batch);
        let takes_over = (batch.operations.len() > STEP).then(|| state.abandoned_batch()).flatten();
        let mut writes = writes(batch);
        writes.extend(takes_over.map(|left| (MANIFEST.to_owned(), Some(left.closed().encode()))));
        let revision = self.apply(&mut state, writes);
        for intent in intents {
            state.put_record(intent::path(intent.at), intent.encode(), revision);
        }
        Ok(revision)
    }

    async fn init(&self) -> Result<Identity, StoreError> {
        let mut state = self.lock();
        if !state.is_marked() {
            let mark = Sentinel::new().encode();
            self.apply(&mut state, Writes::from([(SENTINEL.to_owned(), Some(mark))]));
        }
        state.identity()
    }

    fn records(&self) -> Option<Arc<dyn Records>> {
        Some(Arc::new(MemoryRecords::of(self.clone())))
    }
}

/// A server would say the same of a value that it does not take.
fn refuse_large_values(batch: &Batch) -> Result<(), StoreError> {
    let size = |write: &Write| match write {
        Write::Put(value) => value.len(),
        Write::Delete => 0,
    };
    match batch.operations.iter().find(|operation| size(&operation.write) > MAX_OBJECT) {
        Some(large) => Err(layout::too_large_to_write(&large.key, size(&large.write))),
        None => Ok(()),
    }
}

/// The batch by raw key, each of them once.
fn writes(batch: Batch) -> BTreeMap<String, Option<Bytes>> {
    let write = |write| match write {
        Write::Put(value) => Some(value),
        Write::Delete => None,
    };
    let operations = batch.operations.into_iter();
    operations.map(|operation| (layout::format_key(&operation.key), write(operation.write))).collect()
}
