//! Virtual services and their route tables to Envoy routes, virtual hosts and route configurations.
//!
//! ```text
//! virtual_service   one VirtualService + tables, options, groups ──▶ RouteSet: its routes, encoded one by one
//! virtual_host      the RouteSets that share some domains        ──▶ VirtualHost bytes
//! route_configuration   all VirtualHost bytes of a listener      ──▶ RouteConfiguration
//! ```
//!
//! Only the first step translates and encodes. The other two join what is encoded: a change of one
//! virtual service costs its own routes and a copy of the bytes around them.
//!
//! Invariant: a join has the bytes that encoding the whole message canonically would have.

mod action;
pub(crate) mod client_ip;
mod configuration;
mod delegate;
mod host;
mod inherit;
pub(crate) mod matcher;
mod merge;
mod needs;
mod options;
mod scope;
mod specificity;
mod values;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::VirtualService;
use bytes::Bytes;

use crate::lookup::Lookup;
use crate::resource::EnvoyName;
use crate::tls;
pub use configuration::route_configuration;
pub use host::HostOptions;
pub use matcher::MatcherIdentity;
pub use merge::{Lost, Merged, VirtualHost, merged, virtual_host};
pub use specificity::Specificity;

/// Where the options of a virtual host go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Onto Envoy's virtual host: the usual case.
    VirtualHost,
    /// Into each route, for services that share a domain and differ in their options: the options
    /// of each then hold for its own routes only.
    Routes,
}

/// One encoded route with what merging needs.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedRoute {
    /// The `envoy.config.route.v3.Route` in canonical encoding.
    pub bytes: Bytes,
    /// What the route matches: two routes that match the same requests by the same words conflict.
    pub matcher: MatcherIdentity,
    /// How specific the matcher is.
    pub specificity: Specificity,
    /// The virtual service or the route table that wrote it.
    pub owner: Arc<ObjectKey>,
    /// Where its owner wrote it.
    pub position: Position,
}

/// The place of a matcher among the routes of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The route, from 0.
    pub route: u32,
    /// The matcher of the route, from 0; `None`: the route has none written.
    pub matcher: Option<u32>,
}

/// Without its content: that may hold keys of clients.
impl fmt::Debug for EncodedRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().to_string();
        f.debug_struct("EncodedRoute")
            .field("owner", &self.owner)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

impl EncodedRoute {
    /// The field of its owner that holds it.
    pub fn path(&self) -> FieldPath {
        let route = route_path(&self.owner, self.position.route as usize);
        match self.position.matcher {
            Some(matcher) => route.field("matchers").index(matcher as usize),
            None => route,
        }
    }
}

/// The path of a route in the object that holds it.
fn route_path(owner: &ObjectKey, index: usize) -> FieldPath {
    let holder = match owner.kind {
        Kind::VirtualService => FieldPath::root().field("virtualHost"),
        _ => FieldPath::root(),
    };
    holder.field("routes").index(index)
}

/// The routes of one virtual service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet {
    /// The routes in the order in which Envoy tries them.
    pub routes: Vec<EncodedRoute>,
    /// What the virtual host around them carries.
    pub host: HostOptions,
    /// The upstreams whose clusters the encoded routes name, existing or not; sorted, each once.
    pub clusters: Box<[ResourceRef]>,
    /// The secrets whose headers requests carry: the routes need the clusters that subscribe to them
    /// ([`names::secret_subscription`](crate::names::secret_subscription)). Sorted, each once.
    pub secrets: Box<[ResourceRef]>,
    /// What Envoys hold who have the routes as they are when more is known of these secrets; meanwhile routes are closed
    /// that need them. Sorted, each once.
    pub lacks: Box<[EnvoyName]>,
    /// Whether a request header may name any upstream.
    pub cluster_header: bool,
    /// Whether a matcher is for CONNECT requests: the listener must let them in.
    pub connect: bool,
    /// Findings about the virtual service and what it uses, sorted.
    pub reports: Vec<Report>,
}

/// The routes of the virtual service `service` at `key`, delegation and options resolved.
pub fn virtual_service(
    key: &ObjectKey,
    service: &VirtualService,
    placement: Placement,
    lookup: &dyn Lookup,
) -> RouteSet {
    let mut scope = scope::Scope::new(key, lookup);
    if let Some(ssl) = &service.ssl_config {
        scope.verified = tls::verifies_clients(ssl, lookup);
        scope.lacks(tls::unknown_material(ssl, lookup));
    }
    let Some(spec) = &service.virtual_host else { return scope.finish(Vec::new()) };
    let host = host::resolve(&mut scope, spec);
    scope.set.host = HostOptions::new(&host, placement, lookup);
    let routes = delegate::walk(&mut scope, &spec.routes, &host, placement);
    scope.finish(routes)
}

/// Whether a direct response stands in for a route whose requests lack a secret.
pub(crate) fn is_withheld(status: u32, body: &str) -> bool {
    action::withheld::is_answer(status, body)
}

/// The domains of a virtual service, in lower case as Envoy compares them; none written: all.
pub fn domains(service: &VirtualService) -> BTreeSet<String> {
    let written = service.virtual_host.iter().flat_map(|host| &host.domains);
    let domains: BTreeSet<String> = written.map(|domain| domain.to_ascii_lowercase()).collect();
    if domains.is_empty() { BTreeSet::from(["*".to_owned()]) } else { domains }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "tests hand over what `json!` makes")]
pub(crate) mod testing;
#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "tests hand over what `json!` makes")]
mod tests;
