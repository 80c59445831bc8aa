//! Removes intents that nobody will ask for any more.

use std::time::Duration;

use biplane_core::scalars::Timestamp;
use biplane_store::{Fence, RecordWrite, StoreError, intent};
use tokio::time::sleep;

use super::board::Duty;
use super::record_writer::{within, write};
use super::{Leader, now};

/// How long an intent is kept, unless there are too many: a replica that was away for so long judges by what it
/// sees.
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
    let sizes = found.iter().map(|(path, record)| (&**path, record.value.len()));
    let old: Vec<_> = old(sizes.collect()).into_iter().map(RecordWrite::delete).collect();
    write(&*leader.records, fence, old).await
}

/// Which of these intents go, given by path and size: those that are too old, and those that are too many.
fn old(intents: Vec<(&str, usize)>) -> Vec<&str> {
    let oldest = now().0 - i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX);
    let (mut count, mut bytes) = (0, 0);
    let is_old = |&(path, size): &(&str, usize)| {
        (count, bytes) = (count + 1, bytes + path.len() + size);
        let is_too_much = count > intent::MOST || bytes > intent::MOST_BYTES;
        is_too_much || written_at(path).is_some_and(|at| at.0 < oldest)
    };
    intents.into_iter().rev().filter(is_old).map(|(path, _)| path).collect()
}

/// The time in front of an intent's name.
fn written_at(path: &str) -> Option<Timestamp> {
    let name = path.strip_prefix(&intent::folder())?;
    name.split('-').next()?.parse().ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(count: usize) -> Vec<String> {
        let at = |n: usize| Timestamp(now().0 - i64::try_from(count - n).unwrap());
        (0..count).map(|n| intent::path(at(n))).collect()
    }

    #[test]
    fn too_many_intents_and_too_large_ones_go_however_young_the_oldest_first() {
        let many = paths(intent::MOST + 2);
        let sizes: Vec<_> = many.iter().map(|path| (&**path, 100)).collect();
        assert_eq!(old(sizes), [&many[1], &many[0]]);
        let large = paths(3);
        let sizes: Vec<_> = large.iter().map(|path| (&**path, intent::MOST_BYTES / 3)).collect();
        assert_eq!(old(sizes), [&large[0]]);
    }
}
