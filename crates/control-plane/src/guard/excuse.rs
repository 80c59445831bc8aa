//! Letting go of what is held, because an intent or an operator means it.

use std::collections::{BTreeMap, HashMap, HashSet};

use biplane_core::key::ObjectKey;
use biplane_store::{Acceptance, Identity, Intent, Revision, StoredObject, layout};
use tokio::time::Instant;

use super::{Guard, Held, Stock, Withheld};

/// What is no longer held, to be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Objects to remove.
    pub removals: Vec<ObjectKey>,
    /// Versions to go back to.
    pub older: Vec<StoredObject>,
    /// The store that lacks the ones and shows the others.
    pub identity: Option<Identity>,
    /// The revisions of the versions that were in use until now.
    pub versions: BTreeMap<ObjectKey, Revision>,
}

impl Released {
    pub(super) fn of(identity: Option<Identity>, held: impl IntoIterator<Item = (ObjectKey, Held)>) -> Self {
        let mut released = Self { identity, ..Self::default() };
        for (key, held) in held {
            released.versions.insert(key.clone(), held.changed);
            match held.what {
                Withheld::Removal => released.removals.push(key),
                Withheld::Older(object) => released.older.push(*object),
            }
        }
        released
    }

    /// Whether nothing was released.
    pub fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.older.is_empty()
    }

    /// The same as a word for other replicas, which may have come to another point of the store.
    pub fn acceptance(&self) -> Option<Acceptance> {
        let identity = self.identity.as_ref()?.to_string();
        let versions = self.versions.iter().map(|(key, version)| (layout::format_key(key), version.0));
        Some(Acceptance { identity, versions: versions.collect() })
    }
}

/// The last intent that names an object, by the object's text.
#[derive(Default)]
struct Named<'a> {
    deletes: HashMap<&'a str, &'a (Revision, Intent)>,
    puts: HashMap<&'a str, Revision>,
    /// Versions that an operator has let go.
    accepted: HashSet<(&'a str, u64)>,
}

impl<'a> Named<'a> {
    /// Of all intents, and of the operators' words about this store.
    fn of(intents: &'a [(Revision, Intent)], store: Option<&Identity>) -> Self {
        let mut named = Self::default();
        for record in intents {
            let (revision, intent) = record;
            for key in &intent.deletes {
                let last = named.deletes.entry(key).or_insert(record);
                if last.0 < *revision {
                    *last = record;
                }
            }
            for key in &intent.puts {
                let last = named.puts.entry(key).or_insert(*revision);
                *last = (*last).max(*revision);
            }
            let words = intent.accepts.iter();
            let words = words.filter(|accepts| store.is_some_and(|store| *store.0 == *accepts.identity));
            let versions = words.flat_map(|accepts| &accepts.versions);
            named.accepted.extend(versions.map(|(key, version)| (key.as_str(), *version)));
        }
        named
    }

    /// Whether an operator has let this version go, wherever in the history of its store this replica is: the
    /// same version is meant, and what was made anew since is another.
    fn accepts(&self, key: &ObjectKey, version: Revision) -> bool {
        self.accepted.contains(&(layout::format_key(key).as_str(), version.0))
    }

    fn means_removal(&self, key: &ObjectKey, changed: Revision) -> bool {
        let found = self.deletes.get(layout::format_key(key).as_str());
        found.is_some_and(|(revision, intent)| intent.covers(*revision, key, changed))
    }

    fn means_put_after(&self, key: &ObjectKey, floor: Revision) -> bool {
        self.puts.get(layout::format_key(key).as_str()).is_some_and(|revision| *revision > floor)
    }
}

impl Guard {
    /// Lets go of what these intents mean; each comes with the revision at which it was written. What then
    /// is left of a mere shrinking is judged anew: deletions that were meant do not count against others.
    pub fn excuse(&mut self, intents: &[(Revision, Intent)], stock: &Stock, now: Instant) -> Released {
        let store = self.present.as_ref().map(|present| present.identity.clone());
        let named = Named::of(intents, store.as_ref());
        // Of a store that went backwards, revisions of before mean nothing: what counts is what was written
        // since. Of another store nothing else counts.
        let (floor, elsewhere) = (self.regress.as_ref().map(|(_, floor)| *floor), self.is_elsewhere());
        let effective = |changed: Revision| {
            floor.map_or(changed, |floor| if elsewhere { floor } else { changed.min(floor) })
        };
        let some_passed = self.window.excuse(|key, changed| named.means_removal(key, effective(changed)));
        let meant = self.held.extract_if(.., |key, held| {
            named.accepts(key, held.changed)
                || match held.what {
                    Withheld::Removal => named.means_removal(key, effective(held.changed)),
                    Withheld::Older(_) => floor.is_none_or(|floor| named.means_put_after(key, floor)),
                }
        });
        let mut meant: BTreeMap<_, _> = meant.collect();
        if some_passed || !meant.is_empty() {
            let left = stock.without(meant.iter().filter(|(_, held)| held.what == Withheld::Removal));
            meant.extend(self.acquit(&left, now));
        }
        self.carried.retain(|key| !meant.contains_key(key));
        self.settle();
        Released::of(store, meant)
    }

    /// What is held after the intents, if alone it would not have looked wrong.
    fn acquit(&mut self, stock: &Stock, now: Instant) -> BTreeMap<ObjectKey, Held> {
        let shrinking = self.suspicion.as_ref().is_some_and(|suspicion| suspicion.reason.is_shrinking());
        if !shrinking || self.doubt(self.held.keys(), stock).is_some() {
            return BTreeMap::new();
        }
        let held = std::mem::take(&mut self.held);
        for (key, held) in &held {
            self.window.add(key.clone(), held.changed, now);
        }
        held
    }
}

impl Stock {
    /// The same without some objects.
    fn without<'a>(&self, gone: impl Iterator<Item = (&'a ObjectKey, &'a Held)>) -> Self {
        let mut left = self.clone();
        for (key, _) in gone {
            left.after = left.after.saturating_sub(1);
            if let Some(count) = left.before.get_mut(&key.kind) {
                *count = count.saturating_sub(1);
            }
        }
        left
    }
}
