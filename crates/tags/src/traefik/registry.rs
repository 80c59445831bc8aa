//! Everything that tags define, by owner and by name, and who depends on which name.
//!
//! Names of services and middlewares hold for all services of a source, datacenter and namespace, as within one
//! provider of Traefik's. What a service defines itself counts for it, whatever others define under the same name;
//! of several others the first in the order of services counts. So nobody changes what another service is guarded by.
//! A change costs those whose routers it changes: a thousand services that define the same middleware in the same way
//! are not looked at for one of them.

mod uses;

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::dynamic::Middleware;
use super::group::Group;
use super::names::{self, Reference};
use crate::finding::Finding;
use crate::service::{ServiceId, SourceKind};
use uses::Uses;

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
    /// With a digest of how: equal ones do not contradict each other.
    defines: BTreeMap<Name, u64>,
    refers: BTreeSet<Name>,
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
        let old = self.owners.remove(id);
        let new = read.map(|(groups, findings)| Owner {
            defines: defined(id, &groups),
            refers: referred(id, &groups),
            groups,
            findings,
        });
        let same = match (&old, &new) {
            (Some(old), Some(new)) => old.groups == new.groups,
            (old, new) => old.is_none() == new.is_none(),
        };
        let mut others = BTreeSet::new();
        if !same {
            self.replace(id, old.as_ref(), new.as_ref(), &mut others);
        }
        self.owners.extend(new.map(|new| (id.clone(), new)));
        self.follow(&mut others);
        others.remove(id);
        others
    }

    fn replace(
        &mut self,
        id: &ServiceId,
        old: Option<&Owner>,
        new: Option<&Owner>,
        others: &mut BTreeSet<ServiceId>,
    ) {
        let names = |owner: Option<&Owner>| -> BTreeSet<Name> {
            owner.into_iter().flat_map(|owner| owner.defines.keys().chain(&owner.refers)).cloned().collect()
        };
        for name in &names(old) | &names(new) {
            let uses = self.names.entry(name.clone()).or_default();
            let refers = new.is_some_and(|new| new.refers.contains(&name));
            let digest = new.and_then(|new| new.defines.get(&name)).copied();
            others.extend(uses.replace(id, refers, digest));
            if uses.is_empty() {
                self.names.remove(&name);
            }
        }
    }

    /// Adds who depends on those in `others` in turn: a chain of theirs leads through what has changed.
    fn follow(&self, others: &mut BTreeSet<ServiceId>) {
        let mut open: Vec<ServiceId> = others.iter().cloned().collect();
        while let Some(next) = open.pop() {
            let Some(owner) = self.owners.get(&next) else { continue };
            let uses = owner.defines.keys().filter_map(|name| self.names.get(name));
            for user in uses.filter(|uses| uses.first() == Some(&next)).flat_map(Uses::users) {
                if others.insert(user.clone()) {
                    open.push(user.clone());
                }
            }
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
        let others = uses.into_iter().flat_map(Uses::definers);
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

    /// Another service for each name that it defines in another way than `id` does.
    pub(crate) fn conflicts<'a>(&'a self, id: &'a ServiceId) -> Vec<(Kind, &'a str, &'a ServiceId)> {
        let defines = self.owners.get(id).map(|owner| &owner.defines);
        let defines = defines.into_iter().flatten();
        let conflict = |(name, _): (&'a Name, &u64)| {
            let other = self.names.get(name)?.other(id)?;
            Some((name.kind, name.name.as_str(), other))
        };
        defines.filter_map(conflict).collect()
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

/// All names that the tags define, with digests. Of several groups the first that has a name defines it.
fn defined(id: &ServiceId, groups: &[Group]) -> BTreeMap<Name, u64> {
    let mut defined = BTreeMap::new();
    for configuration in groups.iter().map(|group| &group.configuration) {
        for (name, middleware) in &configuration.middlewares {
            let text = serde_json::to_string(middleware).expect("options are plain values");
            defined.entry(scoped(id, Kind::Middleware, name)).or_insert_with(|| xxh3_64(text.as_bytes()));
        }
        for name in configuration.services.keys() {
            // Equal or not: each serves its own instances only, where Traefik would mix them or serve none.
            let digest = || xxh3_64(id.to_string().as_bytes());
            defined.entry(scoped(id, Kind::Service, name)).or_insert_with(digest);
        }
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
