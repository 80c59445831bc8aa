//! Everything that tags define, by owner and by name, and who depends on which name.
//!
//! Names of services and middlewares hold for all services of a source, datacenter and namespace, as within one
//! provider of Traefik's. What a service defines itself counts for it, whatever others define under the same name;
//! of several others the first in the order of services counts. So nobody changes what another service is guarded by.

use std::collections::{BTreeMap, BTreeSet};

use super::dynamic::Middleware;
use super::group::Group;
use super::names::{self, Reference};
use crate::finding::Finding;
use crate::service::{ServiceId, SourceKind};

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Middleware,
    Service,
}

/// A name within its scope.
#[expect(clippy::struct_field_names, reason = "as in `ServiceId`")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    source: SourceKind,
    source_name: String,
    datacenter: String,
    namespace: String,
    kind: Kind,
    name: String,
}

/// What a service's tags define.
#[derive(Debug)]
struct Owner {
    groups: Vec<Group>,
    findings: Vec<Finding>,
    defines: BTreeSet<Name>,
    refers: BTreeSet<Name>,
}

#[derive(Debug, Default)]
struct Uses {
    definers: BTreeSet<ServiceId>,
    users: BTreeSet<ServiceId>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    owners: BTreeMap<ServiceId, Owner>,
    names: BTreeMap<Name, Uses>,
}

/// Where something is defined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) owner: &'a ServiceId,
    pub(crate) group: &'a Group,
}

impl Registry {
    /// Takes over what a service defines; `None`: it is gone. Returns the other services that this may change.
    pub(crate) fn set(
        &mut self,
        id: &ServiceId,
        read: Option<(Vec<Group>, Vec<Finding>)>,
    ) -> BTreeSet<ServiceId> {
        let mut others = BTreeSet::new();
        if let Some(old) = self.owners.remove(id) {
            self.leave(id, &old, &mut others);
        }
        if let Some((groups, findings)) = read {
            let defines = defined(id, &groups);
            let refers = referred(id, &groups);
            let owner = Owner { groups, findings, defines, refers };
            self.join(id, &owner, &mut others);
            self.owners.insert(id.clone(), owner);
        }
        others.remove(id);
        others
    }

    fn leave(&mut self, id: &ServiceId, owner: &Owner, others: &mut BTreeSet<ServiceId>) {
        for name in owner.defines.union(&owner.refers) {
            let Some(uses) = self.names.get_mut(name) else { continue };
            uses.users.remove(id);
            if uses.definers.remove(id) {
                others.extend(uses.users.union(&uses.definers).cloned());
            }
            if uses.users.is_empty() && uses.definers.is_empty() {
                self.names.remove(name);
            }
        }
    }

    fn join(&mut self, id: &ServiceId, owner: &Owner, others: &mut BTreeSet<ServiceId>) {
        for name in &owner.refers {
            self.names.entry(name.clone()).or_default().users.insert(id.clone());
        }
        for name in &owner.defines {
            let uses = self.names.entry(name.clone()).or_default();
            uses.definers.insert(id.clone());
            others.extend(uses.users.union(&uses.definers).cloned());
        }
    }

    /// The groups of a service, and what was found when its tags were read.
    pub(crate) fn owner(&self, id: &ServiceId) -> Option<(&[Group], &[Finding])> {
        self.owners.get(id).map(|owner| (owner.groups.as_slice(), owner.findings.as_slice()))
    }

