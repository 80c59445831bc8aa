//! A made route moves to an upstream only when the endpoints of that are known: a canary's first step and its last move all
//! requests of a service to another upstream, and nobody may be answered 503 for that. So upstreams that are new go
//! first, and what is made with them waits.
//!
//! Invariant: what waits, waits at most [`WARM_UP`], and is carried out as one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::metadata::MADE_BY;
use tokio::time::Instant;

use super::Engine;
use crate::ingest::MadeObject;

/// How long made objects wait for the endpoints of upstreams that are made with them.
const WARM_UP: Duration = Duration::from_secs(2);

/// Objects that wait for the endpoints of the upstreams that are made with them.
#[derive(Debug)]
pub(super) struct Warming {
    puts: BTreeMap<ObjectKey, MadeObject>,
    deletions: BTreeSet<ObjectKey>,
    upstreams: BTreeSet<ResourceRef>,
    until: Instant,
}

impl Warming {
    fn add(&mut self, puts: Vec<MadeObject>, deletions: Vec<ObjectKey>) {
        for object in puts {
            self.deletions.remove(&object.key);
            self.puts.insert(object.key.clone(), object);
        }
        for key in deletions {
            self.puts.remove(&key);
            self.deletions.insert(key);
        }
    }
}

/// Whether routes are made with it. Services that become upstreams as they are wait for somebody who routes to them.
fn is_for_routes(object: &MadeObject) -> bool {
    object.value["metadata"]["labels"][MADE_BY] == "tags"
}

impl Engine {
    /// Has the endpoints of new upstreams looked up; the rest waits.
    pub(super) fn warm(&mut self, puts: Vec<MadeObject>, deletions: Vec<ObjectKey>, now: Instant) {
        let mut warming = self.made.warming.take().unwrap_or_else(|| Warming {
            puts: BTreeMap::new(),
            deletions: BTreeSet::new(),
            upstreams: BTreeSet::new(),
            until: now + WARM_UP,
        });
        warming.add(puts, deletions);
        let is_new = |key: &ObjectKey| key.kind == Kind::Upstream && self.ingest.in_use(key).is_none();
        let first: Vec<_> =
            warming.puts.extract_if(.., |key, _| is_new(key)).map(|(_, object)| object).collect();
        let for_routes = first.iter().filter(|object| is_for_routes(object));
        warming.upstreams.extend(for_routes.map(|object| object.key.reference()));
        let edits = self.ingest.make(first, Vec::new());
        self.transact(edits, now);
        let edits = self.discovery.expect(warming.upstreams.clone());
        self.publish_endpoints(edits, now);
        self.made.warming = Some(warming);
    }

    /// Carries out what waited, if it has waited enough.
    pub(super) fn take_warm(&mut self, now: Instant) {
        let discovery = &self.discovery;
        let is_due = |warming: &mut Warming| {
            warming.until <= now || warming.upstreams.iter().all(|name| discovery.is_answered(name))
        };
        let Some(warming) = self.made.warming.take_if(is_due) else { return };
        let puts = warming.puts.into_values().collect();
        let edits = self.ingest.make(puts, warming.deletions.into_iter().collect());
        self.edition += 1;
        self.transact(edits, now);
        let edits = self.discovery.expect(BTreeSet::new());
        self.publish_endpoints(edits, now);
        self.drop_strays();
        self.try_open(now);
    }

    /// When something has waited enough.
    pub(super) fn warm_deadline(&self) -> Option<Instant> {
        self.made.warming.as_ref().map(|warming| warming.until)
    }
}

#[cfg(test)]
mod tests;
