//! Who defines a name, in which way, and who refers to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::service::ServiceId;

/// The uses of one name.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// With a digest of how it is defined.
    definers: BTreeMap<ServiceId, u64>,
    /// The definers of each digest.
    ways: BTreeMap<u64, BTreeSet<ServiceId>>,
    users: BTreeSet<ServiceId>,
}

impl Uses {
    /// Takes over whether a service refers to the name, and how it defines it. Returns who may see that: those who
    /// find it by the name, and those who are told of a contradiction.
    pub(super) fn replace(
        &mut self,
        id: &ServiceId,
        refers: bool,
        digest: Option<u64>,
    ) -> BTreeSet<ServiceId> {
        let told_before = self.told().map(|pair| pair.map(Clone::clone));
        let was_first = self.first() == Some(id);
        if refers {
            self.users.insert(id.clone());
        } else {
            self.users.remove(id);
        }
        self.define(id, digest);
        let mut seen = BTreeSet::new();
        if was_first || self.first() == Some(id) {
            seen.extend(self.users().cloned());
        }
        if self.told() != told_before.as_ref().map(<[ServiceId; 2]>::each_ref) {
            seen.extend(self.definers.keys().cloned());
        }
        seen
    }

    fn define(&mut self, id: &ServiceId, digest: Option<u64>) {
        if let Some(old) = self.definers.remove(id)
            && let Some(way) = self.ways.get_mut(&old)
        {
            way.remove(id);
            if way.is_empty() {
                self.ways.remove(&old);
            }
        }
        if let Some(digest) = digest {
            self.definers.insert(id.clone(), digest);
            self.ways.entry(digest).or_default().insert(id.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.definers.is_empty()
    }

    pub(super) fn definers(&self) -> impl Iterator<Item = &ServiceId> {
        self.definers.keys()
    }

    /// Whose definition counts for those who have none.
    pub(super) fn first(&self) -> Option<&ServiceId> {
        self.definers.keys().next()
    }

    /// Those who refer to the name and do not define it themselves.
    pub(super) fn users(&self) -> impl Iterator<Item = &ServiceId> {
        self.users.iter().filter(|user| !self.definers.contains_key(*user))
    }

    /// The first that defines the name in another way than `id` does.
    pub(super) fn other(&self, id: &ServiceId) -> Option<&ServiceId> {
        let own = self.definers.get(id)?;
        self.told().into_iter().flatten().find(|other| self.definers.get(*other) != Some(own))
    }

    /// The two that stand for a contradiction: the first of all, and the first that differs from it.
    fn told(&self) -> Option<[&ServiceId; 2]> {
        let (first, digest) = self.definers.first_key_value()?;
        let others = self.ways.iter().filter(|(way, _)| *way != digest);
        let second = others.filter_map(|(_, ids)| ids.first()).min()?;
        Some([first, second])
    }
}
