//! A virtual service in the graph: its routes, and what gateways look at to select it.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::ObjectKey;
use biplane_core::resources::tls::SslConfig;
use biplane_core::resources::{Metadata, VirtualService};
use biplane_translator::Lookup;
use biplane_translator::route::{self, Placement, RouteSet};

use super::tables::Entry;

/// A translated virtual service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) age: Age,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) spec: Arc<VirtualService>,
    pub(crate) domains: BTreeSet<String>,
    pub(crate) routes: Arc<RouteSet>,
    folded: OnceCell<Arc<RouteSet>>,
}

impl Service {
    /// Translates a virtual service.
    pub(crate) fn translate(key: &ObjectKey, entry: &Entry<VirtualService>, lookup: &dyn Lookup) -> Self {
        let routes = route::virtual_service(key, &entry.spec, Placement::VirtualHost, lookup);
        Self {
            age: entry.age.clone(),
            metadata: entry.metadata.clone(),
            spec: entry.spec.clone(),
            domains: route::domains(&entry.spec),
            routes: Arc::new(routes),
            folded: OnceCell::new(),
        }
    }

    /// The routes with the virtual host's options folded into each: for a domain that is shared with
    /// a service of other options. It asks nothing that [`Self::translate`] has not asked.
    pub(crate) fn folded(&self, lookup: &dyn Lookup) -> &Arc<RouteSet> {
        let translate = || route::virtual_service(self.age.key(), &self.spec, Placement::Routes, lookup);
        self.folded.get_or_init(|| Arc::new(translate()))
    }

    /// TLS towards clients, where there is any.
    pub(crate) fn ssl(&self) -> Option<&SslConfig> {
        self.spec.ssl_config.as_ref()
    }

    /// Whether nothing that a gateway looks at differs from `other`.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.age == other.age
            && self.metadata.labels == other.metadata.labels
            && self.metadata.annotations == other.metadata.annotations
            && self.domains == other.domains
            && self.ssl() == other.ssl()
            && self.routes_like(other)
    }

    /// Whether Envoy would get the same routes. An early cut-off: bytes are compared, not objects.
    pub(crate) fn routes_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.routes, &other.routes);
        a.routes == b.routes
            && a.host == b.host
            && a.clusters == b.clusters
            && (&a.secrets, &a.lacks) == (&b.secrets, &b.lacks)
            && (a.cluster_header, a.connect) == (b.cluster_header, b.connect)
    }

    /// Keeps the routes of before where they are the same, so that who holds them sees that at a glance.
    pub(crate) fn keep_unchanged(&mut self, before: Option<&Self>) {
        if let Some(before) = before.filter(|before| self.routes_like(before)) {
            self.routes = before.routes.clone();
        }
    }
}
