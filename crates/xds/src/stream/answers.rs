//! The next response. Types take their turns in the order in which Envoy needs them; what goes away comes
//! after all that is new.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::encode::{self, Response};
use super::table::{Held, Item, Outstanding};
use super::waiting::Blocker;
use super::{Grace, Stream, WARM_GRACE, Warming};
use crate::resource::{Resource, ResourceName, ResourceType};
use crate::snapshot::Lookup;
use crate::status::Protocol;

/// Parents before children, and what routes need before routes.
const TURNS: [ResourceType; 9] = [
    ResourceType::Cluster,
    ResourceType::Endpoint,
    ResourceType::Secret,
    ResourceType::ExtensionConfig,
    ResourceType::Runtime,
    ResourceType::Listener,
    ResourceType::Route,
    ResourceType::ScopedRoute,
    ResourceType::VirtualHost,
];

/// Unanswered cluster responses of a delta client. Envoy may keep an answer for 15 seconds; beyond this
/// many, changes coalesce.
const DELTA_CLUSTER_RESPONSES: usize = 32;
/// The same in state of the world, where each repeats every cluster.
const SOTW_CLUSTER_RESPONSES: usize = 4;

/// What is to be done about a name.
enum Verdict {
    /// Nothing: the client has what it ought to have.
    Settled,
    /// Nothing: what the client brought along turns out to be this.
    Known(Arc<Resource>),
    /// Nothing yet: nobody knows what it ought to have, or it cannot be said. What is due stays due.
    Hold,
    Send(Arc<Resource>),
    /// Say that there is none.
    Deny,
    /// It goes away once nothing uses it.
    Leave,
    Wait(Blocker),
}

/// The content of a response in the making.
#[derive(Default)]
struct Batch {
    resources: Vec<Arc<Resource>>,
    removed: Vec<Arc<str>>,
    bytes: usize,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.removed.is_empty()
    }

    fn add(&mut self, resource: Arc<Resource>) {
        self.bytes += resource.len();
        self.resources.push(resource);
    }

    fn remove(&mut self, name: Arc<str>) {
        self.bytes += name.len();
        self.removed.push(name);
    }
}

impl Stream {
    /// The next response, if the client is owed one and may get it now. Ask again until there is none.
    pub fn next_response(&mut self, now: Instant) -> Option<Response> {
        if !self.open {
            return None;
        }
        self.run_timers(now);
        loop {
            let additions = TURNS.into_iter().find_map(|kind| self.additions(kind, now));
            let response = additions.or_else(|| TURNS.into_iter().find_map(|kind| self.removals(kind, now)));
            // What settled without a word may have released something whose turn had passed.
            if response.is_some() || !TURNS.into_iter().any(|kind| self.released(kind)) {
                return response;
            }
        }
    }

    /// Whether there are names to look at, and nothing keeps them from being looked at.
    fn released(&self, kind: ResourceType) -> bool {
        let deferred = kind == ResourceType::Listener && self.listeners_leave_by.is_some();
        !deferred && self.may_send(kind) && !self.table(kind).owed.is_empty()
    }

    fn additions(&mut self, kind: ResourceType, now: Instant) -> Option<Response> {
        if !self.may_send(kind) {
            return None;
        }
        let mut batch = Batch::default();
        while let Some(group) = self.next_group(kind, &batch) {
            for name in group {
                self.judge(kind, name, &mut batch, now);
            }
        }
        if kind == ResourceType::Listener {
            self.leaving_listeners(&mut batch, now);
        }
        if batch.is_empty() && !self.answer_due(kind, now) {
            return None;
        }
        Some(self.send(kind, &batch, now))
    }

    pub(super) fn may_send(&self, kind: ResourceType) -> bool {
        let table = self.table(kind);
        let limit = match (kind, self.options.protocol) {
            (ResourceType::Cluster, Protocol::Delta) => DELTA_CLUSTER_RESPONSES,
            (ResourceType::Cluster, Protocol::Sotw) => SOTW_CLUSTER_RESPONSES,
            _ => 1,
        };
        // A full response repeats what is unanswered: a suspect would never be alone in it.
        let limit = if self.repeats_all(kind) && !table.suspects.is_empty() { 1 } else { limit };
        table.requested && table.outstanding.len() < limit
    }

