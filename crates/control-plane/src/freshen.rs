//! Catching up with a store that several replicas share. An Envoy that moves here from a replica which is
//! ahead brings versions that are not ours; versions have no order, so before it is answered the store's
//! revision is read once, strongly, and waited for: otherwise the Envoy would be moved backwards.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::{Revision, Store};
use biplane_xds::Freshen;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

/// A store that is slow to say where it is costs an Envoy this much; then it gets what there is.
const DEADLINE: Duration = Duration::from_secs(5);

/// Ends when what was `applied` is at least what the store holds at the time of the call.
pub(crate) fn freshen(store: Arc<dyn Store>, applied: watch::Receiver<Revision>) -> Freshen {
    Box::new(move || {
        let (store, applied) = (store.clone(), applied.clone());
        Box::pin(async move {
            if timeout(DEADLINE, catch_up(&*store, applied)).await.is_err() {
                warn!(
                    "a node brought versions that are not known here, and the store did not catch up in time"
                );
            }
        })
    })
}

async fn catch_up(store: &dyn Store, mut applied: watch::Receiver<Revision>) {
    match store.head().await {
        Ok(head) => drop(applied.wait_for(|revision| *revision >= head).await),
        Err(error) => {
            warn!(%error, "a node brought versions that are not known here, and the store cannot be asked");
        }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};
    use biplane_store::{MemoryStore, Precondition, StoreExt as _};
    use bytes::Bytes;
    use futures::poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_until_what_the_store_holds_is_applied() {
        let store = Arc::new(MemoryStore::new("memory"));
        let key = ObjectKey::new(Kind::Upstream, "default", "u");
        let head = store.put(key, Bytes::from_static(b"{}"), Precondition::Any).await.unwrap();
        let (sender, applied) = watch::channel(Revision::default());
        let mut waiting = freshen(store, applied)();
        assert!(poll!(&mut waiting).is_pending());
        sender.send(head).unwrap();
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn store_that_never_catches_up_costs_a_bounded_time() {
        let store = Arc::new(MemoryStore::new("memory"));
        let key = ObjectKey::new(Kind::Upstream, "default", "u");
        store.put(key, Bytes::from_static(b"{}"), Precondition::Any).await.unwrap();
        let (_sender, applied) = watch::channel(Revision::default());
        let before = tokio::time::Instant::now();
        freshen(store, applied)().await;
        assert_eq!(before.elapsed(), DEADLINE);
    }
}
