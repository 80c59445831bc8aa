//! Reads the store's intents while the guard holds something, off the path: the guard holds first, and what
//! somebody has meant is let go as soon as that is known.
//!
//! It looks at once, again when something happens, and every few seconds besides, because another replica's
//! word comes as an intent and as nothing else.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::{Intent, Records, Revision, StoreError, intent};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::run_loop::{Activity, Command};

/// A store that is slower than this is asked again later.
const DEADLINE: Duration = Duration::from_secs(5);
/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How much longer nothing may happen before the next one.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs until shutdown.
pub(crate) async fn run(
    records: Arc<dyn Records>,
    activity: watch::Receiver<Activity>,
    commands: mpsc::Sender<Command>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = follow(&*records, activity, commands) => {}
    }
    Ok(())
}

async fn follow(
    records: &dyn Records,
    mut activity: watch::Receiver<Activity>,
    commands: mpsc::Sender<Command>,
) {
    let mut told = None;
    while activity.wait_for(|activity| activity.held > 0).await.is_ok() {
        match read(records).await {
            Ok(intents) => {
                told = None;
                if commands.send(Command::Intents(intents)).await.is_err() {
                    return;
                }
            }
            Err(error) if told.as_ref() == Some(&error) => {}
            Err(error) => {
                warn!(%error, hint = error.hint(), "intents cannot be read: what is held waits for the operator");
                told = Some(error);
            }
        }
        sleep(PAUSE).await;
        let _ = timeout(PATIENCE, activity.changed()).await;
    }
}

/// All intents that the store keeps, with the revisions at which they were written.
pub(crate) async fn read(records: &dyn Records) -> Result<Vec<(Revision, Intent)>, StoreError> {
    let found = timeout(DEADLINE, records.read_below(&intent::folder()))
        .await
        .unwrap_or_else(|_| Err(StoreError::unavailable(format!("no answer within {DEADLINE:?}"))))?;
    let decoded = |record: biplane_store::Record| Some((record.revision, Intent::decode(&record.value)?));
    Ok(found.into_iter().filter_map(|(_, record)| decoded(record)).collect())
}