    /// The names to look at next: a group of suspects goes alone, what is owed is taken until
    /// the response is long enough.
    fn next_group(&mut self, kind: ResourceType, batch: &Batch) -> Option<Vec<Arc<str>>> {
        let full = batch.bytes >= self.options.response_bytes && !self.repeats_all(kind);
        let table = self.table_mut(kind);
        // Leaving listeners go with the group that they are in.
        let taken = !batch.is_empty() || kind == ResourceType::Listener && !table.leaving.is_empty();
        match table.suspects.is_empty() {
            true if full => None,
            true => table.owed.pop_first().map(|name| vec![name]),
            false if taken => None,
            false => table.suspects.pop_front(),
        }
    }

    fn judge(&mut self, kind: ResourceType, name: Arc<str>, batch: &mut Batch, now: Instant) {
        let full_name = ResourceName { kind, name };
        self.waiting.clear(&full_name);
        let verdict = self.verdict(&full_name, now);
        let ResourceName { name, .. } = full_name.clone();
        let table = self.table_mut(kind);
        table.owed.remove(&name);
        table.leaving.remove(&name);
        if !matches!(verdict, Verdict::Wait(_) | Verdict::Hold) {
            table.forced.remove(&name);
        }
        match verdict {
            Verdict::Wait(blocker) => self.wait(full_name, blocker),
            Verdict::Send(resource) => batch.add(resource),
            Verdict::Deny => {
                // An assignment that the client holds all the same is emptied later.
                if table.held.contains_key(&name) {
                    table.leaving.insert(name.clone());
                }
                batch.remove(name);
            }
            Verdict::Leave => drop(table.leaving.insert(name)),
            Verdict::Settled => self.release(&full_name),
            Verdict::Known(resource) => {
                let stamp = Some(resource.stamp().clone());
                let held = table.held.entry(name).or_default();
                (held.sent, held.accepted) = (stamp.clone(), stamp);
                self.release(&full_name);
            }
            // Whoever takes something away has to know that it is still in use.
            Verdict::Hold => self.waiting.wait(full_name.clone(), Blocker::Name(full_name)),
        }
    }

    fn wait(&mut self, name: ResourceName, blocker: Blocker) {
        if let Blocker::Name(cluster) = &blocker
            && let Some(until) = self.unknown_until(cluster)
        {
            self.unknown.insert((until, cluster.clone()));
        }
        self.waiting.wait(name, blocker);
    }

    fn verdict(&self, name: &ResourceName, now: Instant) -> Verdict {
        let table = self.table(name.kind);
        if !table.subscription.covers(&name.name) {
            return Verdict::Settled;
        }
        let forced = table.forced.contains(&name.name);
        match self.snapshot.lookup(name.kind, &name.name) {
            Lookup::Unknown => Verdict::Hold,
            Lookup::Absent => self.verdict_on_absent(name, forced),
            Lookup::Present(resource) => {
                let held = table.held.get(&name.name);
                let same = held.is_some_and(|held| held.version() == Some(resource.version));
                if same && !forced || table.refuses(&name.name, resource.version) {
                    return Verdict::Settled;
                }
                let brought = held.and_then(Held::brought).filter(|_| !forced);
                if brought.is_some_and(|stamp| stamp.version == Some(resource.version)) {
                    return Verdict::Known(resource.clone());
                }
                let part = brought.and_then(|_| self.held_part(resource, now));
                let blocker = part.or_else(|| self.blocker_of(resource, now));
                blocker.map_or_else(|| Verdict::Send(resource.clone()), Verdict::Wait)
            }
        }
    }

