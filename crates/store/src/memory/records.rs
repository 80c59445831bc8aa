//! The records of a memory store, and its leader's seat.

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::MemoryStore;
use super::state::State;
use crate::batch::Write;
use crate::error::StoreError;
use crate::object::Revision;
use crate::records::{Fence, LEADER, Record, RecordWrite, Records, Seat};
use crate::sentinel::random_id;

/// The records of one store.
#[derive(Clone, Debug)]
pub(super) struct MemoryRecords {
    store: MemoryStore,
}

/// The seat, for as long as nobody takes it away.
#[derive(Debug)]
struct MemorySeat {
    store: MemoryStore,
    fence: Fence,
    held: watch::Receiver<Option<Fence>>,
}

impl MemoryRecords {
    pub(super) const fn of(store: MemoryStore) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.store.lock().records.get(path).cloned())
    }

    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let state = self.store.lock();
        let below = state.records_below(prefix, Bound::Unbounded);
        Ok(below.map(|(path, record)| (path.clone(), record.clone())).collect())
    }

    async fn read_below_after(&self, prefix: &str, after: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let state = self.store.lock();
        let below = state.records_below(prefix, Bound::Excluded(after));
        Ok(below.map(|(path, record)| (path.clone(), record.clone())).collect())
    }

    async fn paths_below(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let state = self.store.lock();
        Ok(state.records_below(prefix, Bound::Unbounded).map(|(path, _)| path.clone()).collect())
    }

    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError> {
        let mut state = self.store.lock();
        state.check_fence(fence)?;
        writes.iter().try_for_each(|write| state.check_record(write))?;
        let revision = state.next_revision();
        for RecordWrite { path, write, .. } in writes {
            match write {
                Write::Put(value) => state.put_record(path, value, revision),
                Write::Delete => drop(state.records.remove(&path)),
            }
        }
        Ok(revision)
    }

    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
        let mut held = self.store.lock().seat.subscribe();
        loop {
            if let Some(fence) = self.store.lock().take_seat(owner) {
                return Ok(Box::new(MemorySeat { store: self.store.clone(), fence, held }));
            }
            let free = held.wait_for(Option::is_none).await;
            drop(free.map_err(|_| StoreError::unavailable("the store is gone"))?);
        }
    }
}

impl State {
    pub(super) fn put_record(&mut self, path: String, value: Bytes, revision: Revision) {
        self.records.insert(path, Record { value, revision });
    }

    /// The records of a folder behind a path.
    fn records_below<'a>(
        &'a self,
        prefix: &'a str,
        after: Bound<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a Record)> {
        let from = match after {
            Bound::Excluded(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let behind = self.records.range::<str, _>((from, Bound::Unbounded));
        behind.take_while(move |(path, _)| path.starts_with(prefix))
    }

    fn check_record(&self, write: &RecordWrite) -> Result<(), StoreError> {
        let found = self.records.get(&write.path).map(|record| record.revision);
        if write.precondition.holds(found) {
            return Ok(());
        }
        Err(StoreError::RecordConflict { path: write.path.clone(), found })
    }

    fn check_fence(&self, fence: Option<&Fence>) -> Result<(), StoreError> {
        match fence {
            Some(fence) if self.seat.borrow().as_ref() != Some(fence) => Err(deposed()),
            _ => Ok(()),
        }
    }

    /// Seats `owner` if nobody leads.
    fn take_seat(&mut self, owner: &str) -> Option<Fence> {
        if self.seat.borrow().is_some() {
            return None;
        }
        let revision = self.next_revision();
        let fence = Fence { term: revision.0, holder: random_id() };
        self.put_record(LEADER.to_owned(), Bytes::copy_from_slice(owner.as_bytes()), revision);
        self.seat.send_replace(Some(fence.clone()));
        Some(fence)
    }

    /// Empties the seat if this one, or whoever, holds it; whether anybody did.
    pub(super) fn vacate(&mut self, holder: Option<&Fence>) -> bool {
        let held = self.seat.borrow().clone();
        if held.is_none() || holder.is_some() && holder != held.as_ref() {
            return false;
        }
        self.records.remove(LEADER);
        self.seat.send_replace(None);
        true
    }
}

#[async_trait]
impl Seat for MemorySeat {
    fn fence(&self) -> Fence {
        self.fence.clone()
    }

    async fn lost(&mut self) -> StoreError {
        let ours = &self.fence;
        let _ = self.held.wait_for(|held| held.as_ref() != Some(ours)).await;
        deposed()
    }

    async fn resign(self: Box<Self>) {}
}

impl Drop for MemorySeat {
    fn drop(&mut self) {
        self.store.lock().vacate(Some(&self.fence));
    }
}

fn deposed() -> StoreError {
    StoreError::Deposed { message: "the leader's seat has changed hands".to_owned() }
}
