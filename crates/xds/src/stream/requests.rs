//! Requests of both protocols as changes of subscriptions. A request may confirm a response and change
//! the subscription at once; the two are taken apart here and have nothing to do with each other.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::subscription::WILDCARD;
use super::table::Held;
use super::waiting::Blocker;
use super::{Reply, Stream, WARM_GRACE};
use crate::resource::{ResourceName, ResourceType, Stamp, Version};
use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest};

impl Stream {
    /// Takes a delta request for a type.
    pub fn on_delta_request(
        &mut self,
        kind: ResourceType,
        request: DeltaDiscoveryRequest,
        now: Instant,
    ) -> Reply {
        let reply = self.take_reply(kind, &request.response_nonce, request.error_detail, now);
        let first = self.ask(kind);
        let subscribe: Vec<Arc<str>> =
            request.resource_names_subscribe.iter().map(|name| (**name).into()).collect();
        if first {
            self.first_subscription(kind, &subscribe, request.initial_resource_versions, now);
        } else {
            for name in &subscribe {
                self.subscribe(kind, name);
            }
        }
        for name in &request.resource_names_unsubscribe {
            self.unsubscribe(kind, name);
        }
        reply
    }

    /// Takes a state-of-the-world request for a type. One that answers an outdated response says
    /// nothing at all: the client repeats itself when it answers the newer one.
    pub fn on_sotw_request(&mut self, kind: ResourceType, request: DiscoveryRequest, now: Instant) -> Reply {
        let nonce = &request.response_nonce;
        let table = self.table(kind);
        let latest = table.last_nonce.map(|nonce| nonce.to_string());
        let stale = table.requested && !nonce.is_empty() && latest.as_ref() != Some(nonce);
        let reply = self.take_reply(kind, nonce, request.error_detail, now);
        if stale {
            return reply;
        }
        let first = self.ask(kind);
        self.replace_subscription(kind, &request.resource_names, first, now);
        reply
    }

    /// Notes that a type was asked for; tells whether it is the first time.
    fn ask(&mut self, kind: ResourceType) -> bool {
        let first = !std::mem::replace(&mut self.table_mut(kind).requested, true);
        if first {
            self.release_behind(&Blocker::Asked(kind));
        }
        first
    }

    fn first_subscription(
        &mut self,
        kind: ResourceType,
        subscribe: &[Arc<str>],
        initial: HashMap<String, String>,
        now: Instant,
    ) {
        let comes_back = !initial.is_empty() && self.progress().count() == 1;
        let table = self.table_mut(kind);
        table.subscription.wildcard = subscribe.is_empty() && has_wildcard(kind);
        for name in subscribe {
            table.subscription.add(name);
        }
        // The first request of a stream is answered even if the client has everything: the time that Envoy
        // waits before it connects again doubles, up to half a minute, until it hears something.
        if comes_back || table.subscription.wildcard && initial.is_empty() {
            table.answer_by = Some(now + WARM_GRACE);
        }
        // A name that the client does not hold needs a word even if there is nothing to send.
        let missing = subscribe.iter().filter(|name| !initial.contains_key(&***name) && &***name != WILDCARD);
        let missing: Vec<_> = missing.cloned().collect();
        for name in missing {
            self.force(kind, &name);
        }
        self.take_over(kind, initial);
        self.owe_differences(kind);
        let table = self.table_mut(kind);
        let forced: Vec<_> = table.forced.iter().cloned().collect();
        for name in &forced {
            table.owe(name);
        }
    }

    /// Takes what the client holds from an earlier stream for given, where it is ours and current.
    ///
    /// An Envoy that asks for endpoints before clusters was cut off between the two: it holds back its request
    /// for clusters until every assignment has come again, so nothing is taken for given.
    fn take_over(&mut self, kind: ResourceType, initial: HashMap<String, String>) {
        let cut_off =
            kind == ResourceType::Endpoint && self.ordered() && !self.table(ResourceType::Cluster).requested;
        for (name, version) in initial {
            let current = self.snapshot.get(kind, &name);
            let same =
                current.filter(|current| Version::parse(&version) == Some(current.version) && !cut_off);
            let stamp = same.map(|current| current.stamp().clone());
            let accepted = Some(stamp.clone().unwrap_or_else(|| Stamp::foreign(&version)));
            let name: Arc<str> = name.into();
            let table = self.table_mut(kind);
            if !table.subscription.covers(&name) {
                continue;
            }
            table.held.insert(name.clone(), Held { sent: stamp, accepted, ready: true, taken: false });
            self.note_held(kind, &name);
            if cut_off {
                self.force(kind, &name);
            }
        }
    }

