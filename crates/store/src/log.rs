//! A bounded memory of what changed, for stores that keep their own history: the memory store and
//! the file store. Readers hold a revision and ask what came after it; one that has fallen behind
//! what is still remembered is told to list again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use tokio::sync::watch;

use crate::object::{Change, Changes, Revision, WatchEvent};
use crate::store::WatchStream;

/// No log takes more than about this, however large its objects are. A reader that lags behind so much
/// is served as well by a listing.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a change or a fault takes beside the value: its key, its place, its message.
const BYTES_BESIDE: usize = 256;

/// Changes by revision, the newest ones. Revisions only grow.
#[derive(Debug)]
pub struct ChangeLog {
    entries: Mutex<Entries>,
    head: watch::Sender<Revision>,
    limit: usize,
}

/// What a [`ChangeLog`] knows after a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing yet.
    Nothing,
    /// This came next.
    Next(Changes),
    /// The log does not reach back that far, or has never been there.
    Lost,
}

#[derive(Debug)]
struct Entries {
    /// Everything after this revision is in `kept`.
    complete_since: Revision,
    kept: VecDeque<Changes>,
    weight: Weight,
}

/// What entries cost.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    changes: usize,
    bytes: usize,
}

impl ChangeLog {
    /// An empty log of a store that is at `head`, which remembers about `limit` changes of objects, in about
    /// 32 MiB at most, and the newest entry in any case.
    pub fn new(head: Revision, limit: usize) -> Self {
        let entries = Entries { complete_since: head, kept: VecDeque::new(), weight: Weight::default() };
        Self { entries: Mutex::new(entries), head: watch::Sender::new(head), limit }
    }

    /// The newest revision.
    pub fn head(&self) -> Revision {
        *self.head.borrow()
    }

    /// Wakes its holder when the head moves.
    pub fn subscribe(&self) -> watch::Receiver<Revision> {
        self.head.subscribe()
    }

    /// Appends what happened. Its revision must be later than the head.
    pub fn push(&self, changes: Changes) {
        let revision = changes.revision;
        assert!(revision > self.head(), "a store's revisions only grow");
        self.lock().push(changes, self.limit);
        self.head.send_replace(revision);
    }

    /// Forgets everything up to the head, as a store does when it compacts.
    pub fn forget(&self) {
        let head = self.head();
        let mut entries = self.lock();
        entries.kept.clear();
        entries.weight = Weight::default();
        entries.complete_since = head;
    }

    /// What came after `from`.
    pub fn after(&self, from: Revision) -> After {
        let entries = self.lock();
        if from < entries.complete_since || from > self.head() {
            return After::Lost;
        }
        let next = entries.kept.partition_point(|changes| changes.revision <= from);
        entries.kept.get(next).cloned().map_or(After::Nothing, After::Next)
    }

    /// Everything after `from` as a watch that never fails.
    pub fn stream(self: Arc<Self>, from: Revision) -> WatchStream {
        let head = self.subscribe();
        futures::stream::unfold(Some((self, head, from)), |state| async move {
            let (log, mut head, from) = state?;
            match log.next_after(from, &mut head).await {
                Some(changes) => {
                    let revision = changes.revision;
                    Some((Ok(WatchEvent::Changes(changes)), Some((log, head, revision))))
                }
                None => Some((Ok(WatchEvent::Resync), None)),
            }
        })
        .boxed()
    }

