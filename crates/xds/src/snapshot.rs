//! What a fleet ought to have at one moment. Snapshots are persistent: the next one shares all that
//! did not change, so keeping one is cheap and publishing costs as much as the change.
//! Invariant: a snapshot never changes; the journal names every difference between two generations.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use imbl::{OrdMap, Vector};

use crate::resource::{Resource, ResourceName, ResourceType};

/// Names kept in the journal. A client that is further behind has its versions compared in full, which at
/// this size costs about as much as reading the journal would.
const JOURNAL_NAMES: usize = 65_536;

/// What changes in a fleet, all at once. Removals are applied first, then what became unknown, then
/// upserts; of two upserts of one name the last stands.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Resources that are new or different.
    pub upserts: Vec<Arc<Resource>>,
    /// Names that are known to be gone.
    pub removals: Vec<ResourceName>,
    /// Names that exist, but a source that failed or has not answered yet would say what is in them. One that is present
    /// stays as it is, unless it is removed too; otherwise clients keep what they have, and those that ask are not
    /// answered, until its fate is known.
    pub unknown: Vec<ResourceName>,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup<'a> {
    /// It exists.
    Present(&'a Arc<Resource>),
    /// Its source failed.
    Unknown,
    /// It does not exist.
    Absent,
}

#[derive(Clone, Debug)]
struct Entry {
    generation: u64,
    names: Arc<[ResourceName]>,
}

/// Everything that a fleet ought to have.
#[derive(Clone, Debug)]
pub struct Snapshot {
    generation: u64,
    configured: bool,
    published: Instant,
    types: [OrdMap<Arc<str>, Arc<Resource>>; ResourceType::ALL.len()],
    /// Since when nobody knows.
    unknown: OrdMap<ResourceName, Instant>,
    journal: Vector<Entry>,
    journal_names: usize,
}

impl Snapshot {
    /// The snapshot of a fleet that nobody has configured.
    pub(crate) fn empty(now: Instant) -> Self {
        Self {
            generation: 0,
            configured: false,
            published: now,
            types: std::array::from_fn(|_| OrdMap::new()),
            unknown: OrdMap::new(),
            journal: Vector::new(),
            journal_names: 0,
        }
    }

    /// The number of changes that led here.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether anybody has published for this fleet.
    pub const fn configured(&self) -> bool {
        self.configured
    }

    /// When it was published.
    pub const fn published(&self) -> Instant {
        self.published
    }

    /// The resource of a name.
    pub fn get(&self, kind: ResourceType, name: &str) -> Option<&Arc<Resource>> {
        self.types[kind.index()].get(name)
    }

    /// The resources of a type, by name.
    pub fn resources(&self, kind: ResourceType) -> impl Iterator<Item = &Arc<Resource>> {
        self.types[kind.index()].values()
    }

    /// How many resources of a type there are.
    pub fn count(&self, kind: ResourceType) -> usize {
        self.types[kind.index()].len()
    }

    /// Names that exist, and of which nobody knows what is in them.
    pub fn unknown(&self) -> impl Iterator<Item = &ResourceName> {
        self.unknown.keys()
    }

    /// Since when a name is one of them; nothing if it is not.
    pub fn unknown_since(&self, name: &ResourceName) -> Option<Instant> {
        self.unknown.get(name).copied()
    }

