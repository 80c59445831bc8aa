//! What one fleet gets: the listeners of its gateways and everything that can be reached from them.
//!
//! Membership is a reference count. A listener and its routes are roots; a cluster, a load assignment
//! or a secret belongs to the fleet while something in the fleet names it. References have no cycles
//! (listener -> routes -> clusters -> assignments and secrets), so counting is exact.
//!
//! Invariant: `counts[n]` is the number of resources in the fleet that name `n`. It holds because of
//! the shared resources only clusters name others, and a maker makes at most one cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_core::age::Age;
use biplane_core::key::ResourceRef;
use biplane_xds::{Change, ResourceName, ResourceType};

use super::shared::{Content, Shared, SharedChange};

/// Where a gateway listens.
pub(crate) type Address = (String, u32);

/// What a gateway brings into its fleets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(crate) listener: Option<Content>,
    pub(crate) routes: Option<Content>,
}

/// One fleet.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    /// The gateways that want an address, the oldest first: it has the address.
    claims: BTreeMap<Address, BTreeSet<Age>>,
    /// What the gateways that have their address bring in now.
    roots: HashMap<ResourceRef, Roots>,
    counts: HashMap<ResourceName, usize>,
    pending: BTreeMap<ResourceName, Option<Content>>,
}

impl Fleet {
    /// Adds or withdraws a gateway's claim; gives the gateways whose luck may have changed.
    pub(crate) fn claim(&mut self, address: &Address, age: &Age, wanted: bool) -> Vec<ResourceRef> {
        let ages = self.claims.entry(address.clone()).or_default();
        let owner = |ages: &BTreeSet<Age>| ages.first().map(|age| age.key().reference());
        let before = owner(ages);
        if wanted {
            ages.insert(age.clone());
        } else {
            ages.remove(age);
        }
        let after = owner(ages);
        if ages.is_empty() {
            self.claims.remove(address);
        }
        let moved = (before != after).then_some([before, after]);
        moved.into_iter().flatten().flatten().collect()
    }

    /// The gateway that has an address.
    pub(crate) fn owner(&self, address: &Address) -> Option<&Age> {
        self.claims.get(address)?.first()
    }

    /// The addresses that more than one gateway wants.
    pub(crate) fn rivals(&self) -> impl Iterator<Item = (&Address, &BTreeSet<Age>)> {
        self.claims.iter().filter(|(_, ages)| ages.len() > 1)
    }

    /// How many gateways did not get the address that they want.
    pub(crate) fn losers(&self) -> usize {
        self.rivals().map(|(_, ages)| ages.len() - 1).sum()
    }

    /// Whether nothing is left in it, counts included.
    pub(crate) fn is_drained(&self) -> bool {
        self.claims.is_empty() && self.roots.is_empty() && self.counts.is_empty()
    }

    /// States what a gateway brings in now.
    pub(crate) fn set_roots(&mut self, gateway: &ResourceRef, roots: Option<Roots>, shared: &Shared) {
        let after = roots.clone().unwrap_or_default();
        let before = match roots {
            Some(roots) => self.roots.insert(gateway.clone(), roots),
            None => self.roots.remove(gateway),
        };
        let before = before.unwrap_or_default();
        self.swap_root(before.listener.as_ref(), after.listener.as_ref(), shared);
        self.swap_root(before.routes.as_ref(), after.routes.as_ref(), shared);
    }

    fn swap_root(&mut self, before: Option<&Content>, after: Option<&Content>, shared: &Shared) {
        if let (Some(before), Some(after)) = (before, after)
            && before.name() == after.name()
        {
            if !before.is_same(after) {
                self.pending.insert(after.name().clone(), Some(after.clone()));
                self.swap_contents(Some(before), Some(after), shared);
            }
            return;
        }
        if let Some(after) = after {
            self.pending.insert(after.name().clone(), Some(after.clone()));
            self.swap_contents(None, Some(after), shared);
        }
        if let Some(before) = before {
            // Another gateway may have taken the name over in this very transaction, or had it all along
            // while this one, on its way from one address to another, was taken for its owner.
            let heir = self.roots.values().find_map(|roots| find(roots, before.name())).cloned();
            if heir.is_none() || self.pending.contains_key(before.name()) {
                self.pending.insert(before.name().clone(), heir);
            }
            self.swap_contents(Some(before), None, shared);
        }
    }

    /// A shared resource has changed: passes it on if the fleet has it.
    pub(crate) fn shared_changed(&mut self, change: &SharedChange, shared: &Shared) {
        if !self.counts.contains_key(&change.name) {
            return;
        }
        self.pending.insert(change.name.clone(), change.after.clone());
        self.swap_contents(change.before.as_ref(), change.after.as_ref(), shared);
    }

    /// Everything that has changed since the last call.
    pub(crate) fn take_change(&mut self) -> Option<Change> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return None;
        }
        let mut change = Change::default();
        for (name, content) in pending {
            match content {
                Some(Content::Known(resource)) => change.upserts.push(resource),
                // What was known of it before says nothing about it now; who has that keeps it.
                Some(Content::Unknown(_)) => {
                    change.removals.push(name.clone());
                    change.unknown.push(name);
                }
                None => change.removals.push(name),
            }
        }
        Some(change)
    }

    fn swap_contents(&mut self, before: Option<&Content>, after: Option<&Content>, shared: &Shared) {
        for (before, after) in references(before).into_iter().zip(references(after)) {
            self.swap_references(before, after, shared);
        }
    }

    /// Counts the names that came and uncounts those that went. Both lists are sorted; a list that
    /// is shared with the one before is not even read.
    fn swap_references(&mut self, before: &[ResourceName], after: &[ResourceName], shared: &Shared) {
        if std::ptr::eq(before, after) {
            return;
        }
        let (gone, new) = difference(before, after);
        for name in new {
            self.count(name, shared);
        }
        for name in gone {
            self.uncount(name, shared);
        }
    }

    fn count(&mut self, name: &ResourceName, shared: &Shared) {
        if name.kind == ResourceType::Route {
            return; // a root of its own
        }
        let count = self.counts.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            return;
        }
        if let Some(content) = shared.get(name) {
            self.pending.insert(name.clone(), Some(content.clone()));
            self.swap_contents(None, Some(content), shared);
        }
    }

    fn uncount(&mut self, name: &ResourceName, shared: &Shared) {
        if name.kind == ResourceType::Route {
            return;
        }
        let count = self.counts.get_mut(name).expect("counted when it was named");
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.counts.remove(name);
        // Also where the resource is gone already: its maker may have dropped it in this transaction.
        self.pending.insert(name.clone(), None);
        if let Some(content) = shared.get(name) {
            self.swap_contents(Some(content), None, shared);
        }
    }
}

fn references(content: Option<&Content>) -> [&[ResourceName]; 2] {
    content.map_or([&[]; 2], Content::references)
}

fn find<'a>(roots: &'a Roots, name: &ResourceName) -> Option<&'a Content> {
    [&roots.listener, &roots.routes].into_iter().flatten().find(|content| content.name() == name)
}

/// What only `before` and only `after` have; both are sorted.
fn difference<'a>(
    before: &'a [ResourceName],
    after: &'a [ResourceName],
) -> (Vec<&'a ResourceName>, Vec<&'a ResourceName>) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a == b => {
                left.next();
                right.next();
            }
            (Some(a), Some(b)) if a < b => gone.extend(left.next()),
            (Some(_) | None, Some(_)) => new.extend(right.next()),
            (Some(_), None) => gone.extend(left.next()),
            (None, None) => return (gone, new),
        }
    }
}
