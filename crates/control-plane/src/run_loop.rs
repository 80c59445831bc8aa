//! The task that feeds the engine: store events and deadlines in, nothing out but what the engine
//! publishes. It waits for events only; an idle control plane does not wake up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use biplane_store::{Revision, SourceEvent};
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::shared::SharedEngine;

/// A transaction that takes longer than this has hung.
const STUCK: Duration = Duration::from_mins(1);

/// Whether the loop makes progress, for `/live`.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    origin: Instant,
    /// Milliseconds since `origin` at which the present transaction began, plus one; 0: idle.
    busy: Arc<AtomicU64>,
}

impl Pulse {
    /// A pulse of a loop that is idle.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), busy: Arc::default() }
    }

    fn begin(&self) {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.busy.store(elapsed.saturating_add(1), Ordering::Relaxed);
    }

    fn end(&self) {
        self.busy.store(0, Ordering::Relaxed);
    }

    /// How long the present transaction has taken, where that is too long.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let began = self.busy.load(Ordering::Relaxed).checked_sub(1)?;
        let busy = self.origin.elapsed().saturating_sub(Duration::from_millis(began));
        (busy > STUCK).then_some(busy)
    }
}

/// What others wait for: editions for the snapshot on disk, revisions for nodes that come from elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The number of the last change of good objects.
    pub(crate) editions: watch::Sender<u64>,
    /// The revision of the store that is published.
    pub(crate) revisions: watch::Sender<Revision>,
}

impl Progress {
    fn tell(&self, engine: &SharedEngine) {
        let (edition, revision) = {
            let engine = engine.lock();
            (engine.edition(), engine.revision())
        };
        self.editions.send_if_modified(|last| std::mem::replace(last, edition) != edition);
        self.revisions.send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }
}

/// Runs until shutdown. A transaction may take long (all objects at the start): it gives its worker of the
/// runtime, which must have several, to the others for that time.
pub(crate) async fn run(
    engine: SharedEngine,
    mut events: mpsc::Receiver<SourceEvent>,
    progress: Progress,
    pulse: Pulse,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let deadline = engine.lock().deadline();
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // Shutdown first: on it the driver goes too, and its going is not to be taken for a fault.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            event = events.recv() => {
                let Some(event) = event else { anyhow::bail!("the store's driver has gone") };
                pulse.begin();
                block_in_place(|| engine.lock().on_event(event, Instant::now()));
            }
            () = due => {
                pulse.begin();
                block_in_place(|| engine.lock().on_deadline(Instant::now()));
            }
        }
        pulse.end();
        progress.tell(&engine);
    }
}
