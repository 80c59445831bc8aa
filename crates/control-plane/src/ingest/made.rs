//! Objects that were made from services: as if a store had shown them, but what somebody has written under the same name
//! comes first.
//!
//! Invariant: `in_use` holds exactly those whose good version is the made one.

mod left;

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_store::{Revision, StoredObject};
use bytes::Bytes;

use super::{Edits, Ingest};
use crate::graph::Edit;
use left::Left;
pub(crate) use left::Owners;

/// The store that made objects say they are from.
pub(super) const MADE: &str = "services";

/// An object that was made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MadeObject {
    pub(crate) key: ObjectKey,
    pub(crate) value: serde_json::Value,
}

/// The made objects of one process.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// All of them.
    objects: BTreeMap<ObjectKey, StoredObject>,
    in_use: BTreeSet<ObjectKey>,
    left: Left,
    /// How many are in use.
    counts: BTreeMap<Kind, usize>,
}

/// Whether an object is one that was made, in this run or the last.
pub(crate) fn is_made(object: &StoredObject) -> bool {
    matches!(&object.location, Location::Key { store, .. } if **store == *MADE)
}

impl Made {
    /// Those that the last run left; none is in use yet.
    pub(super) fn left(objects: Vec<StoredObject>) -> Self {
        let left = Left::of(&objects);
        let objects = objects.into_iter().map(|object| (object.key.clone(), object)).collect();
        Self { objects, left, ..Self::default() }
    }

    pub(super) fn is_in_use(&self, key: &ObjectKey) -> bool {
        self.in_use.contains(key)
    }

    /// Somebody has written an object of this name.
    pub(super) fn give_way(&mut self, key: &ObjectKey) {
        if self.in_use.remove(key) {
            self.counts.entry(key.kind).and_modify(|count| *count -= 1);
        }
    }

    fn comes(&mut self, key: ObjectKey) {
        let kind = key.kind;
        if self.in_use.insert(key) {
            *self.counts.entry(kind).or_default() += 1;
        }
    }
}

impl MadeObject {
    fn stored(self) -> StoredObject {
        let key = format!("{}/{}/{}", self.key.kind, self.key.namespace, self.key.name);
        let location = Location::Key { store: MADE.into(), key: key.into(), revision: 0 };
        let value = Bytes::from(self.value.to_string());
        StoredObject { key: self.key, value, location, revision: Revision(0), created: None }
    }
}

impl Ingest {
    /// These were made, anew or otherwise than before, and these are made no more.
    pub(crate) fn make(&mut self, puts: Vec<MadeObject>, deletions: Vec<ObjectKey>) -> Edits {
        let mut edits = Edits::default();
        for object in puts {
            let object = object.stored();
            self.made.left.remove(&object.key);
            self.made.objects.insert(object.key.clone(), object.clone());
            edits.puts.extend(self.use_made(object));
        }
        for key in deletions {
            self.unmake(&key);
            if self.made.in_use.contains(&key) {
                edits.deletions.push(key);
            }
        }
        edits
    }

    fn unmake(&mut self, key: &ObjectKey) {
        self.made.objects.remove(key);
        self.made.left.remove(key);
        if self.has_refused_made(key) {
            self.refused.remove(key);
            self.reports.remove(key);
        }
    }

    /// Whether the latest version is one that was made and does not decode.
    fn has_refused_made(&self, key: &ObjectKey) -> bool {
        self.refused.get(key).is_some_and(is_made)
    }

    /// Those that are not in use though nobody has written an object of their name. Looks at all of them.
    pub(super) fn make_up(&mut self) -> Vec<Edit> {
        let free = |object: &&StoredObject| self.is_free(&object.key);
        let free: Vec<_> = self.made.objects.values().filter(free).cloned().collect();
        free.into_iter().filter_map(|object| self.use_made(object)).collect()
    }

    /// What was made under a name that has just become free.
    pub(super) fn make_up_for(&mut self, key: &ObjectKey) -> Option<Edit> {
        let object = self.made.objects.get(key).filter(|_| self.is_free(key)).cloned()?;
        self.use_made(object)
    }

    fn is_free(&self, key: &ObjectKey) -> bool {
        !self.good.contains_key(key) && !self.refused.contains_key(key)
    }

    /// Whether the object is as the last one of its name was made.
    pub(crate) fn is_unchanged(&self, object: &MadeObject) -> bool {
        let before = self.made.objects.get(&object.key);
        before.is_some_and(|before| before.value == object.value.to_string())
    }

    /// Whether anything is in use that nobody made.
    pub(crate) fn has_written(&self) -> bool {
        self.good.len() > self.made.in_use.len()
    }

    /// How many made objects are in use, by kind.
    pub(crate) const fn count_made(&self) -> &BTreeMap<Kind, usize> {
        &self.made.counts
    }

    /// The made objects that are in use, in order of keys.
    pub(crate) fn made_in_use(&self) -> impl Iterator<Item = &ObjectKey> {
        self.made.in_use.iter()
    }

    fn use_made(&mut self, object: StoredObject) -> Option<Edit> {
        let key = object.key.clone();
        let is_taken = self.good.contains_key(&key) && !self.made.in_use.contains(&key);
        if is_taken || self.refused.contains_key(&key) && !self.has_refused_made(&key) {
            return None;
        }
        if self.good.get(&key).is_some_and(|good| good.value == object.value) {
            if self.refused.remove(&key).is_some() {
                self.review(&key);
            }
            return None;
        }
        let edit = self.accept(object);
        // One that does not decode is a fault of ours; it is reported like any other, and the one before stays.
        if !self.refused.contains_key(&key) {
            self.made.comes(key);
        }
        edit
    }
}
