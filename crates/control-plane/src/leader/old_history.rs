//! Removes the versions of objects that were deleted long ago: nobody goes back to them any more, and what
//! was secret in them should not outlive its object for ever.
//!
//! Invariant: nothing goes of an object that the store may hold, nor before its deletion has been on record
//! for [`KEPT`]. Where nobody saw the deletion it is put on record first.

use std::collections::BTreeMap;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use biplane_store::history::{Entry, object, path, revision};
use biplane_store::records::HISTORY;
use biplane_store::{Fence, Precondition, RecordWrite, Revision, StoreError};
use tokio::time::sleep;

use super::board::Duty;
use super::record_writer::{within, write};
use super::{Leader, now};

/// How long the versions of a deleted object are kept.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How often the old ones are looked for.
const PERIOD: Duration = Duration::from_hours(6);

/// Runs until somebody else leads.
pub(super) async fn run(leader: &Leader, fence: &Fence) -> StoreError {
    let mut activity = leader.activity.clone();
    drop(activity.wait_for(|activity| activity.readings > 0).await);
    loop {
        match remove(leader, fence).await {
            Ok(()) => leader.board.done(Duty::OldHistory),
            Err(error @ StoreError::Deposed { .. }) => return error,
            Err(error) => leader.board.failed(Duty::OldHistory, &error),
        }
        sleep(PERIOD).await;
    }
}

async fn remove(leader: &Leader, fence: &Fence) -> Result<(), StoreError> {
    let paths = within(leader.records.paths_below(&format!("{HISTORY}/"))).await?;
    let mut folders: BTreeMap<ObjectKey, Vec<String>> = BTreeMap::new();
    for path in paths {
        let Some(key) = object(&path) else { continue };
        folders.entry(key).or_default().push(path);
    }
    for (key, paths) in folders {
        if let Some(revision) = leader.feed.lacks(&key) {
            let folder = Folder { leader, fence, key, paths };
            folder.tidy(revision).await?;
        }
    }
    Ok(())
}

/// The versions of an object that the store does not hold.
struct Folder<'a> {
    leader: &'a Leader,
    fence: &'a Fence,
    key: ObjectKey,
    /// The oldest first.
    paths: Vec<String>,
}

impl Folder<'_> {
    async fn tidy(self, head: Revision) -> Result<(), StoreError> {
        let Some(last) = self.paths.last() else { return Ok(()) };
        let record = within(self.leader.records.read(last)).await?;
        let last = revision(last).unwrap_or_default();
        match record.and_then(|record| Entry::decode(&record.value)) {
            Some(Entry { value: None, at, .. }) if is_old(at) => self.remove().await,
            Some(Entry { value: Some(_), .. }) => self.note(last, head).await,
            _ => Ok(()),
        }
    }

    async fn remove(self) -> Result<(), StoreError> {
        let deletes = self.paths.into_iter().map(RecordWrite::delete).collect();
        write(&*self.leader.records, self.fence, deletes).await
    }

    /// Puts on record that the object is gone, unless somebody who knows more does so meanwhile.
    async fn note(self, last: Revision, head: Revision) -> Result<(), StoreError> {
        let path = path(&self.key, head.max(last.next()));
        let entry = Entry { at: now(), ..Entry::default() };
        let note = RecordWrite::put(path, entry.encode()).when(Precondition::Absent);
        match write(&*self.leader.records, self.fence, vec![note]).await {
            Err(StoreError::RecordConflict { .. }) => Ok(()),
            result => result,
        }
    }
}

fn is_old(at: Timestamp) -> bool {
    at.0 < now().0 - i64::try_from(KEPT.as_secs()).expect("a month")
}
