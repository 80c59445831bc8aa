//! What readers see while a batch is being written in several steps: what was there before it, until its
//! manifest is closed or the store's patience has ended.

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::MemoryStore;
use super::state::{State, Writes};
use crate::layout::MANIFEST;
use crate::object::{Change, Changes, Fault, Listing};

/// The present before an open batch, and what has happened since.
#[derive(Clone)]
pub(super) struct Hold {
    batch: String,
    /// What readers see.
    pub(super) shown: Listing,
    changes: BTreeMap<ObjectKey, Change>,
}

/// What was there before a write.
pub(super) struct Before {
    faults: Vec<Fault>,
    /// Only where a batch may begin.
    listing: Option<Listing>,
}

impl Before {
    pub(super) fn of(state: &State, writes: &Writes) -> Self {
        let listing = writes.contains_key(MANIFEST).then(|| state.listing());
        Self { faults: state.faults(), listing }
    }
}

impl MemoryStore {
    /// Tells the log what changed since `before`, or keeps it back.
    pub(super) fn show(&self, state: &mut State, before: Before, changes: Vec<Change>) {
        if let Some(shown) = before.listing
            && let Some(batch) = self.begins(state)
        {
            state.hold = Some(Hold { batch, shown, changes: BTreeMap::new() });
        }
        let Some(hold) = &mut state.hold else {
            return tell(state, changes, &before.faults);
        };
        hold.changes.extend(changes.into_iter().map(|change| (change.key().clone(), change)));
        if state.open_batch().is_none() {
            release(state);
        }
    }

    /// The batch that has just begun, if somebody can wait for it.
    fn begins(&self, state: &State) -> Option<String> {
        let batch = state.open_batch()?.id;
        if state.hold.is_some() || state.given_up.as_ref() == Some(&batch) {
            return None;
        }
        let (store, id) = (self.clone(), batch.clone());
        Handle::try_current().ok()?.spawn(async move {
            sleep(store.patience).await;
            store.give_up(&id);
        });
        Some(batch)
    }

    /// Nobody waits for this batch any more.
    fn give_up(&self, batch: &str) {
        let mut state = self.lock();
        if state.hold.as_ref().is_some_and(|hold| hold.batch == batch) {
            state.given_up = state.open_batch().map(|batch| batch.id);
            release(&mut state);
        }
    }
}

/// Shows what was held.
fn release(state: &mut State) {
    if let Some(hold) = state.hold.take() {
        tell(state, hold.changes.into_values().collect(), &hold.shown.faults);
    }
}

fn tell(state: &State, changes: Vec<Change>, faults_before: &[Fault]) {
    let now = state.faults();
    let faults = (now != faults_before).then_some(now);
    let revision = state.revision();
    state.log().push(Changes { revision, changes, faults });
}
