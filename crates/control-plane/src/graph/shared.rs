//! Resources that all fleets share, encoded once: clusters, load assignments, secrets.
//!
//! Several makers can make a resource of one name (two gateways with the same key files make the same
//! file secret). Invariant: a resource is there while one of its makers is, and the maker with the
//! smallest name decides its content, so that the order of edits does not show.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use biplane_xds::{Resource, ResourceName};

use super::dependencies::Node;

/// Who makes a resource.
pub(crate) type Maker = Node;

/// The resources by name.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// By name, the makers in order; nearly always one, so a list costs what it holds.
    made: HashMap<ResourceName, Vec<(Maker, Arc<Resource>)>>,
    makes: HashMap<Maker, BTreeSet<ResourceName>>,
}

/// A shared resource before and after a change.
#[derive(Debug)]
pub(crate) struct SharedChange {
    pub(crate) name: ResourceName,
    pub(crate) before: Option<Arc<Resource>>,
    pub(crate) after: Option<Arc<Resource>>,
}

impl Shared {
    /// The resource of a name.
    pub(crate) fn get(&self, name: &ResourceName) -> Option<&Arc<Resource>> {
        self.made.get(name)?.first().map(|(_, resource)| resource)
    }

    /// Whether nobody makes anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty() && self.makes.is_empty()
    }

    /// States all that `maker` makes now; gives what changed by that.
    pub(crate) fn set(&mut self, maker: &Maker, resources: Vec<Arc<Resource>>) -> Vec<SharedChange> {
        let mut names = self.makes.remove(maker).unwrap_or_default();
        let now: BTreeSet<_> = resources.iter().map(|resource| resource.name.clone()).collect();
        names.extend(now.iter().cloned());
        let mut after: HashMap<_, _> =
            resources.into_iter().map(|resource| (resource.name.clone(), resource)).collect();
        let changes = names.into_iter().filter_map(|name| {
            let resource = after.remove(&name);
            self.replace(maker, name, resource)
        });
        let changes = changes.collect();
        if !now.is_empty() {
            self.makes.insert(maker.clone(), now);
        }
        changes
    }

    fn replace(
        &mut self,
        maker: &Maker,
        name: ResourceName,
        resource: Option<Arc<Resource>>,
    ) -> Option<SharedChange> {
        let before = self.get(&name).cloned();
        let makers = self.made.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
        let place = makers.binary_search_by(|(other, _)| other.cmp(maker));
        match (place, resource) {
            (Ok(place), Some(resource)) => makers[place].1 = resource,
            (Ok(place), None) => drop(makers.remove(place)),
            (Err(place), Some(resource)) => makers.insert(place, (maker.clone(), resource)),
            (Err(_), None) => {}
        }
        if makers.is_empty() {
            self.made.remove(&name);
        }
        let after = self.get(&name).cloned();
        let same = match (&before, &after) {
            (Some(before), Some(after)) => same(before, after),
            (None, None) => true,
            _ => false,
        };
        (!same).then_some(SharedChange { name, before, after })
    }
}

/// Early cut-off: what has the same bytes, names and origins is the same.
pub(crate) fn same(a: &Arc<Resource>, b: &Arc<Resource>) -> bool {
    Arc::ptr_eq(a, b) || (a.version == b.version && a.references == b.references && a.origins == b.origins)
}
