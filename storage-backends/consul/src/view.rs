//! What is known of a prefix, and what of it has not been told yet. Plain data: answers go in, changes come out.
//!
//! An answer speaks for one part: every key that starts with its prefix. A key that an answer lacks is gone, a key
//! whose index moved has changed, and one whose index went back belongs to another history.
//!
//! Nothing is told while a batch is open or its parts have not all been seen; that wait is bounded here, by
//! a clock that the caller holds.

mod batch;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use biplane_consul_client::KvEntry;
use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use biplane_store::layout::{self, MANIFEST, SENTINEL};
use biplane_store::sentinel::Sentinel;
use biplane_store::{Change, Changes, Fault, Identity, Listing, Revision, StoreError, StoredObject};
use tokio::time::Instant;

use crate::place::{MARKS, Place};
use crate::remembered::{Known, Remembered};
use crate::shared::value;
pub(crate) use batch::Hold;
use batch::Seen;

/// Why nothing more can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// What was told does not lead here: list again.
    Resync,
    /// There is no mark any more.
    Unmarked,
    /// Something else.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// What an answer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Objects, faults or marks are not what they were.
    pub(crate) changed: bool,
    /// A key is gone.
    pub(crate) shrunk: bool,
}

/// What is known, and what of it is still to be told.
#[derive(Debug)]
pub(crate) struct View {
    place: Place,
    identity: Option<Identity>,
    /// Everything that is there, by the part of the key below `config/`.
    known: BTreeMap<String, Known>,
    faults: BTreeMap<String, Fault>,
    /// Where each part is, by its prefix below `config/`.
    parts: BTreeMap<String, u64>,
    seen: Option<Seen>,
    pending: BTreeMap<ObjectKey, Change>,
    told_faults: Vec<Fault>,
    told: Revision,
}

impl View {
    /// Nothing is known yet.
    pub(crate) fn new(place: Place) -> Self {
        Self {
            identity: place.layout.identity(&place.name),
            place,
            known: BTreeMap::new(),
            faults: BTreeMap::new(),
            parts: BTreeMap::new(),
            seen: None,
            pending: BTreeMap::new(),
            told_faults: Vec::new(),
            told: Revision::default(),
        }
    }

    /// What a listing showed is known and told.
    pub(crate) fn from_listing(place: Place, listing: &Remembered) -> Self {
        Self {
            identity: Some(listing.identity.clone()),
            known: listing.known.clone(),
            faults: listing.faults.clone(),
            seen: listing.given_up.clone().map(Seen::given_up),
            told_faults: listing.told_faults.clone(),
            told: listing.revision,
            ..Self::new(place)
        }
    }

    /// Takes in all that starts with `prefix` (below `config/`), as it was at `index`.
    pub(crate) fn take(
        &mut self,
        prefix: &str,
        entries: Vec<KvEntry<'_>>,
        now: Instant,
    ) -> Result<Effect, Stop> {
        let mut effect = Effect::default();
        let mut present = HashSet::with_capacity(entries.len());
        for entry in &entries {
            let below = self.place.below(&entry.key).ok_or_else(|| self.stray(&entry.key))?;
            present.insert(below);
        }
        let gone: Vec<_> =
            self.names(prefix).filter(|name| !present.contains(name.as_str())).cloned().collect();
        // The mark first: of a step that took it away nothing else may be believed.
        let all = prefix.is_empty() && present.is_empty();
        if all || self.place.layout.has_sentinel() && gone.iter().any(|name| name == SENTINEL) {
            return Err(Stop::Unmarked);
        }
        for name in gone {
            self.remove(&name);
            effect = Effect { changed: true, shrunk: true };
        }
        for entry in entries {
            let below = self.place.below(&entry.key).ok_or_else(|| self.stray(&entry.key))?.to_owned();
            match self.known.get(&below).map(|known| known.index.cmp(&entry.modify_index)) {
                Some(Ordering::Equal) => continue,
                // The marks are also read by themselves, and that answer may have been quicker.
                Some(Ordering::Greater) if below.starts_with(MARKS) => continue,
                Some(Ordering::Greater) => return Err(Stop::Resync),
                _ => {}
            }
            self.put(below, &entry, now)?;
            effect.changed = true;
        }
        Ok(effect)
    }

