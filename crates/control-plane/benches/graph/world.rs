//! The configuration whose changes are counted: small virtual services over a fixed set of upstreams.

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_store::{Revision, StoredObject};
use bytes::Bytes;

/// Routes of each virtual service.
const ROUTES: usize = 10;

/// Upstreams, whatever the number of routes.
const UPSTREAMS: usize = 1_000;

/// The namespace of everything.
const NAMESPACE: &str = "default";

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// One route of a virtual service of ten has another prefix.
    Route,
    /// An upstream has another timeout for connecting.
    Upstream,
    /// An upstream has another endpoint.
    Endpoint,
    /// A virtual service is written again with another comment.
    Rewrite,
}

impl Change {
    /// All of them, in the order in which they are counted.
    pub(crate) const ALL: [Self; 4] = [Self::Route, Self::Upstream, Self::Endpoint, Self::Rewrite];

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Route => "one route",
            Self::Upstream => "one upstream",
            Self::Endpoint => "one endpoint",
            Self::Rewrite => "no-op rewrite",
        }
    }
}

/// All objects of a configuration of `routes` routes, as a store lists them.
pub(crate) fn objects(routes: usize) -> Vec<StoredObject> {
    let gateway = stored(Kind::Gateway, "edge", &gateway(), 0);
    let services = (0..routes / ROUTES).map(|service| virtual_service(service, 0, ""));
    let upstreams = (0..UPSTREAMS).map(|upstream| self::upstream(upstream, 0, 0));
    let mut objects: Vec<_> = std::iter::once(gateway).chain(services).chain(upstreams).collect();
    objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    objects
}

/// The object that a change writes. No two turns write the same.
pub(crate) fn changed(change: Change, routes: usize, turn: usize) -> StoredObject {
    let service = routes / ROUTES / 2;
    match change {
        Change::Route => virtual_service(service, turn, ""),
        Change::Upstream => upstream(UPSTREAMS / 2, turn, 0),
        Change::Endpoint => upstream(UPSTREAMS / 2 + 1, 0, turn),
        Change::Rewrite => virtual_service(service + 1, 0, &format!("# turn {turn}\n")),
    }
}

fn gateway() -> String {
    "bindAddress: 127.0.0.1\nbindPort: 8080\nhttpGateway: {}\n".to_owned()
}

fn virtual_service(service: usize, turn: usize, comment: &str) -> StoredObject {
    let mut fields = format!("{comment}virtualHost:\n  domains: [s{service:05}.example.com]\n  routes:\n");
    for route in 0..ROUTES {
        let prefix = if route == ROUTES / 2 { format!("/r{route}/{turn}") } else { format!("/r{route}") };
        let upstream = (service * ROUTES + route) % UPSTREAMS;
        fields += &format!(
            "  - matchers: [{{prefix: {prefix}}}]\n    \
             routeAction: {{single: {{upstream: {{name: u{upstream:04}, namespace: {NAMESPACE}}}}}}}\n    \
             options: {{prefixRewrite: /, timeout: 15s}}\n"
        );
    }
    stored(Kind::VirtualService, &format!("s{service:05}"), &fields, turn)
}

fn upstream(upstream: usize, timeout: usize, endpoint: usize) -> StoredObject {
    let (a, b) = (endpoint / 200 + 1, endpoint % 200 + 1);
    let fields = format!(
        "connectionConfig: {{connectTimeout: {}ms}}\n\
         static:\n  hosts:\n  - {{addr: 10.0.0.1, port: 8080}}\n  - {{addr: 10.1.{a}.{b}, port: 8080}}\n",
        1_000 + timeout
    );
    stored(Kind::Upstream, &format!("u{upstream:04}"), &fields, timeout + endpoint)
}

fn stored(kind: Kind, name: &str, fields: &str, turn: usize) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(kind, NAMESPACE, name),
        value: Bytes::from(format!("metadata: {{name: {name}, namespace: {NAMESPACE}}}\n{fields}")),
        location: Location::file(format!("{name}.yaml"), 1),
        revision: Revision(turn as u64),
        created: None,
    }
}
