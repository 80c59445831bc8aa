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

use crate::leader::{Board, Duty};
use crate::run_loop::{Activity, Command};
use crate::witness::Meant;

/// A store that is slower than this is asked again later.
const DEADLINE: Duration = Duration::from_secs(5);
/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How much longer nothing may happen before the next one.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where intents are found.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// In the store, if it has room for them.
    pub(crate) records: Option<Arc<dyn Records>>,
    /// In this process.
    pub(crate) meant: Arc<Meant>,
    /// Where it is told that they cannot be read.
    pub(crate) board: Board,
}

/// Runs until shutdown.
pub(crate) async fn run(
    sources: Sources,
    activity: watch::Receiver<Activity>,
    commands: mpsc::Sender<Command>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = follow(sources, activity, commands) => {}
    }
    Ok(())
}

async fn follow(sources: Sources, mut activity: watch::Receiver<Activity>, commands: mpsc::Sender<Command>) {
    while activity.wait_for(|activity| activity.held > 0).await.is_ok() {
        let mut intents = sources.meant.recent();
        match read_if_any(&sources).await {
            Ok(found) => {
                sources.board.done(Duty::Intents);
                intents.extend(found);
            }
            Err(error) => sources.board.failed(Duty::Intents, &error),
        }
        if !intents.is_empty() && commands.send(Command::Intents(intents)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sources.meant.news() => {}
            () = pause(&mut activity) => {}
        }
        if activity.borrow().held == 0 {
            sources.board.done(Duty::Intents);
        }
    }
}

/// Until it is time to ask the store again.
async fn pause(activity: &mut watch::Receiver<Activity>) {
    sleep(PAUSE).await;
    let _ = timeout(PATIENCE, activity.changed()).await;
}

async fn read_if_any(sources: &Sources) -> Result<Vec<(Revision, Intent)>, StoreError> {
    match &sources.records {
        Some(records) => read(&**records).await,
        None => Ok(Vec::new()),
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
