//! Endpoints that are looked up, on their way through the engine.

use biplane_core::key::{Kind, ResourceRef};
use tokio::time::Instant;

use super::Engine;
use crate::discovery::{Discovery, Told};
use crate::graph::Edit;

impl Engine {
    /// Takes in what sources of endpoints tell: nothing but the load assignments of their upstreams is touched (I5).
    pub(crate) fn on_endpoints(&mut self, told: Vec<Told>, now: Instant) {
        let edits = self.discovery.told(told, now);
        self.publish_endpoints(edits, now);
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
        let named = |name: ResourceRef| {
            let is_named = self.graph.is_named(&name.key(Kind::Upstream));
            self.discovery.named(&name, is_named)
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
        let held = self.discovery.held().get(source).copied().unwrap_or_default();
        let edits = self.discovery.accept(source, now);
        self.publish_endpoints(edits, now);
        held
    }
}
