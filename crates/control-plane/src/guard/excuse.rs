//! Letting go of what is held, because an intent or an operator means it.

use std::collections::{BTreeMap, HashMap};

use biplane_core::key::ObjectKey;
use biplane_store::{Intent, Revision, StoredObject, layout};
use tokio::time::Instant;

use super::{Guard, Held, Stock, Withheld};

/// What is no longer held, to be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Objects to remove.
    pub removals: Vec<ObjectKey>,
    /// Versions to go back to.
    pub older: Vec<StoredObject>,
}

impl Released {
    pub(super) fn of(held: impl IntoIterator<Item = (ObjectKey, Held)>) -> Self {
        let mut released = Self::default();
        for (key, held) in held {
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
}

/// The last intent that names an object, by the object's text.
struct Named<'a> {
    deletes: HashMap<&'a str, &'a (Revision, Intent)>,
    puts: HashMap<&'a str, Revision>,
}

impl<'a> Named<'a> {
    fn of(intents: &'a [(Revision, Intent)]) -> Self {
        let mut named = Self { deletes: HashMap::new(), puts: HashMap::new() };
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
        }
        named
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
        let named = Named::of(intents);
        // Of a store that went backwards, revisions of before mean nothing: what counts is what was
        // written since.
        let floor = self.regress.as_ref().map(|(_, floor)| *floor);
        let effective = |changed: Revision| floor.map_or(changed, |floor| changed.min(floor));
        let some_passed = self.window.excuse(|key, changed| named.means_removal(key, effective(changed)));
        let meant = self.held.extract_if(.., |key, held| match held.what {
            Withheld::Removal => named.means_removal(key, effective(held.changed)),
            Withheld::Older(_) => floor.is_none_or(|floor| named.means_put_after(key, floor)),
        });
        let mut meant: BTreeMap<_, _> = meant.collect();
        if some_passed || !meant.is_empty() {
            let left = stock.without(meant.keys());
            meant.extend(self.acquit(&left, now));
        }
        self.settle();
        Released::of(meant)
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
    fn without<'a>(&self, keys: impl Iterator<Item = &'a ObjectKey>) -> Self {
        let mut left = self.clone();
        for key in keys {
            left.after = left.after.saturating_sub(1);
            if let Some(count) = left.before.get_mut(&key.kind) {
                *count = count.saturating_sub(1);
            }
        }
        left
    }
}
