//! The removals of the last minute, so that a wipe in small steps is seen as what it is.
//!
//! Invariant: it holds objects that are gone; one that comes back has not been removed.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::Revision;
use tokio::time::Instant;

/// How long a removal counts.
pub(super) const WIDTH: Duration = Duration::from_mins(1);

/// The removals that passed, by object.
#[derive(Debug, Default)]
pub(super) struct Window {
    removed: HashMap<ObjectKey, Removed>,
    by_kind: HashMap<Kind, usize>,
    /// In order of time; entries that were replaced or have come back are passed over.
    order: VecDeque<(Instant, ObjectKey)>,
}

#[derive(Debug)]
struct Removed {
    at: Instant,
    changed: Revision,
}

impl Window {
    /// A removal was let pass, of an object that last changed at this revision.
    pub(super) fn add(&mut self, key: ObjectKey, changed: Revision, now: Instant) {
        self.returned(&key);
        *self.by_kind.entry(key.kind).or_default() += 1;
        self.order.push_back((now, key.clone()));
        self.removed.insert(key, Removed { at: now, changed });
    }

    /// The object is there again.
    pub(super) fn returned(&mut self, key: &ObjectKey) {
        if self.removed.remove(key).is_some()
            && let Some(count) = self.by_kind.get_mut(&key.kind)
        {
            *count -= 1;
        }
    }

    /// Forgets what is too old to count.
    pub(super) fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, _)| *at + WIDTH <= now) {
            let Some((at, key)) = self.order.pop_front() else { return };
            if self.removed.get(&key).is_some_and(|removed| removed.at == at) {
                self.returned(&key);
            }
        }
    }

    /// Removals that somebody meant do not count; whether there were any.
    pub(super) fn excuse(&mut self, is_meant: impl Fn(&ObjectKey, Revision) -> bool) -> bool {
        let meant = self.removed.iter().filter(|(key, removed)| is_meant(key, removed.changed));
        let meant: Vec<_> = meant.map(|(key, _)| key.clone()).collect();
        for key in &meant {
            self.returned(key);
        }
        !meant.is_empty()
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.by_kind.get(&kind).copied().unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.removed.len()
    }
}