    fn verdict_on_absent(&self, name: &ResourceName, forced: bool) -> Verdict {
        let held = self.table(name.kind).held.get(&name.name);
        let sotw = self.options.protocol == Protocol::Sotw;
        match (name.kind, held) {
            // State of the world cannot say that there is no assignment, but that it is empty.
            (ResourceType::Endpoint, None) if forced && sotw => {
                Verdict::Send(Arc::new(encode::drained(name)))
            }
            (ResourceType::Endpoint, Some(held)) => {
                let drained = encode::drained(name);
                let same = held.version() == Some(drained.version);
                match (same, forced) {
                    (true, true) => Verdict::Send(Arc::new(drained)),
                    (true, false) => Verdict::Settled,
                    (false, true) if !sotw => Verdict::Deny,
                    (false, _) => self.leave(),
                }
            }
            (_, None) if forced && (!sotw || self.repeats_all(name.kind)) => Verdict::Deny,
            (_, None) => Verdict::Settled,
            // It goes when the client stops to ask; this protocol has no word for it.
            (kind, Some(_)) if sotw && !self.repeats_all(kind) => Verdict::Hold,
            (_, Some(_)) => self.leave(),
        }
    }

    /// Nothing is taken from a client because nobody configured the fleet that it names.
    fn leave(&self) -> Verdict {
        if self.snapshot.configured() { Verdict::Leave } else { Verdict::Hold }
    }

    /// Whether each response repeats every resource, so that absence means removal.
    pub(super) fn repeats_all(&self, kind: ResourceType) -> bool {
        self.options.protocol == Protocol::Sotw
            && matches!(kind, ResourceType::Cluster | ResourceType::Listener)
    }

    /// A listener leaves in the same response in which others come, so that one can take over the
    /// address of another; it waits a moment for those that wait themselves.
    fn leaving_listeners(&mut self, batch: &mut Batch, now: Instant) {
        if self.table(ResourceType::Listener).leaving.is_empty() {
            self.listeners_leave_by = None;
            return;
        }
        let coming = self.waiting.of_type(ResourceType::Listener).next().is_some();
        let leave_by = *self.listeners_leave_by.get_or_insert(now + WARM_GRACE);
        if batch.is_empty() && coming && now < leave_by {
            return;
        }
        self.listeners_leave_by = None;
        let leaving = std::mem::take(&mut self.table_mut(ResourceType::Listener).leaving);
        for name in leaving {
            batch.remove(name);
        }
    }

    /// Whether an answer is due though there is nothing to say: a client that asks for everything has to
    /// be told that it has it. What waits may come along if it comes soon.
    fn answer_due(&self, kind: ResourceType, now: Instant) -> bool {
        let nothing_waits = || self.waiting.of_type(kind).next().is_none();
        self.table(kind).answer_by.is_some_and(|by| now >= by || nothing_waits())
    }

    fn removals(&mut self, kind: ResourceType, now: Instant) -> Option<Response> {
        if kind == ResourceType::Listener || self.table(kind).leaving.is_empty() || !self.may_send(kind) {
            return None;
        }
        let leaving = std::mem::take(&mut self.table_mut(kind).leaving);
        let users = self.users(kind, &leaving);
        let mut batch = Batch::default();
        for name in leaving {
            if batch.bytes >= self.options.response_bytes && !self.repeats_all(kind) {
                self.table_mut(kind).leaving.insert(name);
                continue;
            }
            let name = ResourceName { kind, name };
            match self.removal_blocker(&users, &name, now) {
                Some(blocker) => self.waiting.wait(name, blocker),
                None if kind == ResourceType::Endpoint => batch.add(Arc::new(encode::drained(&name))),
                None => batch.remove(name.name),
            }
        }
        if batch.is_empty() { None } else { Some(self.send(kind, &batch, now)) }
    }

