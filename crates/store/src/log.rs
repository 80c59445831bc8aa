//! A bounded memory of what changed, for stores that keep their own history: the memory store and
//! the file store. Readers hold a revision and ask what came after it; one that has fallen behind
//! what is still remembered is told to list again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use tokio::sync::watch;

use crate::object::{Changes, Revision, WatchEvent};
use crate::store::WatchStream;

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
    changes: usize,
}

impl ChangeLog {
    /// An empty log of a store that is at `head`, which remembers about `limit` changes of objects.
    pub fn new(head: Revision, limit: usize) -> Self {
        let entries = Entries { complete_since: head, kept: VecDeque::new(), changes: 0 };
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
        entries.changes = 0;
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
        self.changes += weight(&changes);
        self.kept.push_back(changes);
        while self.changes > limit && self.kept.len() > 1 {
            let oldest = self.kept.pop_front().expect("more than one entry is kept");
            self.changes -= weight(&oldest);
            self.complete_since = oldest.revision;
        }
    }
}

/// What an entry costs; an entry without changes still takes room.
fn weight(changes: &Changes) -> usize {
    changes.changes.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
