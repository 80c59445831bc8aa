//! The tree of files whose changes are measured: Gloo's kinds, one object a file.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;

use biplane_testkit::xds::type_url;
use biplane_testkit::{Files, TempDir, free_port};

/// The fleet of a gateway that names none.
pub(crate) const FLEET: &str = "gateway-proxy";

/// The response header that shows which version of the changed route Envoy has.
pub(crate) const REVISION: &str = "x-revision";

/// How large a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Virtual services, each with a domain of its own.
    pub(crate) services: usize,
    /// Routes of each.
    pub(crate) routes: usize,
    /// Upstreams, all of them named by some route if there are as many routes.
    pub(crate) upstreams: usize,
}

impl Size {
    /// Services of ten routes and a thousand upstreams.
    pub(crate) const fn of_routes(routes: usize) -> Self {
        Self { services: routes / 10, routes: 10, upstreams: 1_000 }
    }

    /// All routes.
    pub(crate) const fn total_routes(self) -> usize {
        self.services * self.routes
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// One route of one virtual service.
    Route,
    /// A setting of an upstream.
    Upstream,
    /// An endpoint of an upstream.
    Endpoint,
}

impl Change {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Route, Self::Upstream, Self::Endpoint];

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Route => "one route",
            Self::Upstream => "one upstream",
            Self::Endpoint => "one endpoint",
        }
    }

    /// The type of the first response that it causes.
    pub(crate) const fn type_url(self) -> &'static str {
        match self {
            Self::Route => type_url::ROUTE,
            Self::Upstream => type_url::CLUSTER,
            Self::Endpoint => type_url::ENDPOINT,
        }
    }
}

/// A tree of files.
#[derive(Debug)]
pub(crate) struct World {
    /// How large it is.
    pub(crate) size: Size,
    /// Where Envoy listens.
    pub(crate) port: u16,
    /// The tree.
    pub(crate) files: Files,
    backend: SocketAddr,
}

impl World {
    /// Writes the tree under `directory`; all upstreams are at `backend`.
    pub(crate) fn write(size: Size, directory: &TempDir, backend: SocketAddr) -> Self {
        let files = Files::new(directory.join("resources"));
        let world = Self { size, port: free_port(), files, backend };
        world.create("gateway.yaml", &world.gateway());
        (0..size.services)
            .for_each(|service| world.create(&service_file(service), &world.service(service, 0)));
        (0..size.upstreams).for_each(|upstream| {
            world.create(&upstream_file(upstream), &world.upstream(upstream, 0, 0));
        });
        world
    }

    /// Writes one file anew. No two turns of a change write the same.
    pub(crate) fn change(&self, change: Change, turn: usize) {
        let (service, upstream) = (self.size.services / 2, self.size.upstreams / 2);
        match change {
            Change::Route => self.files.write(service_file(service), &self.service(service, turn)),
            Change::Upstream => self.files.write(upstream_file(upstream), &self.upstream(upstream, turn, 0)),
            Change::Endpoint => {
                self.files.write(upstream_file(upstream + 1), &self.upstream(upstream + 1, 0, turn));
            }
        }
    }

    /// The domain and the path of the route that [`Change::Route`] changes.
    pub(crate) fn changed_route(&self) -> (String, String) {
        (domain(self.size.services / 2), format!("/r{}/", self.size.routes / 2))
    }

    /// The name of the route configuration.
    pub(crate) fn route_configuration(&self) -> String {
        format!("listener-127.0.0.1-{}-routes", self.port)
    }

    /// Without the care that a watched tree needs, which takes twice as long.
    fn create(&self, name: &str, text: &str) {
        let path = self.files.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the tree is writable");
        fs::write(path, text).expect("the tree is writable");
    }

    fn gateway(&self) -> String {
        let fields = format!("bindAddress: 127.0.0.1\n  bindPort: {}\n  httpGateway: {{}}", self.port);
        document("gateway.solo.io/v1", "Gateway", "edge", &fields)
    }

    fn service(&self, service: usize, turn: usize) -> String {
        let mut fields = format!("virtualHost:\n    domains: [{}]\n    routes:", domain(service));
        for route in 0..self.size.routes {
            let upstream = (service * self.size.routes + route) % self.size.upstreams;
            let revision = if route == self.size.routes / 2 { turn } else { 0 };
            let _ = write!(
                fields,
                "\n    - matchers: [{{prefix: /r{route}/}}]\n      \
                 routeAction: {{single: {{upstream: {{name: u{upstream:05}, namespace: default}}}}}}\n      \
                 options:\n        timeout: 15s\n        headerManipulation:\n          \
                 responseHeadersToAdd: [{{header: {{key: {REVISION}, value: \"{revision}\"}}}}]"
            );
        }
        document("gateway.solo.io/v1", "VirtualService", &format!("s{service:05}"), &fields)
    }

    fn upstream(&self, upstream: usize, timeout: usize, endpoint: usize) -> String {
        let (a, b) = (endpoint / 200 + 1, endpoint % 200 + 1);
        let (address, port) = (self.backend.ip(), self.backend.port());
        let fields = format!(
            "connectionConfig: {{connectTimeout: {}ms}}\n  static:\n    hosts:\n    \
             - {{addr: {address}, port: {port}}}\n    - {{addr: 127.1.{a}.{b}, port: {port}}}",
            1_000 + timeout
        );
        document("gloo.solo.io/v1", "Upstream", &format!("u{upstream:05}"), &fields)
    }
}

fn domain(service: usize) -> String {
    format!("s{service:05}.example.com")
}

fn service_file(service: usize) -> String {
    format!("services/s{service:05}.yaml")
}

fn upstream_file(upstream: usize) -> String {
    format!("upstreams/u{upstream:05}.yaml")
}

fn document(version: &str, kind: &str, name: &str, fields: &str) -> String {
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  {fields}\n"
    )
}
