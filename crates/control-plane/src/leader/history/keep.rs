//! Writing versions down, and taking those away that are too many.
//!
//! Invariant: a version that the store does not take costs only itself: a note stands in its place, and the object's
//! status says so.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::key::ObjectKey;
use biplane_store::history::{Entry, KEPT, path};
use biplane_store::{Author, Fence, RecordWrite, Revision, StoreError};
use bytes::Bytes;

use crate::leader::feed::Version;
use crate::leader::record_writer::write;
use crate::leader::{Leader, now};

/// What is to be done, each path once: a store refuses to write one twice in a step.
#[derive(Debug, Default)]
pub(super) struct Keeping(BTreeMap<String, Action>);

#[derive(Debug)]
enum Action {
    Keep { key: ObjectKey, revision: Revision, entry: Entry },
    Remove,
}

impl Keeping {
    /// One more version, beside those that the store keeps of the same object.
    pub(super) fn add(&mut self, version: &Version, author: Author, known: &mut BTreeSet<Revision>) {
        let Version { key, revision, .. } = version;
        if !known.insert(*revision) {
            return;
        }
        let action = Action::Keep { key: key.clone(), revision: *revision, entry: entry(version, author) };
        self.0.insert(path(key, *revision), action);
        while known.len() > KEPT
            && let Some(oldest) = known.pop_first()
        {
            self.0.insert(path(key, oldest), Action::Remove);
        }
    }

    /// Does all of it; after an error some may be done.
    pub(super) async fn write(self, leader: &Leader, fence: &Fence) -> Result<(), StoreError> {
        let writes = self.0.iter().map(|(path, action)| action.write(path)).collect();
        match write(&*leader.records, fence, writes).await {
            Err(StoreError::Invalid { .. }) => {
                for (path, action) in &self.0 {
                    action.alone(path, leader, fence).await?;
                }
            }
            result => {
                result?;
                self.0.values().for_each(|action| action.is_done(leader));
            }
        }
        Ok(())
    }
}

impl Action {
    fn write(&self, path: &str) -> RecordWrite {
        match self {
            Self::Keep { entry, .. } => RecordWrite::put(path, entry.encode()),
            Self::Remove => RecordWrite::delete(path),
        }
    }

    /// By itself, because the store does not take one of many.
    async fn alone(&self, path: &str, leader: &Leader, fence: &Fence) -> Result<(), StoreError> {
        let result = write(&*leader.records, fence, vec![self.write(path)]).await;
        match (self, result) {
            (Self::Keep { key, revision, entry }, Err(error @ StoreError::Invalid { .. })) => {
                let note = entry.clone().unkept("the store does not take it");
                let note = RecordWrite::put(path, note.encode());
                write(&*leader.records, fence, vec![note]).await?;
                leader.board.unkept(key, *revision, &error);
                Ok(())
            }
            (_, result) => {
                result?;
                self.is_done(leader);
                Ok(())
            }
        }
    }

    fn is_done(&self, leader: &Leader) {
        if let Self::Keep { key, revision, .. } = self {
            leader.board.kept(key, *revision);
        }
    }
}

fn entry(version: &Version, author: Author) -> Entry {
    let entry = Entry { at: now(), author: author.name, message: author.message, value: None };
    match version.value.as_ref().map(text) {
        Some(None) => entry.unkept("it is not text"),
        value => Entry { value: value.flatten(), ..entry },
    }
}

fn text(value: &Bytes) -> Option<String> {
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    fn version(revision: usize, value: &'static [u8]) -> Version {
        let revision = Revision(u64::try_from(revision).unwrap());
        let key = ObjectKey::new(Kind::Upstream, "a", "b");
        Version { key, revision, value: Some(Bytes::from_static(value)) }
    }

    fn actions(versions: impl IntoIterator<Item = usize>, known: &mut BTreeSet<Revision>) -> Vec<bool> {
        let mut keeping = Keeping::default();
        for revision in versions {
            keeping.add(&version(revision, b"{}"), Author::default(), known);
        }
        keeping.0.values().map(|action| matches!(action, Action::Keep { .. })).collect()
    }

    #[test]
    fn more_versions_than_are_kept_are_each_written_or_removed_once() {
        let kept = actions(1..=KEPT + 2, &mut BTreeSet::new());
        assert_eq!(kept.iter().filter(|kept| **kept).count(), KEPT);
        assert_eq!(kept[..3], [false, false, true]);
    }

    #[test]
    fn version_that_the_store_keeps_is_not_written_again_and_one_that_comes_late_is() {
        let mut known = BTreeSet::from([Revision(3), Revision(5)]);
        assert_eq!(actions([3, 4, 5], &mut known), [true]);
        assert_eq!(known.len(), 3);
    }

    #[test]
    fn what_is_no_text_is_noted_and_not_bent() {
        let entry = entry(&version(1, b"\xff\xfe"), Author::default());
        assert_eq!(entry.value.as_deref(), Some("# this version is not kept: it is not text\n"));
    }
}
