//! A watch of a memory store: the log, for as long as the store is the one that was listed.

use std::sync::Arc;

use futures::StreamExt as _;

use super::MemoryStore;
use crate::error::StoreError;
use crate::log::ChangeLog;
use crate::object::{Identity, Revision, WatchEvent};
use crate::store::WatchStream;

struct Watch {
    store: MemoryStore,
    identity: Identity,
    log: Arc<ChangeLog>,
    changes: WatchStream,
}

/// What happens after `from`.
pub(super) fn open(store: &MemoryStore, from: Revision) -> Result<WatchStream, StoreError> {
    let state = store.lock();
    let log = state.log().clone();
    let watch =
        Watch { store: store.clone(), identity: state.identity()?, changes: log.clone().stream(from), log };
    let next = |watch: Option<Watch>| async move { watch?.next().await };
    Ok(futures::stream::unfold(Some(watch), next).boxed())
}

impl Watch {
    async fn next(mut self) -> Option<(Result<WatchEvent, StoreError>, Option<Self>)> {
        let event = self.changes.next().await?;
        match self.still_stands() {
            Ok(true) => Some((event, Some(self))),
            Ok(false) => Some((Ok(WatchEvent::Resync), None)),
            Err(error) => Some((Err(error), None)),
        }
    }

    /// Whether what the log says is about the store that was listed: looked at after the log was read, so that
    /// the deletions of a step that takes the mark away are never told.
    fn still_stands(&self) -> Result<bool, StoreError> {
        let state = self.store.lock();
        Ok(Arc::ptr_eq(state.log(), &self.log) && state.identity()? == self.identity)
    }
}
