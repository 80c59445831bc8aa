//! Removes intents that nobody will ask for any more.

use std::time::Duration;

use biplane_core::scalars::Timestamp;
use biplane_store::{Fence, RecordWrite, StoreError, intent};
use tokio::time::sleep;

use super::board::Duty;
use super::record_writer::{within, write};
use super::{Leader, now};

/// How long an intent is kept: a replica that was away for so long judges by what it sees.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// How often the old ones are looked for.
const PERIOD: Duration = Duration::from_hours(1);

/// Runs until somebody else leads.
pub(super) async fn run(leader: &Leader, fence: &Fence) -> StoreError {
    loop {
        match remove(leader, fence).await {
            Ok(()) => leader.board.done(Duty::OldIntents),
            Err(error @ StoreError::Deposed { .. }) => return error,
            Err(error) => leader.board.failed(Duty::OldIntents, &error),
        }
        sleep(PERIOD).await;
    }
}

async fn remove(leader: &Leader, fence: &Fence) -> Result<(), StoreError> {
    let found = within(leader.records.read_below(&intent::folder())).await?;
    let oldest = now().0 - i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX);
    let is_old = |path: &str| written_at(path).is_some_and(|at| at.0 < oldest);
    let old = found.into_iter().filter(|(path, _)| is_old(path));
    write(&*leader.records, fence, old.map(|(path, _)| RecordWrite::delete(path)).collect()).await
}

/// The time in front of an intent's name.
fn written_at(path: &str) -> Option<Timestamp> {
    let name = path.strip_prefix(&intent::folder())?;
    name.split('-').next()?.parse().ok().map(Timestamp)
}
