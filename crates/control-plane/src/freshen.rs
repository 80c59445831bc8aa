//! Catching up with a store that several replicas share. An Envoy that moves here from a replica which is
//! ahead brings versions that are not ours; versions have no order, so before it is answered the store's
//! revision is read once, strongly, and waited for.
//!
//! Invariant: an Envoy is never moved backwards. While the store cannot be asked, it keeps what it has.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::{DriverHandle, Revision, Store};
use biplane_xds::Freshen;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::backoff::Backoff;

/// How long the store may take to say where it is; then it is asked again.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long its watch may take to get there; then it is listed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks one store on behalf of all nodes.
#[derive(Debug)]
struct Freshness {
    store: Arc<dyn Store>,
    driver: DriverHandle,
    applied: watch::Receiver<Revision>,
    /// When the last successful question was begun, and its answer: nodes that came before share it.
    last: Mutex<Option<(Instant, Revision)>>,
}

/// Ends when what was `applied` is at least what the store holds at the time of the call.
pub(crate) fn freshen(
    store: Arc<dyn Store>,
    driver: DriverHandle,
    applied: watch::Receiver<Revision>,
) -> Freshen {
    let freshness = Arc::new(Freshness { store, driver, applied, last: Mutex::default() });
    Box::new(move || {
        let freshness = freshness.clone();
        Box::pin(async move { freshness.catch_up().await })
    })
}

impl Freshness {
    async fn catch_up(&self) {
        let mut head = self.head_since(Instant::now()).await;
        let mut applied = self.applied.clone();
        // An error of the watch: the loop that applies has gone with the process.
        while timeout(PATIENCE, applied.wait_for(|revision| *revision >= head)).await.is_err() {
            self.driver.relist();
            // A backup may have been restored meanwhile.
            head = head.min(self.head_since(Instant::now()).await);
        }
    }

    /// Where the store is, asked after `asked`.
    async fn head_since(&self, asked: Instant) -> Revision {
        let mut last = self.last.lock().await;
        if let Some((began, head)) = *last
            && began > asked
        {
            return head;
        }
        let (began, head) = self.ask().await;
        *last = Some((began, head));
        head
    }

    async fn ask(&self) -> (Instant, Revision) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut told = false;
        loop {
            let began = Instant::now();
            let error = match timeout(DEADLINE, self.store.head()).await {
                Ok(Ok(head)) => {
                    if told {
                        info!("the store says where it is again: nodes that wait catch up");
                    }
                    return (began, head);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {DEADLINE:?}"),
            };
            if !told {
                warn!(
                    error,
                    "a node is ahead and the store cannot be asked: it keeps what it has until then"
                );
                told = true;
            }
            sleep(backoff.delay()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};
    use biplane_store::faulty::Mode;
    use biplane_store::{
        Driver, DriverOptions, FaultyStore, MemoryStore, Precondition, StoreError, StoreExt as _,
    };
    use bytes::Bytes;
    use futures::poll;
    use tokio::sync::mpsc;

    use super::*;

    async fn written(store: &MemoryStore) -> Revision {
        let key = ObjectKey::new(Kind::Upstream, "default", "u");
        store.put(key, Bytes::from_static(b"{}"), Precondition::Any).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_until_what_the_store_holds_is_applied() {
        let store = MemoryStore::new("memory");
        let head = written(&store).await;
        let (sender, applied) = watch::channel(Revision::default());
        let mut waiting = freshen(Arc::new(store), DriverHandle::default(), applied)();
        assert!(poll!(&mut waiting).is_pending());
        sender.send(head).unwrap();
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_answered_while_the_store_cannot_be_asked_however_long_that_takes() {
        let store = MemoryStore::new("memory");
        let head = written(&store).await;
        let broken = FaultyStore::new(Arc::new(store));
        let switches = broken.faults();
        let (_sender, applied) = watch::channel(head);
        let freshen = freshen(Arc::new(broken), DriverHandle::default(), applied);
        for mode in [Mode::Hang, Mode::Fail(StoreError::unavailable("gone"))] {
            switches.on_list(mode);
            let mut waiting = freshen();
            assert!(timeout(Duration::from_hours(1), &mut waiting).await.is_err());
            switches.heal();
            waiting.await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn watch_that_does_not_get_there_is_not_waited_for_for_ever() {
        let store = MemoryStore::new("memory");
        written(&store).await;
        let broken = FaultyStore::new(Arc::new(store.clone()));
        let switches = broken.faults();
        let (events, mut received) = mpsc::channel(4);
        let store_seen: Arc<dyn Store> = Arc::new(broken);
        let driver = Driver::new(store_seen.clone(), DriverOptions::remote(), events);
        let (sender, applied) = watch::channel(Revision::default());
        let freshen = freshen(store_seen, driver.handle(), applied);
        tokio::spawn(driver.run());
        tokio::spawn(async move {
            while let Some(event) = received.recv().await {
                if let biplane_store::SourceEvent::Complete(listing) = event {
                    sender.send_replace(listing.revision);
                }
            }
        });
        sleep(Duration::from_secs(1)).await;
        switches.swallow(1);
        written(&store).await;
        timeout(Duration::from_secs(10), freshen()).await.expect("it was listed");
    }

    #[tokio::test(start_paused = true)]
    async fn store_that_goes_backwards_meanwhile_is_not_waited_for() {
        let store = MemoryStore::new("memory");
        let (backup, head) = (store.backup(), written(&store).await);
        let (sender, applied) = watch::channel(Revision::default());
        let mut waiting = freshen(Arc::new(store.clone()), DriverHandle::default(), applied)();
        assert!(poll!(&mut waiting).is_pending());
        store.restore(backup);
        let back = store.head().await.unwrap();
        assert!(back < head);
        sender.send(back).unwrap();
        timeout(Duration::from_secs(10), waiting).await.expect("the store will never be there again");
    }
}
