//! What one fleet is served at one moment, and what changed lately.
//!
//! A snapshot is a value: publishing makes the next one, at a cost that grows with the change and not
//! with the configuration. The journal tells which names changed since a generation, so that a
//! stream never compares whole snapshots; one that fell behind the journal does, once.
//!
//! Invariant: every name whose resource differs between two generations stands in the journal
//! entries between them, for as long as the journal reaches back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use crate::resource::{Resource, ResourceName, ResourceType};

/// What a publisher changes. A name in several lists counts where it stands last: upserts, then
/// removals, then unknown.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Resources that are now these.
    pub upserts: Vec<Arc<Resource>>,
    /// Resources that are known to be gone.
    pub removals: Vec<ResourceName>,
    /// Resources whose source failed: neither there nor known to be absent. Requests for them wait.
    pub unknown: Vec<ResourceName>,
}

/// Names that the journal keeps, over all its entries. A stream that is further behind than that
/// compares in full, which costs about as much as reading so many entries.
const JOURNAL_NAMES: usize = 16_384;

/// One fleet at one generation.
#[derive(Clone, Default)]
pub struct Snapshot {
    generation: u64,
    resources: BTreeMap<ResourceType, OrdMap<Arc<str>, Arc<Resource>>>,
    unknown: OrdSet<ResourceName>,
    journal: Vector<Entry>,
    journal_names: usize,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    names: Arc<[ResourceName]>,
}

/// How a name stands in a snapshot.
#[derive(Clone, Copy, Debug)]
pub enum Presence<'a> {
    /// There it is.
    Present(&'a Arc<Resource>),
    /// It is known not to exist.
    Absent,
    /// Nobody can tell now.
    Unknown,
}

impl Snapshot {
    /// Counts the changes of this process; the first snapshot, empty, is 0.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// A resource.
    pub fn get(&self, name: &ResourceName) -> Option<&Arc<Resource>> {
        self.resources.get(&name.kind)?.get(&name.name)
    }

