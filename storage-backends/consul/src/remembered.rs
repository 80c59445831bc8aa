//! The last listings of an instance, as far as a watch needs them: which keys there were, and at which index.
//!
//! Consul cannot say what happened since an index: deletions leave nothing behind that could be asked for. A
//! watch that begins at a listing compares with it instead; one that begins elsewhere has to list first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use biplane_store::manifest::Manifest;
use biplane_store::{Fault, Identity, Revision};

/// How many listings are remembered: the driver's, and those of its audits and of others who ask at the same time.
pub(crate) const LISTINGS: usize = 4;

/// A key as it was when it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The index at which it last changed.
    pub(crate) index: u64,
    /// Its length and its value's.
    pub(crate) size: usize,
}

/// What a listing showed, without values.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) revision: Revision,
    /// The index of the prefix itself.
    pub(crate) prefix: u64,
    pub(crate) identity: Identity,
    /// By the part of the key below `config/`.
    pub(crate) known: BTreeMap<String, Known>,
    /// By the same.
    pub(crate) faults: BTreeMap<String, Fault>,
    /// All faults as they were told.
    pub(crate) told_faults: Vec<Fault>,
    /// The open batch that nobody waits for any more, and its manifest's index.
    pub(crate) given_up: Option<(Manifest, u64)>,
}

/// The last few.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    listings: Mutex<VecDeque<Arc<Remembered>>>,
}

impl Memory {
    /// Takes in a listing; one of the same revision takes the older one's place.
    pub(crate) fn keep(&self, listing: Remembered) {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.retain(|known| known.revision != listing.revision);
        listings.push_back(Arc::new(listing));
        if listings.len() > LISTINGS {
            listings.pop_front();
        }
    }

    /// The revision of the last listing, if the prefix was at this index then as it is now: nothing has changed since,
    /// whatever others have written elsewhere.
    pub(crate) fn unchanged(&self, prefix: u64) -> Option<Revision> {
        let listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.back().filter(|known| known.prefix == prefix).map(|known| known.revision)
    }

    /// The listing of this revision.
    pub(crate) fn of(&self, revision: Revision) -> Option<Arc<Remembered>> {
        let listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.iter().find(|known| known.revision == revision).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(revision: u64) -> Remembered {
        Remembered {
            revision: Revision(revision),
            prefix: 7,
            identity: Identity::new("one"),
            known: BTreeMap::new(),
            faults: BTreeMap::new(),
            told_faults: Vec::new(),
            given_up: None,
        }
    }

    #[test]
    fn only_the_last_listings_are_remembered_and_each_revision_once() {
        let memory = Memory::default();
        (1..=LISTINGS as u64).for_each(|revision| memory.keep(listing(revision)));
        memory.keep(listing(1));
        assert!(memory.of(Revision(1)).is_some(), "it was listed again");
        memory.keep(listing(100));
        assert!(memory.of(Revision(2)).is_none());
        assert!(memory.of(Revision(1)).is_some() && memory.of(Revision(100)).is_some());
    }
}
