//! Writes editions off the path: after a change, at most every few seconds, and once more at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::SnapshotDirectory;
use crate::shared::SharedEngine;

/// The least time between two editions (design.md section 6, I2).
const PERIOD: Duration = Duration::from_secs(5);

/// Follows `editions` until shutdown. A disk that fails is reported and tried again with the next
/// change: serving never depends on it.
pub async fn write_editions(
    directory: Arc<SnapshotDirectory>,
    engine: SharedEngine,
    mut editions: watch::Receiver<u64>,
    shutdown: CancellationToken,
) {
    let mut written = 0;
    while !shutdown.is_cancelled() {
        tokio::select! {
            changed = editions.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
        write(&directory, &engine, &mut written).await;
        tokio::select! {
            () = sleep(PERIOD) => {},
            () = shutdown.cancelled() => {},
        }
    }
    write(&directory, &engine, &mut written).await;
}

async fn write(directory: &Arc<SnapshotDirectory>, engine: &SharedEngine, written: &mut u64) {
    let (edition, objects) = engine.lock().good();
    if edition == *written {
        return;
    }
    let directory = directory.clone();
    let result = spawn_blocking(move || directory.write(objects.values())).await;
    match result {
        Ok(Ok(())) => *written = edition,
        Ok(Err(error)) => error!(%error, "the last good configuration could not be kept on disk"),
        Err(error) => error!(%error, "the writer of the snapshot stopped"),
    }
}
