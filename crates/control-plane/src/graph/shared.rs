//! Resources that all fleets share, encoded once: clusters, load assignments, secrets; and which of them are there though
//! nobody knows yet what is in them.
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

/// What there is under a name.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Known(Arc<Resource>),
    Unknown(Arc<Unknown>),
}

/// A resource of which nobody knows yet what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) name: ResourceName,
    /// What it will name, as far as that is known; sorted.
    pub(crate) references: Arc<[ResourceName]>,
}

impl Content {
    pub(crate) fn name(&self) -> &ResourceName {
        match self {
            Self::Known(resource) => &resource.name,
            Self::Unknown(unknown) => &unknown.name,
        }
    }

    /// The resource, as far as it is known.
    pub(crate) const fn resource(&self) -> Option<&Arc<Resource>> {
        match self {
            Self::Known(resource) => Some(resource),
            Self::Unknown(_) => None,
        }
    }

    /// What it names, and what it would name as well if more were known.
    pub(crate) fn references(&self) -> [&[ResourceName]; 2] {
        match self {
            Self::Known(resource) => [&resource.references, &resource.lacks],
            Self::Unknown(unknown) => [&unknown.references, &[]],
        }
    }

    /// Early cut-off: what has the same bytes, names and origins is the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => is_same(one, other),
            (Self::Unknown(one), Self::Unknown(other)) => one == other,
            _ => false,
        }
    }
}

fn is_same(one: &Arc<Resource>, other: &Arc<Resource>) -> bool {
    let looks_same = || one.version == other.version && one.references == other.references;
    Arc::ptr_eq(one, other) || looks_same() && one.origins == other.origins && one.lacks == other.lacks
}

/// The resources by name.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// By name, the makers in order; nearly always one, so a list costs what it holds.
    made: HashMap<ResourceName, Vec<(Maker, Content)>>,
    makes: HashMap<Maker, BTreeSet<ResourceName>>,
}

/// A shared resource before and after a change.
#[derive(Debug)]
pub(crate) struct SharedChange {
    pub(crate) name: ResourceName,
    pub(crate) before: Option<Content>,
    pub(crate) after: Option<Content>,
}

impl Shared {
    /// What there is under a name.
    pub(crate) fn get(&self, name: &ResourceName) -> Option<&Content> {
        self.made.get(name)?.first().map(|(_, content)| content)
    }

    /// Whether nobody makes anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty() && self.makes.is_empty()
    }

    /// States all that `maker` makes now; gives what changed by that.
    pub(crate) fn set(&mut self, maker: &Maker, made: Vec<Content>) -> Vec<SharedChange> {
        let mut names = self.makes.remove(maker).unwrap_or_default();
        let now: BTreeSet<_> = made.iter().map(|content| content.name().clone()).collect();
        names.extend(now.iter().cloned());
        let mut after: HashMap<_, _> =
            made.into_iter().map(|content| (content.name().clone(), content)).collect();
        let changes = names.into_iter().filter_map(|name| {
            let content = after.remove(&name);
            self.replace(maker, name, content)
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
        content: Option<Content>,
    ) -> Option<SharedChange> {
        let before = self.get(&name).cloned();
        let makers = self.made.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
        let place = makers.binary_search_by(|(other, _)| other.cmp(maker));
        match (place, content) {
            (Ok(place), Some(content)) => makers[place].1 = content,
            (Ok(place), None) => drop(makers.remove(place)),
            (Err(place), Some(content)) => makers.insert(place, (maker.clone(), content)),
            (Err(_), None) => {}
        }
        if makers.is_empty() {
            self.made.remove(&name);
        }
        let after = self.get(&name).cloned();
        let same = match (&before, &after) {
            (Some(before), Some(after)) => before.is_same(after),
            (None, None) => true,
            _ => false,
        };
        (!same).then_some(SharedChange { name, before, after })
    }
}
