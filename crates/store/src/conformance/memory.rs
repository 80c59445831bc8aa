//! The reference harness: the memory store behind switches that take it away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use bytes::Bytes;

use super::Harness;
use crate::batch::{Batch, Precondition};
use crate::error::StoreError;
use crate::faulty::{Faults, FaultyStore};
use crate::layout::{self, MANIFEST, SENTINEL};
use crate::manifest::Manifest;
use crate::memory::MemoryStore;
use crate::records::Fence;
use crate::store::{Store, StoreExt as _};

/// So short that rules about it are quick, and longer than any step of theirs.
const PATIENCE: Duration = Duration::from_millis(300);

/// A memory store and somebody else who writes to it.
#[derive(Debug)]
pub struct MemoryHarness {
    content: MemoryStore,
    store: Arc<dyn Store>,
    faults: Arc<Faults>,
}

impl MemoryHarness {
    /// An empty memory store.
    pub fn new() -> Self {
        let content = MemoryStore::new("conformance").with_patience(PATIENCE);
        let store = FaultyStore::new(Arc::new(content.clone()));
        Self { content, faults: store.faults(), store: Arc::new(store) }
    }
}

impl Default for MemoryHarness {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn replica(&self) -> Arc<dyn Store> {
        Arc::new(self.content.clone())
    }

    async fn write(&self, objects: Vec<(ObjectKey, Bytes)>) {
        let put = |batch: Batch, (key, value)| batch.put(key, value, Precondition::Any);
        let batch = objects.into_iter().fold(Batch::new(), put);
        self.content.commit(batch).await.expect("memory takes any write");
    }

    async fn remove(&self, key: ObjectKey) {
        self.content.delete(key, Precondition::Any).await.expect("it was written");
    }

    async fn write_broken(&self) {
        self.content.put_raw("VirtualServise/default/typo", "kind: VirtualServise");
    }

    async fn remove_broken(&self) {
        self.content.delete_raw("VirtualServise/default/typo");
    }

    async fn take_away(&self) {
        self.faults.take_down(&StoreError::unavailable("the store was taken away"));
    }

    async fn give_back(&self) {
        self.faults.heal();
    }

    async fn lose_history(&self) {
        self.content.put_raw("Upstream/default/history", "kind: Upstream");
        self.content.delete_raw("Upstream/default/history");
        self.content.compact();
    }
    async fn try_write(&self, key: ObjectKey, value: Bytes) -> bool {
        self.content.put_raw(&layout::format_key(&key), value);
        true
    }

    async fn unmark(&self) {
        self.content.delete_raw(SENTINEL);
    }

    async fn wipe(&self) {
        self.content.wipe();
    }

    async fn leave_batch_open(&self, manifest: Manifest) {
        self.content.put_raw(MANIFEST, manifest.encode());
    }

    async fn expire_seat(&self, _fence: &Fence) {
        assert!(self.content.expire_seat(), "somebody holds the seat");
    }
}