    /// How a name stands.
    pub fn presence(&self, name: &ResourceName) -> Presence<'_> {
        match self.get(name) {
            Some(resource) => Presence::Present(resource),
            None if self.unknown.contains(name) => Presence::Unknown,
            None => Presence::Absent,
        }
    }

    /// All resources of a type, sorted by name.
    pub fn all(&self, kind: ResourceType) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.get(&kind).into_iter().flat_map(OrdMap::values)
    }

    /// How many resources of a type there are.
    pub fn count(&self, kind: ResourceType) -> usize {
        self.resources.get(&kind).map_or(0, OrdMap::len)
    }

    /// The names that changed after `generation`; `None`: the journal does not reach back that far.
    pub fn changed_since(&self, generation: u64) -> Option<BTreeSet<ResourceName>> {
        if generation == self.generation {
            return Some(BTreeSet::new());
        }
        let oldest = self.journal.front()?.generation;
        if generation + 1 < oldest {
            return None;
        }
        let later = self.journal.iter().rev().take_while(|entry| entry.generation > generation);
        Some(later.flat_map(|entry| entry.names.iter().cloned()).collect())
    }

    /// The next snapshot; `None` where nothing differs.
    pub(crate) fn apply(&self, change: Change) -> Option<Self> {
        let mut next = self.clone();
        let mut changed = BTreeSet::new();
        for resource in change.upserts {
            next.upsert(resource, &mut changed);
        }
        for name in change.removals {
            next.remove(name, &mut changed);
        }
        for name in change.unknown {
            next.forget(name, &mut changed);
        }
        if changed.is_empty() {
            return None;
        }
        next.generation += 1;
        next.record(changed.into_iter().collect());
        Some(next)
    }

    fn upsert(&mut self, resource: Arc<Resource>, changed: &mut BTreeSet<ResourceName>) {
        let name = resource.name.clone();
        self.unknown.remove(&name);
        let table = self.resources.entry(name.kind).or_default();
        let before = table.insert(name.name.clone(), resource.clone());
        if before.is_none_or(|before| {
            before.version != resource.version || before.references != resource.references
        }) {
            changed.insert(name);
        }
    }

    fn remove(&mut self, name: ResourceName, changed: &mut BTreeSet<ResourceName>) {
        let there = self.resources.get_mut(&name.kind).and_then(|table| table.remove(&name.name)).is_some();
        if self.unknown.remove(&name).is_some() || there {
            changed.insert(name);
        }
    }

    fn forget(&mut self, name: ResourceName, changed: &mut BTreeSet<ResourceName>) {
        self.resources.get_mut(&name.kind).and_then(|table| table.remove(&name.name));
        if self.unknown.insert(name.clone()).is_none() {
            changed.insert(name);
        }
    }

    fn record(&mut self, names: Arc<[ResourceName]>) {
        self.journal_names += names.len();
        self.journal.push_back(Entry { generation: self.generation, names });
        while self.journal_names > JOURNAL_NAMES && self.journal.len() > 1 {
            let oldest = self.journal.pop_front().expect("longer than one");
            self.journal_names -= oldest.names.len();
        }
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        map.entry(&"generation", &self.generation);
        self.resources.iter().for_each(|(kind, table)| drop(map.entry(kind, &table.len())));
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn name(name: &str) -> ResourceName {
        ResourceName::new(ResourceType::Cluster, name)
    }

    fn resource(text: &str, body: &'static str) -> Arc<Resource> {
        Arc::new(Resource::new(name(text), Bytes::from_static(body.as_bytes()), [].into(), [].into()))
    }

    fn upsert(snapshot: &Snapshot, resources: &[(&str, &'static str)]) -> Snapshot {
        let upserts = resources.iter().map(|(name, body)| resource(name, body)).collect();
        snapshot.apply(Change { upserts, ..Change::default() }).unwrap()
    }

    #[test]
    fn equal_content_is_no_change() {
        let first = upsert(&Snapshot::default(), &[("a", "1")]);
        let same =
            Change { upserts: vec![resource("a", "1")], removals: vec![name("b")], ..Change::default() };
        assert!(first.apply(same).is_none());
    }

    #[test]
    fn journal_gives_the_union_since_a_generation() {
        let first = upsert(&Snapshot::default(), &[("a", "1")]);
        let second = upsert(&first, &[("b", "1")]);
        let third = upsert(&second, &[("a", "2"), ("c", "1")]);
        assert_eq!(third.changed_since(1).unwrap(), BTreeSet::from([name("a"), name("b"), name("c")]));
        assert_eq!(third.changed_since(2).unwrap(), BTreeSet::from([name("a"), name("c")]));
        assert_eq!(third.changed_since(3).unwrap(), BTreeSet::new());
    }

    #[test]
    fn journal_is_bounded_and_says_when_it_does_not_reach_back() {
        let mut snapshot = Snapshot::default();
        for round in ["1", "2", "3"] {
            let names: Vec<_> = (0..JOURNAL_NAMES / 2 + 1).map(|number| number.to_string()).collect();
            let many: Vec<_> = names.iter().map(|name| (name.as_str(), round)).collect();
            snapshot = upsert(&snapshot, &many);
        }
        assert!(snapshot.journal_names <= JOURNAL_NAMES);
        assert!(snapshot.changed_since(1).is_none());
        assert!(snapshot.changed_since(2).is_some());
    }

    #[test]
    fn unknown_is_neither_present_nor_absent() {
        let first = upsert(&Snapshot::default(), &[("a", "1")]);
        let unknown = first.apply(Change { unknown: vec![name("a")], ..Change::default() }).unwrap();
        assert!(matches!(unknown.presence(&name("a")), Presence::Unknown));
        assert!(matches!(unknown.presence(&name("b")), Presence::Absent));
    }
}
