//! The keys whose changes are measured: Gloo's kinds, one object a key, spread over namespaces.

use std::net::SocketAddr;

use biplane_testkit::free_port;
use biplane_testkit::xds::type_url;

/// The store's root.
pub(crate) const ROOT: &str = "biplane";

/// What Biplane watches.
pub(crate) const CONFIG: &str = "biplane/config/";

/// The fleet of a gateway that names none.
pub(crate) const FLEET: &str = "gateway-proxy";

/// The response header that shows which version of the changed route Envoy has.
pub(crate) const REVISION: &str = "x-revision";

/// How large a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Virtual services, each with a domain and a route.
    pub(crate) services: usize,
    /// Upstreams, all of them named by some route.
    pub(crate) upstreams: usize,
    /// Both are spread over these.
    pub(crate) namespaces: usize,
}

impl Size {
    /// A gateway, an upstream for each ten keys, and virtual services.
    pub(crate) const fn of_keys(keys: usize, namespaces: usize) -> Self {
        Self { services: keys - keys / 10 - 1, upstreams: keys / 10, namespaces }
    }

    /// All objects.
    pub(crate) const fn keys(self) -> usize {
        1 + self.services + self.upstreams
    }

    /// All routes.
    pub(crate) const fn total_routes(self) -> usize {
        self.services
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The route of one virtual service.
    Service,
    /// An endpoint of an upstream.
    Endpoint,
}

impl Change {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Service, Self::Endpoint];

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Service => "one virtual service",
            Self::Endpoint => "one endpoint",
        }
    }

    /// The type of the response that it causes.
    pub(crate) const fn type_url(self) -> &'static str {
        match self {
            Self::Service => type_url::ROUTE,
            Self::Endpoint => type_url::ENDPOINT,
        }
    }
}

/// A configuration.
#[derive(Debug)]
pub(crate) struct World {
    /// How large it is.
    pub(crate) size: Size,
    /// Where Envoy listens.
    pub(crate) port: u16,
    backend: SocketAddr,
}

impl World {
    /// All upstreams are at `backend`.
    pub(crate) fn new(size: Size, backend: SocketAddr) -> Self {
        Self { size, port: free_port(), backend }
    }

    /// All keys with their values.
    pub(crate) fn entries(&self) -> Vec<(String, String)> {
        let services = (0..self.size.services).map(|service| self.service(service, 0));
        let upstreams = (0..self.size.upstreams).map(|upstream| self.upstream(upstream, 0));
        std::iter::once(self.gateway()).chain(upstreams).chain(services).collect()
    }

    /// One key anew. No two turns of a change are the same.
    pub(crate) fn changed(&self, change: Change, turn: usize) -> (String, String) {
        match change {
            Change::Service => self.service(self.size.services / 2, turn),
            Change::Endpoint => self.upstream(self.size.upstreams / 2, turn),
        }
    }

    /// The domain and the path of the route that [`Change::Service`] changes.
    pub(crate) fn changed_route(&self) -> (String, String) {
        (domain(self.size.services / 2), "/r0/".to_owned())
    }

    /// The name of the route configuration.
    pub(crate) fn route_configuration(&self) -> String {
        format!("listener-127.0.0.1-{}-routes", self.port)
    }

    fn gateway(&self) -> (String, String) {
        let fields = format!("bindAddress: 127.0.0.1\n  bindPort: {}\n  httpGateway: {{}}", self.port);
        self.entry("gateway.solo.io/v1", "Gateway", 0, "edge", &fields)
    }

    fn service(&self, service: usize, turn: usize) -> (String, String) {
        let upstream = service % self.size.upstreams;
        let fields = format!(
            "virtualHost:\n    domains: [{}]\n    routes:\n    - matchers: [{{prefix: /r0/}}]\n      \
             routeAction: {{single: {{upstream: {{name: u{upstream:05}, namespace: {}}}}}}}\n      \
             options:\n        timeout: 15s\n        headerManipulation:\n          \
             responseHeadersToAdd: [{{header: {{key: {REVISION}, value: \"{turn}\"}}}}]",
            domain(service),
            self.namespace(upstream)
        );
        self.entry("gateway.solo.io/v1", "VirtualService", service, &format!("s{service:05}"), &fields)
    }

    fn upstream(&self, upstream: usize, turn: usize) -> (String, String) {
        let (a, b) = (turn / 200 + 1, turn % 200 + 1);
        let (address, port) = (self.backend.ip(), self.backend.port());
        let fields = format!(
            "connectionConfig: {{connectTimeout: 1s}}\n  static:\n    hosts:\n    \
             - {{addr: {address}, port: {port}}}\n    - {{addr: 127.1.{a}.{b}, port: {port}}}"
        );
        self.entry("gloo.solo.io/v1", "Upstream", upstream, &format!("u{upstream:05}"), &fields)
    }

    fn entry(&self, version: &str, kind: &str, number: usize, name: &str, fields: &str) -> (String, String) {
        let namespace = self.namespace(number);
        let value = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n\
             spec:\n  {fields}\n"
        );
        (format!("{CONFIG}{kind}/{namespace}/{name}"), value)
    }

    fn namespace(&self, number: usize) -> String {
        format!("team-{:02}", number % self.size.namespaces)
    }
}

fn domain(service: usize) -> String {
    format!("s{service:05}.example.com")
}