    fn send(&mut self, kind: ResourceType, batch: &Batch, now: Instant) -> Response {
        self.nonce += 1;
        let nonce = self.nonce;
        for resource in &batch.resources {
            self.give(resource, now);
        }
        for name in &batch.removed {
            self.take(kind, name);
        }
        let (published, generation) = (self.snapshot.published(), self.snapshot.generation());
        let items = self.items(kind, batch);
        let table = self.table_mut(kind);
        table.answer_by = None;
        table.last_nonce = Some(nonce);
        table.outstanding.push_back(Outstanding { nonce, items, published });
        match self.options.protocol {
            Protocol::Delta => encode::delta(kind, nonce, generation, &batch.resources, &batch.removed),
            Protocol::Sotw if self.repeats_all(kind) => {
                let all = self.table(kind).bodies.values().filter_map(|bodies| bodies.sent.as_ref());
                encode::sotw(kind, nonce, all, batch.removed.len())
            }
            Protocol::Sotw => encode::sotw(kind, nonce, batch.resources.iter(), 0),
        }
    }

    /// What a reply to the response is about, removals first: a half that is sent again has to make
    /// room before it takes it. A response that repeats everything repeats what is unanswered too,
    /// which the one before it has gathered.
    fn items(&self, kind: ResourceType, batch: &Batch) -> Vec<Item> {
        let names = batch.resources.iter().map(|resource| &resource.name.name);
        let new: HashSet<&Arc<str>> = names.chain(&batch.removed).collect();
        let earlier = self.table(kind).outstanding.back().filter(|_| self.repeats_all(kind));
        let earlier = earlier.into_iter().flat_map(|response| &response.items);
        let repeated = earlier.filter(|item| !new.contains(&item.name)).cloned();
        let removed =
            batch.removed.iter().map(|name| Item { name: name.clone(), stamp: None, resource: None });
        let added = batch.resources.iter().map(|resource| Item {
            name: resource.name.name.clone(),
            stamp: Some(resource.stamp().clone()),
            resource: self.repeats_all(kind).then(|| resource.clone()),
        });
        repeated.chain(removed).chain(added).collect()
    }

    fn give(&mut self, resource: &Arc<Resource>, now: Instant) {
        let ResourceName { kind, name } = &resource.name;
        let repeats_all = self.repeats_all(*kind);
        let nonce = self.nonce;
        let table = self.table_mut(*kind);
        let held = table.held.entry(name.clone()).or_default();
        held.sent = Some(resource.stamp().clone());
        // What was sent away just before is not there any more, whenever the client says so.
        if std::mem::take(&mut held.taken) {
            held.accepted = None;
            table.reborn.insert(name.clone(), nonce);
        }
        let ready = held.ready;
        if repeats_all {
            table.bodies.entry(name.clone()).or_default().sent = Some(resource.clone());
        }
        if *kind == ResourceType::Cluster && self.ordered() {
            self.follow(resource, ready, now);
        }
    }

    /// A cluster that is new or changed has to have its assignment (again), or it takes 15 seconds to warm.
    fn follow(&mut self, cluster: &Resource, ready: bool, now: Instant) {
        let endpoints = cluster.references.iter().filter(|name| name.kind == ResourceType::Endpoint);
        let name = &cluster.name.name;
        let after = self.nonce;
        let mut discovers = false;
        for endpoint in endpoints {
            discovers = true;
            let table = self.table_mut(ResourceType::Endpoint);
            table.forced.insert(endpoint.name.clone());
            table.owe(&endpoint.name);
            let warming = self.warming.entry(endpoint.name.clone()).or_default();
            warming.retain(|warming| warming.cluster != *name);
            if !ready {
                warming.push(Warming { cluster: name.clone(), after });
            }
        }
        if !discovers && !ready {
            self.grace.push_back(Grace { until: now + WARM_GRACE, cluster: name.clone(), nonce: after });
        }
    }

    fn take(&mut self, kind: ResourceType, name: &Arc<str>) {
        let table = self.table_mut(kind);
        if let Some(bodies) = table.bodies.get_mut(name) {
            bodies.sent = None;
        }
        // Envoy keeps an assignment that it was told is gone.
        if kind == ResourceType::Endpoint {
            return;
        }
        let Some(held) = table.held.get_mut(name) else { return };
        held.ready = false;
        held.taken = true;
    }
}