    pub(crate) fn lookup(&self, kind: ResourceType, name: &Arc<str>) -> Lookup<'_> {
        match self.get(kind, name) {
            Some(resource) => Lookup::Present(resource),
            None if self.unknown.is_empty() => Lookup::Absent,
            None if self.unknown.contains_key(&ResourceName { kind, name: name.clone() }) => Lookup::Unknown,
            None => Lookup::Absent,
        }
    }

    /// The names that changed after `generation`, some of them more than once; nothing if that is too long ago.
    pub(crate) fn changes_since(&self, generation: u64) -> Option<impl Iterator<Item = &ResourceName>> {
        let first = self.journal.front().map_or(self.generation + 1, |entry| entry.generation);
        let skip = (generation + 1).checked_sub(first)?;
        let skip = usize::try_from(skip).ok()?;
        Some(self.journal.iter().skip(skip).flat_map(|entry| entry.names.iter()))
    }

    /// The snapshot after `change`; nothing if the change changes nothing that a client could see.
    pub(crate) fn with(&self, change: Change, now: Instant) -> Self {
        let mut next = self.clone();
        let mut changed = BTreeSet::new();
        for name in change.removals {
            next.remove(&name, &mut changed);
        }
        for name in change.unknown {
            let since = self.unknown_since(&name).unwrap_or(now);
            next.mark_unknown(name, since, &mut changed);
        }
        for resource in change.upserts {
            next.upsert(resource, &mut changed);
        }
        next.configured = true;
        let before = self;
        let names: Vec<_> = changed.into_iter().filter(|name| before.differs(&next, name)).collect();
        if !names.is_empty() {
            next.generation += 1;
            next.published = now;
            next.record(names);
        }
        next
    }

    fn differs(&self, next: &Self, name: &ResourceName) -> bool {
        match (self.lookup(name.kind, &name.name), next.lookup(name.kind, &name.name)) {
            (Lookup::Present(old), Lookup::Present(new)) => {
                old.version != new.version || old.lacks != new.lacks
            }
            (Lookup::Unknown, Lookup::Unknown) | (Lookup::Absent, Lookup::Absent) => false,
            _ => true,
        }
    }

    fn remove(&mut self, name: &ResourceName, changed: &mut BTreeSet<ResourceName>) {
        let present = self.types[name.kind.index()].remove(&name.name).is_some();
        let unknown = self.unknown.remove(name).is_some();
        if present || unknown {
            changed.insert(name.clone());
        }
    }

    fn mark_unknown(&mut self, name: ResourceName, since: Instant, changed: &mut BTreeSet<ResourceName>) {
        if self.get(name.kind, &name.name).is_none() && self.unknown.insert(name.clone(), since).is_none() {
            changed.insert(name);
        }
    }

    /// Takes the resource even if its version is the same: its origins may have changed.
    fn upsert(&mut self, resource: Arc<Resource>, changed: &mut BTreeSet<ResourceName>) {
        let name = resource.name.clone();
        self.unknown.remove(&name);
        self.types[name.kind.index()].insert(name.name.clone(), resource);
        changed.insert(name);
    }

    fn record(&mut self, names: Vec<ResourceName>) {
        self.journal_names += names.len();
        self.journal.push_back(Entry { generation: self.generation, names: names.into() });
        while self.journal_names > JOURNAL_NAMES {
            let dropped = self.journal.pop_front().expect("names are counted per entry");
            self.journal_names -= dropped.names.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn cluster(name: &str) -> ResourceName {
        ResourceName::new(ResourceType::Cluster, name)
    }

    fn resource(name: &str, body: &'static str) -> Arc<Resource> {
        Arc::new(Resource::new(cluster(name), Bytes::from_static(body.as_bytes()), vec![], vec![]))
    }

    fn upsert(snapshot: &Snapshot, upserts: Vec<Arc<Resource>>) -> Snapshot {
        snapshot.with(Change { upserts, ..Change::default() }, Instant::now())
    }

    fn since(snapshot: &Snapshot, generation: u64) -> Option<Vec<String>> {
        Some(snapshot.changes_since(generation)?.map(ToString::to_string).collect())
    }

    #[test]
    fn journal_names_exactly_what_changed_since_a_generation() {
        let one = upsert(&Snapshot::empty(Instant::now()), vec![resource("a", "1"), resource("b", "1")]);
        let two = upsert(&one, vec![resource("b", "2"), resource("a", "1")]);
        assert_eq!(since(&two, 0).unwrap(), ["cds/a", "cds/b", "cds/b"]);
        assert_eq!(since(&two, 1).unwrap(), ["cds/b"]);
        assert!(since(&two, 2).unwrap().is_empty());
    }

    #[test]
    fn change_that_changes_nothing_keeps_the_generation() {
        let one = upsert(&Snapshot::empty(Instant::now()), vec![resource("a", "1")]);
        let again = Change {
            upserts: vec![resource("a", "1")],
            removals: vec![cluster("a"), cluster("never")],
            unknown: vec![],
        };
        assert_eq!(one.with(again, Instant::now()).generation(), 1);
    }

    #[test]
    fn last_upsert_of_a_name_stands_and_beats_its_removal() {
        let change = Change {
            upserts: vec![resource("a", "1"), resource("a", "2")],
            removals: vec![cluster("a")],
            unknown: vec![cluster("a")],
        };
        let snapshot = Snapshot::empty(Instant::now()).with(change, Instant::now());
        assert_eq!(snapshot.get(ResourceType::Cluster, "a").unwrap().body, "2");
        assert_eq!(snapshot.unknown().count(), 0);
    }

    #[test]
    fn unknown_keeps_what_is_present_and_removal_makes_it_absent() {
        let one = upsert(&Snapshot::empty(Instant::now()), vec![resource("a", "1")]);
        let unknown = Change { unknown: vec![cluster("a"), cluster("b")], ..Change::default() };
        let two = one.with(unknown, Instant::now());
        assert!(matches!(two.lookup(ResourceType::Cluster, &"a".into()), Lookup::Present(_)));
        assert!(matches!(two.lookup(ResourceType::Cluster, &"b".into()), Lookup::Unknown));
        let gone = Change { removals: vec![cluster("b")], ..Change::default() };
        let three = two.with(gone, Instant::now());
        assert!(matches!(three.lookup(ResourceType::Cluster, &"b".into()), Lookup::Absent));
        assert_eq!(since(&three, 1).unwrap(), ["cds/b", "cds/b"]);
    }

    #[test]
    fn unknown_counts_from_when_it_began_however_often_it_is_said() {
        let (before, now) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(1));
        let unknown = || Change { unknown: vec![cluster("a")], ..Change::default() };
        let one = Snapshot::empty(before).with(unknown(), before);
        let again = Change { removals: vec![cluster("a")], ..unknown() };
        let two = one.with(again, now);
        assert_eq!((two.unknown_since(&cluster("a")), two.generation()), (Some(before), 1));
        let gone = Change { removals: vec![cluster("a")], ..Change::default() };
        assert_eq!(two.with(gone, now).with(unknown(), now).unknown_since(&cluster("a")), Some(now));
    }

    #[test]
    fn generation_older_than_the_journal_is_not_answered_from_it() {
        let many = (0..=JOURNAL_NAMES).map(|number| resource(&number.to_string(), "1")).collect();
        let one = upsert(&Snapshot::empty(Instant::now()), many);
        assert!(since(&one, 0).is_none());
        assert!(since(&one, 1).unwrap().is_empty());
        let two = upsert(&one, vec![resource("a", "1")]);
        assert_eq!(since(&two, 1).unwrap(), ["cds/a"]);
        assert!(since(&two, 0).is_none());
    }
}