    /// The names that are known to start with `prefix`.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a String> {
        let from_here = self.known.range(prefix.to_owned()..);
        from_here.map(|(name, _)| name).take_while(move |name| name.starts_with(prefix))
    }

    /// The names and their sizes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.known.iter().map(|(name, known)| (name.as_str(), known.size))
    }

    /// The part that starts with `prefix` has been seen at this index, or later.
    pub(crate) fn reached(&mut self, prefix: &str, index: u64) {
        let at = self.parts.entry(prefix.to_owned()).or_default();
        *at = (*at).max(index);
    }

    /// At which index a part has been seen.
    pub(crate) fn at(&self, prefix: &str) -> u64 {
        self.parts.get(prefix).copied().unwrap_or_default()
    }

    /// At which index all parts have been seen.
    pub(crate) fn slowest(&self) -> Option<u64> {
        self.parts.values().copied().min()
    }

    /// The part is no longer looked at by itself.
    pub(crate) fn close(&mut self, prefix: &str) {
        self.parts.remove(prefix);
    }

    /// The revision that was told last.
    pub(crate) const fn told(&self) -> Revision {
        self.told
    }

    /// What there is to tell at `revision`, if anything, and if nothing forbids it.
    pub(crate) fn tell(&mut self, revision: u64, now: Instant) -> Option<Changes> {
        if self.hold(now).is_some() {
            return None;
        }
        let revision = Revision(revision).max(self.told);
        let faults = self.all_faults(now);
        let news = !self.pending.is_empty() || faults != self.told_faults || revision > self.told;
        news.then(|| {
            self.told = revision;
            let faults = (faults != self.told_faults).then(|| {
                self.told_faults.clone_from(&faults);
                faults
            });
            let changes = std::mem::take(&mut self.pending).into_values().collect();
            Changes { revision, changes, faults }
        })
    }

    /// Everything as a listing at `revision`, and what a watch from there needs to know. `prefix` is the index of
    /// the prefix itself.
    pub(crate) fn into_listing(
        mut self,
        revision: Revision,
        prefix: u64,
        now: Instant,
    ) -> Result<(Listing, Remembered), Stop> {
        let identity = self.identity.clone().ok_or(Stop::Unmarked)?;
        let faults = self.all_faults(now);
        let given_up = self.open_manifest().map(|(manifest, index)| (manifest.clone(), index));
        let put = |change| match change {
            Change::Put(object) => Some(object),
            Change::Deleted(_) => None,
        };
        let items = std::mem::take(&mut self.pending).into_values().filter_map(put).collect();
        let remembered = Remembered {
            revision,
            prefix,
            identity: identity.clone(),
            known: self.known,
            faults: self.faults,
            told_faults: faults.clone(),
            given_up,
        };
        Ok((Listing { identity, revision, items, faults }, remembered))
    }

    fn put(&mut self, below: String, entry: &KvEntry<'_>, now: Instant) -> Result<(), Stop> {
        let size = below.len() + entry.value_len();
        self.known.insert(below.clone(), Known { index: entry.modify_index, size });
        match below.as_str() {
            SENTINEL if self.place.layout.has_sentinel() => self.mark(entry),
            MANIFEST if self.place.layout.has_sentinel() => {
                self.see_batch(&value(entry)?, entry.modify_index, now);
                Ok(())
            }
            _ => self.put_object(below, entry),
        }
    }

    fn put_object(&mut self, below: String, entry: &KvEntry<'_>) -> Result<(), Stop> {
        let location = self.place.location(&entry.key, entry.modify_index);
        let layout = self.place.layout;
        let key = match layout.parse(&below) {
            Ok(Some(key)) => key,
            // What people's tools make beside objects, by design.
            Ok(None) => return Ok(()),
            Err(message) => {
                self.faults.insert(below, layout.misplaced(location, message));
                return Ok(());
            }
        };
        if entry.value_len() > MAX_OBJECT {
            // What the object was before stays: it is not gone, only unreadable.
            self.faults.insert(below, layout::too_large(location, key, entry.value_len()));
            return Ok(());
        }
        self.faults.remove(&below);
        let object = StoredObject {
            key: key.clone(),
            value: value(entry)?,
            location,
            revision: Revision(entry.modify_index),
            created: Some(entry.create_index),
        };
        self.pending.insert(key, Change::Put(object));
        Ok(())
    }

    fn remove(&mut self, below: &str) {
        self.known.remove(below);
        self.faults.remove(below);
        if below == MANIFEST {
            self.seen = None;
        }
        if let Ok(Some(key)) = self.place.layout.parse(below) {
            self.pending.insert(key.clone(), Change::Deleted(key));
        }
    }

    fn mark(&mut self, entry: &KvEntry<'_>) -> Result<(), Stop> {
        let identity = Sentinel::decode(&value(entry)?, &entry.key)?.identity();
        match &self.identity {
            Some(known) if *known != identity => Err(Stop::Resync),
            _ => {
                self.identity = Some(identity);
                Ok(())
            }
        }
    }

    fn stray(&self, key: &str) -> Stop {
        let config = self.place.config("");
        Stop::Failed(StoreError::unavailable(format!("asked for what is below {config}, Consul told {key}")))
    }

    fn all_faults(&self, now: Instant) -> Vec<Fault> {
        let mut faults: Vec<_> = self.faults.values().cloned().chain(self.unfinished(now)).collect();
        faults.sort_by(|a, b| a.location.cmp(&b.location));
        faults
    }
}

#[cfg(test)]
mod tests;
