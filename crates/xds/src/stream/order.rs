//! What must wait for what. Two rules make every edit safe: nothing new is given before what it names
//! (make), and nothing is taken while it may still be used (break). Both look at one resource and what it
//! names, so a resource that cannot get ready holds back only those that name it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::waiting::Blocker;
use super::{REQUEST_GRACE, Stream, UNKNOWN_GRACE};
use crate::resource::{Resource, ResourceName, ResourceType, Stamp};
use crate::snapshot::Lookup;

/// Which of the names that are to be taken away may still be in use, each with a resource that uses it.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// A resource that may name anything: it came from another server.
    anything: Option<ResourceName>,
    of: HashMap<Arc<str>, ResourceName>,
}

/// The types whose resources name resources of a type.
const fn naming(kind: ResourceType) -> &'static [ResourceType] {
    match kind {
        ResourceType::Cluster => &[ResourceType::Listener, ResourceType::Route],
        ResourceType::Endpoint => &[ResourceType::Cluster],
        ResourceType::Secret => &[ResourceType::Listener, ResourceType::Cluster],
        ResourceType::Route => &[ResourceType::Listener],
        _ => &[],
    }
}

/// The names of one sorted list that another has not, in one walk over both.
fn added<'a>(names: &'a [ResourceName], known: &'a [ResourceName]) -> impl Iterator<Item = &'a ResourceName> {
    let mut known = known.iter().peekable();
    names.iter().filter(move |name| {
        while known.next_if(|known| known < name).is_some() {}
        known.peek() != Some(name)
    })
}

impl Stream {
    /// Whether this stream can keep an order between types.
    pub(super) fn ordered(&self) -> bool {
        self.options.aggregated
    }

    /// The first thing that a resource has to wait for.
    ///
    /// What the client's own version of a route or listener names already holds nothing up: it can get no worse.
    pub(super) fn blocker_of(&self, resource: &Resource, now: Instant) -> Option<Blocker> {
        let held = self.table(resource.name.kind).held.get(&resource.name.name).filter(|held| !held.taken);
        let accepted = held.and_then(|held| held.accepted.as_ref());
        let known = accepted.and_then(|stamp| stamp.references.as_ref());
        let known =
            known.filter(|_| matches!(resource.name.kind, ResourceType::Listener | ResourceType::Route));
        if known.is_some_and(|known| Arc::ptr_eq(known, &resource.references)) {
            return None;
        }
        let known = known.map_or(&[][..], |known| known);
        added(&resource.references, known).find(|name| self.blocks(name, now)).cloned().map(Blocker::Name)
    }

    fn blocks(&self, name: &ResourceName, now: Instant) -> bool {
        match (name.kind, self.snapshot.lookup(name.kind, &name.name)) {
            (_, Lookup::Absent) => false,
            (ResourceType::Cluster, found) => {
                self.ordered()
                    && self.table(ResourceType::Cluster).subscription.covers(&name.name)
                    && !self.usable(&name.name, found)
                    && self.unknown_until(name).is_none_or(|until| now < until)
            }
            // A changed cluster needs its assignment again, which an unknown one has not.
            (ResourceType::Endpoint, Lookup::Unknown) => true,
            (kind, Lookup::Unknown) => !self.table(kind).holds(&name.name),
            // What the client asks for only once it has been named cannot come first.
            (_, Lookup::Present(_)) => false,
        }
    }

    /// Until when a name is waited for that is a cluster of which nobody knows what is in it.
    pub(super) fn unknown_until(&self, name: &ResourceName) -> Option<Instant> {
        let is_cluster = name.kind == ResourceType::Cluster;
        self.snapshot.unknown_since(name).filter(|_| is_cluster).map(|since| since + UNKNOWN_GRACE)
    }

    /// What stands in the way of a resource that is known in part, for a client that has brought another version along:
    /// what it holds of the other parts tells that they are in that version. That is told in a request of its own.
    pub(super) fn held_part(&self, resource: &Resource, now: Instant) -> Option<Blocker> {
        let tells = self.ordered() && now < self.started + REQUEST_GRACE;
        let silent = resource.lacks.iter().find(|name| tells && !self.table(name.kind).requested);
        let held = || resource.lacks.iter().find(|name| self.table(name.kind).holds(&name.name));
        silent.map(|name| Blocker::Asked(name.kind)).or_else(|| held().cloned().map(Blocker::Name))
    }

    /// Whether a client can be pointed at a cluster, or never will be able to.
    fn usable(&self, name: &str, found: Lookup<'_>) -> bool {
        let clusters = self.table(ResourceType::Cluster);
        let ready = clusters.held.get(name).is_some_and(|held| held.ready);
        ready || matches!(found, Lookup::Present(resource) if clusters.refuses(name, resource.version))
    }

    /// What may still use the names of a type that are to be taken away: whatever is not settled and, in a
    /// version that the client may hold, names one.
    pub(super) fn users(&self, kind: ResourceType, leaving: &BTreeSet<Arc<str>>) -> Users {
        let mut users = Users::default();
        for naming in naming(kind).iter().filter(|_| self.ordered()) {
            let table = self.table(*naming);
            let waiting = self.waiting.of_type(*naming).map(|name| &name.name);
            for name in table.unsettled().chain(waiting) {
                let user = || ResourceName { kind: *naming, name: name.clone() };
                let stamps = table.held.get(name).into_iter().flat_map(super::table::Held::stamps);
                for stamp in stamps {
                    users.add(kind, leaving, stamp, user);
                }
            }
        }
        users
    }

    /// What a removal has to wait for.
    pub(super) fn removal_blocker(
        &self,
        users: &Users,
        name: &ResourceName,
        now: Instant,
    ) -> Option<Blocker> {
        self.awaited_request(name.kind, now).or_else(|| users.of(&name.name).cloned().map(Blocker::Name))
    }

    /// A client that has just come back tells what it uses type by type; until it has told all,
    /// nobody knows what is in use.
    fn awaited_request(&self, kind: ResourceType, now: Instant) -> Option<Blocker> {
        if !self.ordered() || now >= self.started + REQUEST_GRACE {
            return None;
        }
        let asked = |kind: ResourceType| self.table(kind).requested;
        let awaited = match kind {
            ResourceType::Endpoint => ResourceType::Cluster,
            ResourceType::Cluster | ResourceType::Secret if !asked(ResourceType::Listener) => {
                ResourceType::Listener
            }
            ResourceType::Cluster if self.snapshot.count(ResourceType::Route) > 0 => ResourceType::Route,
            _ => return None,
        };
        (!asked(awaited)).then_some(Blocker::Asked(awaited))
    }
}

impl Users {
    fn add(
        &mut self,
        kind: ResourceType,
        leaving: &BTreeSet<Arc<str>>,
        stamp: &Stamp,
        user: impl Fn() -> ResourceName,
    ) {
        let Some(references) = &stamp.references else {
            self.anything = Some(user());
            return;
        };
        // Few names in a long list are looked up; of many the list is gone through.
        if leaving.len() * 16 < references.len() {
            let named =
                leaving.iter().filter(|name| stamp.may_use(&ResourceName { kind, name: (*name).clone() }));
            self.of.extend(named.map(|name| (name.clone(), user())));
        } else {
            let named = references.iter().filter(|name| name.kind == kind && leaving.contains(&name.name));
            self.of.extend(named.map(|name| (name.name.clone(), user())));
        }
    }

    fn of(&self, name: &str) -> Option<&ResourceName> {
        self.of.get(name).or(self.anything.as_ref())
    }
}