    /// What `name` refers to in the tags of `group`, which is one of `id`'s.
    pub(crate) fn find<'a>(
        &'a self,
        id: &'a ServiceId,
        group: &'a Group,
        kind: Kind,
        name: &str,
    ) -> Option<Found<'a>> {
        let Reference::Own(name) = names::reference(name, id.source, &id.namespace) else { return None };
        if has(group, kind, name) {
            return Some(Found { owner: id, group });
        }
        let own = self.owners.get_key_value(id).into_iter();
        let uses = self.names.get(&scoped(id, kind, name));
        let others = uses.into_iter().flat_map(|uses| &uses.definers);
        let others = others.filter_map(|definer| self.owners.get_key_value(definer));
        let mut groups =
            own.chain(others).flat_map(|(id, owner)| owner.groups.iter().map(move |group| (id, group)));
        groups.find(|(_, group)| has(group, kind, name)).map(|(owner, group)| Found { owner, group })
    }

    /// The middleware that `name` refers to, and the group whose it is.
    pub(crate) fn middleware<'a>(
        &'a self,
        id: &'a ServiceId,
        group: &'a Group,
        name: &str,
    ) -> Option<(&'a Middleware, Found<'a>)> {
        let found = self.find(id, group, Kind::Middleware, name)?;
        let bare = name.rsplit_once('@').map_or(name, |(bare, _)| bare);
        Some((found.group.configuration.middlewares.get(bare)?, found))
    }

    /// Other services that define one of the names of `id` in another way, by what they define.
    pub(crate) fn conflicts<'a>(&'a self, id: &'a ServiceId) -> Vec<(Kind, &'a str, &'a ServiceId)> {
        let Some(owner) = self.owners.get(id) else { return Vec::new() };
        let mut conflicts = Vec::new();
        for name in &owner.defines {
            let definers = self.names.get(name).into_iter().flat_map(|uses| &uses.definers);
            for other in definers.filter(|other| *other != id) {
                if self.owners.get(other).is_some_and(|other| disagree(owner, other, name)) {
                    conflicts.push((name.kind, name.name.as_str(), other));
                }
            }
        }
        conflicts
    }
}

fn disagree(one: &Owner, other: &Owner, name: &Name) -> bool {
    let first = |owner: &'_ Owner| owner.groups.iter().position(|group| has(group, name.kind, &name.name));
    let (Some(one_at), Some(other_at)) = (first(one), first(other)) else { return false };
    let (one, other) = (&one.groups[one_at].configuration, &other.groups[other_at].configuration);
    match name.kind {
        Kind::Middleware => one.middlewares.get(&name.name) != other.middlewares.get(&name.name),
        // Equal or not: each service serves its own instances only, where Traefik would mix them or serve none.
        Kind::Service => true,
    }
}

fn has(group: &Group, kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Middleware => group.configuration.middlewares.contains_key(name),
        Kind::Service => group.configuration.services.contains_key(name),
    }
}

fn scoped(id: &ServiceId, kind: Kind, name: &str) -> Name {
    Name {
        source: id.source,
        source_name: id.source_name.clone(),
        datacenter: id.datacenter.clone(),
        namespace: id.namespace.clone(),
        kind,
        name: name.to_owned(),
    }
}

fn defined(id: &ServiceId, groups: &[Group]) -> BTreeSet<Name> {
    let mut defined = BTreeSet::new();
    for configuration in groups.iter().map(|group| &group.configuration) {
        defined.extend(configuration.middlewares.keys().map(|name| scoped(id, Kind::Middleware, name)));
        defined.extend(configuration.services.keys().map(|name| scoped(id, Kind::Service, name)));
    }
    defined
}

/// All names that the tags refer to, chains and services included.
fn referred(id: &ServiceId, groups: &[Group]) -> BTreeSet<Name> {
    let mut referred = BTreeSet::new();
    let mut refer = |kind, name: &str| {
        if let Reference::Own(name) = names::reference(name, id.source, &id.namespace) {
            referred.insert(scoped(id, kind, name));
        }
    };
    for configuration in groups.iter().map(|group| &group.configuration) {
        for router in configuration.routers.values() {
            refer(Kind::Service, &router.service);
            router.middlewares.iter().for_each(|name| refer(Kind::Middleware, name));
        }
        for service in configuration.services.values() {
            service.middlewares.iter().for_each(|name| refer(Kind::Middleware, name));
        }
        for name in configuration.middlewares.values().flat_map(Middleware::chained) {
            refer(Kind::Middleware, name);
        }
    }
    referred
}
