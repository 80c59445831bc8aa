//! What tags define, in the terms of Traefik's dynamic configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Routers, services and middlewares by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Configuration {
    /// The routers.
    pub routers: BTreeMap<String, Router>,
    /// The services.
    pub services: BTreeMap<String, Service>,
    /// The middlewares.
    pub middlewares: BTreeMap<String, Middleware>,
}

/// Which requests go through which middlewares to which service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Router {
    /// Where it listens; none: everywhere.
    pub entry_points: Vec<String>,
    /// In the order in which requests go through them.
    pub middlewares: Vec<String>,
    /// The service's name.
    pub service: String,
    /// The rule.
    pub rule: String,
    /// Routers that hand over to this one.
    pub parent_refs: Vec<String>,
    /// `v2` or `v3`; empty: `v3`.
    pub rule_syntax: String,
    /// The larger is asked first; 0: the length of the rule.
    pub priority: i64,
    /// Serves TLS.
    pub tls: Option<RouterTls>,
    /// Logs, metrics and traces.
    pub observability: Option<Value>,
}

/// TLS of a router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouterTls {
    /// The name of options.
    pub options: String,
    /// Who issues its certificates.
    pub cert_resolver: String,
    /// For which names.
    pub domains: Vec<Value>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// Middlewares behind those of the router.
    pub middlewares: Vec<String>,
    /// How requests reach its instances.
    pub load_balancer: Option<LoadBalancer>,
}

/// How requests reach the instances of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    /// Keeps a client with an instance.
    pub sticky: Option<Sticky>,
    /// The instances.
    pub servers: Vec<Server>,
    /// How requests spread.
    pub strategy: String,
    /// Active health checks.
    pub health_check: Option<HealthCheck>,
    /// Passive health checks.
    pub passive_health_check: Option<PassiveHealthCheck>,
    /// Passes the client's Host header on.
    pub pass_host_header: Option<bool>,
    /// Flushing.
    pub response_forwarding: Option<Value>,
    /// The name of settings for connections.
    pub servers_transport: String,
}

/// One instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// The whole URL.
    pub url: String,
    /// Its share.
    pub weight: Option<i64>,
    /// Puts the URL's path in front of the request's.
    pub preserve_path: bool,
    /// What it speaks; empty: `http`.
    pub scheme: String,
    /// The port in place of the instance's own.
    pub port: String,
}

/// Keeps a client with an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sticky {
    /// By a cookie.
    pub cookie: Option<Cookie>,
}

/// The cookie of sticky sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cookie {
    /// Its name; empty: one that Traefik makes.
    pub name: String,
    /// For HTTPS only.
    pub secure: bool,
    /// Not for scripts.
    pub http_only: bool,
    /// `none`, `lax` or `strict`.
    pub same_site: String,
    /// Seconds that it lives; 0: as long as the session.
    pub max_age: i64,
    /// For which paths.
    pub path: Option<String>,
    /// For which domain.
    pub domain: String,
}

/// Active health checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// What they speak, in place of the server's.
    pub scheme: String,
    /// `http` or `grpc`.
    pub mode: String,
    /// The path.
    pub path: String,
    /// The method; empty: GET.
    pub method: String,
    /// The status that is healthy; 0: 200 to 399.
    pub status: i64,
    /// The port in place of the server's; 0: the server's.
    pub port: i64,
    /// Time between checks.
    pub interval: String,
    /// The same for unhealthy instances.
    pub unhealthy_interval: Option<String>,
    /// How long an answer may take.
    pub timeout: String,
    /// The Host header.
    pub hostname: String,
    /// Follows redirects.
    pub follow_redirects: Option<bool>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
}

/// Passive health checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PassiveHealthCheck {
    /// How long failures count, and how long an instance stays out.
    pub failure_window: String,
    /// Failures in a row.
    pub max_failed_attempts: i64,
}

/// A middleware: its kind and the kind's options, which may hold passwords and are never printed.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Middleware(pub Map<String, Value>);

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Middleware").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

impl LoadBalancer {
    /// Whether two say the same, but for their servers.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let without = |one: &Self| Self { servers: Vec::new(), ..one.clone() };
        without(self) == without(other)
    }
}

impl Service {
    /// Whether two say the same, but for their servers.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let balancers = match (&self.load_balancer, &other.load_balancer) {
            (Some(one), Some(two)) => one.agrees_with(two),
            (one, two) => one.is_none() == two.is_none(),
        };
        balancers && self.middlewares == other.middlewares
    }
}

impl Middleware {
    /// The middlewares that a chain names.
    pub fn chained(&self) -> impl Iterator<Item = &str> {
        let chain = self.0.get("chain").and_then(|chain| chain.get("middlewares"));
        chain.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }
}
