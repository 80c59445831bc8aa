//! What the last run made of services and this one has not made again, judged source by source: what a source does not show
//! any more goes though another one is away, and what is of one that is away stays.
//!
//! Invariant: an object stays while not all is known of the sources of its services, and while one of these is held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use tokio::time::Instant;
use tracing::warn;

use super::Engine;
use super::made::MadeState;
use crate::catalog::GRACE;
use crate::ingest::{Edits, Ingest, MadeObject, Owners};
use crate::vanished::are_many;

/// A source; none: no source that there is. Services whose objects do not say where they are from go with those.
type Group = Option<Arc<str>>;

/// What is decided about objects of the last run.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// How many there were at first.
    had: BTreeMap<Group, usize>,
    /// All was known of these once.
    known: BTreeSet<Group>,
    /// Until then services may come back.
    until: BTreeMap<Group, Instant>,
    /// Many have not: their objects stay until somebody means that they are gone.
    held: BTreeSet<Group>,
    /// What was made anew of objects that may have parts of others, who are not known yet; none: it is gone.
    put_off: BTreeMap<ObjectKey, Option<MadeObject>>,
}

/// Objects that are made, and such as are not any more.
type Making = (Vec<MadeObject>, Vec<ObjectKey>);

impl MadeState {
    /// Looks at what the last run left.
    pub(super) fn count_left(&mut self, ingest: &Ingest) {
        for (_, owners) in ingest.left() {
            for group in self.groups(owners) {
                *self.left.had.entry(group).or_default() += 1;
            }
        }
    }

    /// What the last run left is of another store.
    pub(super) fn forget_left(&mut self) {
        self.left.had.clear();
    }

    /// Whether the last run left anything of a source's services. What does not say whose it is may be any source's.
    pub(super) fn is_left_of(&self, source: &Arc<str>) -> bool {
        [Some(source.clone()), None].iter().any(|group| self.left.had.contains_key(group))
    }

    fn groups(&self, owners: &Owners) -> Vec<Group> {
        let groups: Vec<_> = owners.intersection(&self.sources).cloned().map(Some).collect();
        if groups.is_empty() { vec![None] } else { groups }
    }

    fn is_known(&self, group: &Group) -> bool {
        match group {
            Some(source) => !self.waits_for.contains(source),
            None => self.waits_for.is_empty(),
        }
    }

    /// Whether all is known that an object may be made of.
    fn is_all_known(&self, owners: &Owners) -> bool {
        self.groups(owners).iter().all(|group| self.is_known(group))
    }
}

impl Engine {
    /// Of sources of which all is known now, what is left has some time to come back.
    pub(super) fn begin_grace(&mut self, now: Instant) {
        let groups = self.made.sources.iter().cloned().map(Some).chain([None]);
        let known: Vec<_> = groups.filter(|group| self.made.is_known(group)).collect();
        for group in known {
            if self.made.left.known.insert(group.clone()) {
                self.made.left.until.insert(group, now + GRACE);
            }
        }
    }

    /// Half of the services make half of a host: what the last run made stays as it is until its owners are known, and what is
    /// made of it meanwhile waits. What was made just as it was then has lost nothing.
    pub(super) fn put_off_halves(&mut self, (puts, deletions): Making, is_more_known: bool) -> Making {
        let puts = puts.into_iter().map(|object| (object.key.clone(), Some(object)));
        let mut new: BTreeMap<_, _> = puts.chain(deletions.into_iter().map(|key| (key, None))).collect();
        if is_more_known {
            let before = std::mem::take(&mut self.made.left.put_off);
            for (key, object) in before {
                new.entry(key).or_insert(object);
            }
        }
        let (mut puts, mut deletions) = (Vec::new(), Vec::new());
        for (key, object) in new {
            if self.is_half(&key, object.as_ref()) {
                self.made.left.put_off.insert(key, object);
                continue;
            }
            self.made.left.put_off.remove(&key);
            match object {
                Some(object) => puts.push(object),
                None => deletions.push(key),
            }
        }
        (puts, deletions)
    }

    fn is_half(&self, key: &ObjectKey, object: Option<&MadeObject>) -> bool {
        let owners = self.ingest.left_owners(key).filter(|owners| !self.made.is_all_known(owners));
        owners.is_some() && !object.is_some_and(|object| self.ingest.is_unchanged(object))
    }

    /// What the last run made and this one has not is gone by now, unless it is much of a source's: a catalog that was restarted
    /// empty shows no services either.
    pub(super) fn judge_left(&mut self, now: Instant) {
        let due: Vec<_> = self.made.left.until.extract_if(.., |_, until| *until <= now).collect();
        for (group, _) in due {
            let (left, had) = (self.left_of(&group), self.made.left.had.get(&group).copied());
            if are_many(left.len(), had.unwrap_or_default()) {
                self.hold_left(group, left.len());
            } else {
                self.drop_left(&left, now);
            }
        }
    }

    fn hold_left(&mut self, group: Group, objects: usize) {
        let source = group.as_deref().unwrap_or("unknown");
        let hint = "if they are meant to be gone: biplane source accept, with the name of their source";
        warn!(source, objects, hint, "many services are gone since the last run: their objects stay in use");
        self.made.left.held.insert(group);
    }

    /// What is left of a source, as far as all is known of it.
    fn left_of(&self, group: &Group) -> Vec<ObjectKey> {
        let of_group =
            |owners: &Owners| self.made.groups(owners).contains(group) && self.made.is_all_known(owners);
        self.ingest.left().filter(|(_, owners)| of_group(owners)).map(|(key, _)| key.clone()).collect()
    }

    /// These are gone, but for those that are held for another source's sake.
    fn drop_left(&mut self, left: &[ObjectKey], now: Instant) -> usize {
        let is_held = |key: &ObjectKey| {
            let owners = self.ingest.left_owners(key);
            owners.is_some_and(|owners| {
                self.made.groups(owners).iter().any(|group| self.made.left.held.contains(group))
            })
        };
        let gone: Vec<_> = left.iter().filter(|key| !is_held(key)).cloned().collect();
        let count = gone.len();
        if count > 0 {
            let edits = Edits { deletions: self.ingest.drop_left(gone), ..Edits::default() };
            self.edition += 1;
            self.transact(edits, now);
        }
        count
    }

    /// When [`Self::judge_left`] has something to do.
    pub(super) fn left_deadline(&self) -> Option<Instant> {
        self.made.left.until.values().min().copied()
    }

    /// How much is held of what the last run made of a source's services.
    pub(super) fn held_left(&self, source: &str) -> usize {
        self.held_groups(source).iter().map(|group| self.left_of(group).len()).sum()
    }

    /// What is held for the sake of a source. What does not say whose it is may be any source's.
    fn held_groups(&self, source: &str) -> Vec<Group> {
        let groups = [Some(Arc::from(source)), None].into_iter();
        let is_ours = self.made.sources.contains(source);
        groups.filter(|group| is_ours && self.made.left.held.contains(group)).collect()
    }

    /// Somebody means that the services of this source are gone; gives how many objects were left of them.
    pub(super) fn accept_left(&mut self, source: &str, now: Instant) -> usize {
        let groups = self.held_groups(source);
        let mut gone = 0;
        for group in groups {
            self.made.left.held.remove(&group);
            let left = self.left_of(&group);
            gone += self.drop_left(&left, now);
        }
        gone
    }
}
