//! What the control plane was told, as hashes: enough to notice a watch that goes backwards or
//! that has missed something. Pure.

use std::collections::{HashMap, HashSet};

use biplane_core::key::ObjectKey;
use xxhash_rust::xxh3::xxh3_64;

use crate::object::{Change, Changes, Fault, Identity, Listing, Revision, StoredObject};

/// The told state of one store.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    identity: Option<Identity>,
    revision: Revision,
    objects: HashMap<ObjectKey, u64>,
    faults: Vec<Fault>,
    /// What the watch told since the running audit began: the audit's listing may be older than that.
    touched: Touched,
}

#[derive(Debug, Default)]
struct Touched {
    objects: HashSet<ObjectKey>,
    faults: bool,
    /// Where the watch was when the audit began.
    from: Revision,
}

/// How an audit's listing looks next to what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The same objects.
    Same,
    /// The same objects of another store: of a root that was switched to the next release, for example.
    Another,
    /// This many objects are otherwise.
    Drift(usize),
    /// It is of a time before what was told already.
    Earlier,
}

impl Mirror {
    /// Starts over from a listing.
    pub(super) fn adopt(&mut self, listing: &Listing) {
        *self = Self {
            identity: Some(listing.identity.clone()),
            revision: listing.revision,
            objects: listing.items.iter().map(|object| (object.key.clone(), digest(object))).collect(),
            faults: listing.faults.clone(),
            touched: Touched::default(),
        };
    }

    /// Takes in what a watch told; `false` if it cannot follow what was told before.
    pub(super) fn apply(&mut self, changes: &Changes) -> bool {
        if changes.revision < self.revision {
            return false;
        }
        self.revision = changes.revision;
        changes.changes.iter().for_each(|change| self.change(change));
        if let Some(faults) = &changes.faults {
            self.faults.clone_from(faults);
            self.touched.faults = true;
        }
        true
    }

    /// The revision that was told last.
    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    /// From here on the watch may tell what the audit's listing does not know yet.
    pub(super) fn start_audit(&mut self) {
        self.touched = Touched { from: self.revision, ..Touched::default() };
    }

    /// Holds the audit's listing against what was told.
    pub(super) fn compare(&self, listing: &Listing) -> Seen {
        if listing.revision < self.touched.from {
            return Seen::Earlier;
        }
        match self.drift(listing) {
            0 if self.identity.as_ref() != Some(&listing.identity) => Seen::Another,
            0 => Seen::Same,
            objects => Seen::Drift(objects),
        }
    }

    /// How many objects the listing shows otherwise than the watch told. Faults that nobody was told of
    /// count as one; what a fault hides does not count.
    fn drift(&self, listing: &Listing) -> usize {
        let listed: HashMap<_, _> =
            listing.items.iter().map(|object| (&object.key, digest(object))).collect();
        let changed = listed.iter().filter(|(key, digest)| self.objects.get(**key) != Some(*digest));
        let hidden = listing.faults.iter().filter(|fault| fault.hides_its_object());
        let hidden: HashSet<_> = hidden.filter_map(|fault| fault.key.as_ref()).collect();
        let gone = self.objects.keys().filter(|key| !listed.contains_key(key) && !hidden.contains(key));
        let missed =
            changed.map(|(key, _)| *key).chain(gone).filter(|key| !self.touched.objects.contains(*key));
        let faults = !self.touched.faults && self.faults != listing.faults;
        missed.count() + usize::from(faults)
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Put(object) => self.objects.insert(object.key.clone(), digest(object)),
            Change::Deleted(key) => self.objects.remove(key),
        };
        self.touched.objects.insert(change.key().clone());
    }
}

/// The content's hash: a line that moved is no drift.
fn digest(object: &StoredObject) -> u64 {
    xxh3_64(&object.value)
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_core::location::Location;

    use super::*;
    use crate::object::FaultKind;

    fn object(name: &str, value: &'static str) -> StoredObject {
        StoredObject {
            key: ObjectKey::new(Kind::Upstream, "default", name),
            value: value.into(),
            location: Location::file("a.yaml", 1),
            revision: Revision(1),
            created: None,
        }
    }

    fn listing(items: Vec<StoredObject>) -> Listing {
        Listing { identity: Identity::new("one"), revision: Revision(5), items, faults: Vec::new() }
    }

    fn put(revision: u64, object: StoredObject) -> Changes {
        Changes { revision: Revision(revision), changes: vec![Change::Put(object)], faults: None }
    }

    fn mirror(items: Vec<StoredObject>) -> Mirror {
        let mut mirror = Mirror::default();
        mirror.adopt(&listing(items));
        mirror.start_audit();
        mirror
    }

    #[test]
    fn changed_missing_and_new_objects_are_drift() {
        let mirror = mirror(vec![object("a", "1"), object("b", "1")]);
        assert_eq!(mirror.compare(&listing(vec![object("a", "1"), object("b", "1")])), Seen::Same);
        assert_eq!(mirror.compare(&listing(vec![object("a", "2"), object("c", "1")])), Seen::Drift(3));
    }

    #[test]
    fn what_a_fault_hides_is_no_drift() {
        let mirror = mirror(vec![object("a", "1"), object("b", "1")]);
        let location = Location::file("elsewhere.yaml", 1);
        let fault = Fault::new(FaultKind::TooLarge, location, "large").of(object("a", "1").key);
        let listing = Listing { faults: vec![fault], ..listing(Vec::new()) };
        assert_eq!(mirror.compare(&listing), Seen::Drift(2), "b, and the fault that nobody was told of");
    }

    #[test]
    fn what_the_watch_told_since_the_audit_began_is_no_drift() {
        let mut mirror = mirror(vec![object("a", "1")]);
        assert!(mirror.apply(&put(6, object("a", "2"))));
        assert_eq!(mirror.compare(&listing(vec![object("a", "1")])), Seen::Same);
    }

    #[test]
    fn another_identity_of_the_content_that_was_told_is_no_drift() {
        let items = vec![object("a", "1")];
        let other = Listing { identity: Identity::new("two"), ..listing(items.clone()) };
        assert_eq!(mirror(items).compare(&other), Seen::Another);
        assert_eq!(mirror(Vec::new()).compare(&other), Seen::Drift(1));
    }

    #[test]
    fn a_listing_of_before_the_audit_is_earlier_whatever_it_holds() {
        let mut mirror = mirror(Vec::new());
        assert!(mirror.apply(&put(6, object("a", "1"))));
        mirror.start_audit();
        assert_eq!(mirror.compare(&listing(vec![object("a", "1")])), Seen::Earlier);
    }

    #[test]
    fn a_revision_that_goes_backwards_is_refused() {
        let mut mirror = mirror(Vec::new());
        assert!(!mirror.apply(&put(4, object("a", "1"))));
        assert!(mirror.apply(&put(5, object("a", "1"))));
    }
}