    /// A subscription to a name that the client should hold says that it forgot: it is sent again.
    fn subscribe(&mut self, kind: ResourceType, name: &Arc<str>) {
        self.table_mut(kind).subscription.add(name);
        if &**name == WILDCARD {
            self.owe_differences(kind);
        } else {
            self.table_mut(kind).refused.remove(name);
            self.force(kind, name);
        }
    }

    fn force(&mut self, kind: ResourceType, name: &Arc<str>) {
        let table = self.table_mut(kind);
        table.forced.insert(name.clone());
        table.owe(name);
    }

    fn unsubscribe(&mut self, kind: ResourceType, name: &str) {
        let table = self.table_mut(kind);
        if name == WILDCARD {
            table.subscription.wildcard = false;
        } else if let Some(name) = table.subscription.names.take(name)
            && table.subscription.wildcard
        {
            // The client drops it, but still asks for everything: it needs it again, or a word that it is gone.
            self.force(kind, &name);
            return;
        }
        self.forget_uncovered(kind, name);
    }

    fn forget_uncovered(&mut self, kind: ResourceType, name: &str) {
        let table = self.table_mut(kind);
        let gone: Vec<Arc<str>> = if name == WILDCARD {
            let known = table.held.keys().chain(&table.owed).chain(&table.leaving).chain(&table.forced);
            known.filter(|name| !table.subscription.covers(name)).cloned().collect()
        } else if table.subscription.covers(name) {
            Vec::new()
        } else {
            vec![name.into()]
        };
        for name in gone {
            self.table_mut(kind).forget(&name);
            self.note_held(kind, &name);
            let name = ResourceName { kind, name };
            self.waiting.clear(&name);
            self.release(&name);
        }
        if name == WILDCARD {
            self.release_for_subscription(kind);
        }
    }

    /// What waits for a cluster that the client does not ask for waits no longer.
    fn release_for_subscription(&mut self, kind: ResourceType) {
        if kind == ResourceType::Cluster {
            for name in self.waiting.release_all() {
                self.table_mut(name.kind).owe(&name.name);
            }
        }
    }

    fn replace_subscription(&mut self, kind: ResourceType, names: &[String], first: bool, now: Instant) {
        let table = self.table(kind);
        let wildcard = names.iter().any(|name| name == WILDCARD)
            || names.is_empty() && has_wildcard(kind) && !table.subscription.named;
        let wanted: BTreeSet<&str> =
            names.iter().map(String::as_str).filter(|name| *name != WILDCARD).collect();
        let known = &table.subscription.names;
        let dropped: Vec<_> = known.iter().filter(|name| !wanted.contains(&***name)).cloned().collect();
        let added: Vec<&str> = wanted.into_iter().filter(|name| !known.contains(*name)).collect();
        let was_wildcard = table.subscription.wildcard;
        for name in added {
            self.subscribe(kind, &name.into());
        }
        if wildcard && !was_wildcard {
            self.table_mut(kind).subscription.wildcard = true;
            self.owe_differences(kind);
        }
        if !wildcard && was_wildcard {
            self.unsubscribe(kind, WILDCARD);
        }
        for name in dropped {
            self.table_mut(kind).subscription.names.remove(&name);
            self.forget_uncovered(kind, &name);
        }
        if first && has_wildcard(kind) {
            self.table_mut(kind).answer_by = Some(now + WARM_GRACE);
        }
    }
}

/// Whether asking for no names means asking for all.
const fn has_wildcard(kind: ResourceType) -> bool {
    matches!(kind, ResourceType::Cluster | ResourceType::Listener)
}
