//! Endpoints that are looked up, on their way through the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::metadata::MADE_BY;
use biplane_core::resources::upstream::discovery::ConsulDestination;
use biplane_core::resources::{Metadata, Object, Spec, Upstream};
use tokio::time::Instant;

use super::Engine;
use crate::discovery::{Discovery, Told};
use crate::graph::Edit;

/// The upstream that stands for a destination; nobody has written it.
fn stand_in(key: ObjectKey, destination: &ConsulDestination) -> Edit {
    let labels = BTreeMap::from([(MADE_BY.to_owned(), "routes".to_owned())]);
    let metadata =
        Metadata { name: key.name.clone(), namespace: key.namespace.clone(), labels, ..Metadata::default() };
    let upstream = Upstream { consul: Some(Box::new(destination.question())), ..Upstream::default() };
    let spec = Spec::Upstream(Arc::new(upstream));
    Edit::Put(Box::new(Object { key, metadata: Arc::new(metadata), spec }), None)
}

impl Engine {
    /// Takes in what sources of endpoints tell: nothing but the load assignments of their upstreams is touched (I5).
    pub(crate) fn on_endpoints(&mut self, told: Vec<Told>, now: Instant) {
        let edits = self.discovery.told(told, now);
        self.publish_endpoints(edits, now);
        self.take_warm(now);
        self.try_open(now);
    }

    pub(super) fn publish_endpoints(&mut self, edits: Vec<Edit>, now: Instant) {
        if !edits.is_empty() {
            self.publish(|engine, published| engine.change(edits, published, now));
        }
    }

    /// Upstreams that something names now have their endpoints looked up. The edits: those that are known already.
    pub(super) fn name_upstreams(&mut self) -> Vec<Edit> {
        let asked = self.graph.take_asked_upstreams();
        let stand_ins = &mut self.made.stand_ins;
        let named = |name: ResourceRef| {
            let key = name.key(Kind::Upstream);
            let is_named = self.graph.is_named(&key);
            match ConsulDestination::of_upstream(&name) {
                Some(destination) if is_named => {
                    stand_ins.insert(name);
                    Some(stand_in(key, &destination))
                }
                Some(_) => {
                    stand_ins.remove(&name);
                    Some(Edit::Delete(key))
                }
                None => self.discovery.named(&name, is_named),
            }
        };
        let mut edits: Vec<_> = asked.into_iter().filter_map(named).collect();
        edits.extend(self.discovery.name_all(self.graph.names_all_upstreams()));
        edits
    }

    /// The endpoints that are looked up.
    pub(crate) const fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Somebody means that the services of this source are gone that are held.
    pub(crate) fn accept_endpoints(&mut self, source: &str, now: Instant) -> usize {
        let held = self.discovery.doubted(source);
        let edits = self.discovery.accept(source, now);
        self.publish_endpoints(edits, now);
        held + self.accept_left(source, now)
    }
}