    /// Waits for what comes after `from`; `None` when that is lost.
    async fn next_after(&self, from: Revision, head: &mut watch::Receiver<Revision>) -> Option<Changes> {
        loop {
            head.borrow_and_update();
            match self.after(from) {
                After::Next(changes) => return Some(changes),
                After::Lost => return None,
                After::Nothing => head.changed().await.ok()?,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Entries are changed in steps that cannot panic half-way, so a poisoned lock is still whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn push(&mut self, changes: Changes, limit: usize) {
        self.weight.add(Weight::of(&changes));
        self.kept.push_back(changes);
        while self.weight.exceeds(limit) && self.kept.len() > 1 {
            let oldest = self.kept.pop_front().expect("more than one entry is kept");
            self.weight.subtract(Weight::of(&oldest));
            self.complete_since = oldest.revision;
        }
    }
}

impl Weight {
    /// An entry without changes still takes room.
    fn of(entry: &Changes) -> Self {
        let value = |change: &Change| match change {
            Change::Put(object) => object.value.len(),
            Change::Deleted(_) => 0,
        };
        let values: usize = entry.changes.iter().map(value).sum();
        let parts = entry.changes.len() + entry.faults.as_ref().map_or(0, Vec::len);
        Self { changes: entry.changes.len().max(1), bytes: values + parts.max(1) * BYTES_BESIDE }
    }

    fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Self) {
        self.changes -= other.changes;
        self.bytes -= other.bytes;
    }

    const fn exceeds(self, limit: usize) -> bool {
        self.changes > limit || self.bytes > BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};
    use biplane_core::location::Location;

    use super::*;
    use crate::object::{Fault, FaultKind, StoredObject};

    fn put(revision: u64, bytes: usize) -> Changes {
        let object = StoredObject {
            key: ObjectKey::new(Kind::Upstream, "default", "a"),
            value: vec![b' '; bytes].into(),
            location: Location::file("a.yaml", 1),
            revision: Revision(revision),
            created: None,
        };
        Changes { changes: vec![Change::Put(object)], ..entry(revision) }
    }

    fn entry(revision: u64) -> Changes {
        Changes { revision: Revision(revision), changes: Vec::new(), faults: None }
    }

    fn log(limit: usize, revisions: impl IntoIterator<Item = u64>) -> ChangeLog {
        let log = ChangeLog::new(Revision(0), limit);
        revisions.into_iter().for_each(|revision| log.push(entry(revision)));
        log
    }

    #[test]
    fn after_a_revision_comes_the_next_one_even_across_gaps() {
        let log = log(10, [1, 5, 9]);
        assert_eq!(log.after(Revision(1)), After::Next(entry(5)));
        assert_eq!(log.after(Revision(6)), After::Next(entry(9)));
        assert_eq!(log.after(Revision(9)), After::Nothing);
    }

    #[test]
    fn a_reader_behind_the_limit_is_told_so() {
        let log = log(2, 1..=5);
        assert_eq!(log.after(Revision(2)), After::Lost);
        assert_eq!(log.after(Revision(3)), After::Next(entry(4)));
    }

    #[test]
    fn large_objects_are_forgotten_before_they_fill_the_memory() {
        let log = log(100, []);
        (1..=3).for_each(|revision| log.push(put(revision, BYTES_MAX / 3)));
        assert_eq!(log.after(Revision(0)), After::Lost);
        assert!(matches!(log.after(Revision(1)), After::Next(_)));
        log.push(put(4, BYTES_MAX + 1));
        assert_eq!(log.after(Revision(2)), After::Lost);
        assert!(matches!(log.after(Revision(3)), After::Next(_)), "the newest entry is kept");
    }

    #[test]
    fn faults_take_room_as_changes_do() {
        let log = log(usize::MAX, []);
        let fault = Fault::new(FaultKind::Unidentified, Location::file("a.yaml", 1), "a typo");
        let faults = Some(vec![fault; BYTES_MAX / BYTES_BESIDE]);
        log.push(Changes { faults, ..entry(1) });
        log.push(entry(2));
        assert_eq!(log.after(Revision(0)), After::Lost);
    }

    #[test]
    fn a_revision_from_another_life_is_lost() {
        assert_eq!(log(10, [1]).after(Revision(7)), After::Lost);
    }

    #[test]
    fn forgetting_loses_only_what_is_behind_the_head() {
        let log = log(10, [1, 2]);
        log.forget();
        assert_eq!(log.after(Revision(1)), After::Lost);
        assert_eq!(log.after(Revision(2)), After::Nothing);
    }
}
