//! Routers: what every reader makes of tags, and all that the table knows of them.
//!
//! A router answers the requests that its rule matches. Rules are not bound to hosts or to paths; what a virtual host
//! of Envoy's needs of them is worked out by the table.

use std::fmt;

use biplane_core::key::ResourceRef;
use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::service::ServiceId;

/// The language that a router was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `biplane.*`
    Own,
    /// `traefik.http.*`
    Traefik,
    /// `urlprefix-`
    Fabio,
}

/// One router.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// The language that it was written in.
    pub dialect: Dialect,
    /// Its name, unique among the routers that one reader makes of one service.
    pub name: String,
    /// No two services of a source may have a router of this name: the second is refused. `None` where names are
    /// the service's own affair.
    pub exclusive_name: Option<String>,
    /// The service whose tag it is.
    pub owner: ServiceId,
    /// The instance that was read, for findings.
    pub instance: Option<String>,
    /// The tag that tells its rule, for findings.
    pub tag: Option<String>,
    /// Which requests it answers.
    pub rule: Rule,
    /// Its place among the routers of a host.
    pub priority: Priority,
    /// The entry points as written; settings map them to gateways. None: all gateways.
    pub entry_points: Vec<String>,
    /// Serves TLS connections only; without it, plain ones only.
    pub tls: Option<Tls>,
    /// What is asked in front of the action, in order: the first that matches answers.
    pub before: Vec<Before>,
    /// What answers.
    pub action: Action,
    /// The fields of core's `RouteOptions`, as JSON.
    pub options: Map<String, Value>,
    /// Secrets that `options` refers to and that are made of tags.
    pub secrets: Vec<MadeSecret>,
}

/// The larger is asked first. Of equal ones, those of the senior owner of the host, then by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i64);

/// A condition on requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// All of them; of none: everything.
    And(Vec<Rule>),
    /// One of them; of none: nothing.
    Or(Vec<Rule>),
    /// Not this.
    Not(Box<Rule>),
    /// The host without its port, in lower case. `*`: any; `*.example.com`: one label in front. A dot at the end of
    /// either side does not count.
    Host(String),
    /// The host ends in this (`.example.com`), with at least one character in front.
    HostSuffix(String),
    /// The host, without its port and in lower case, holds a match of this (RE2, not anchored).
    HostRegexp(String),
    /// The path, decoded but for reserved characters, is this: `/a b` and not `/a%20b`, but `/a%2Fb`.
    Path(String),
    /// The path starts with this.
    PathPrefix(String),
    /// The path holds a match of this (RE2, not anchored).
    PathRegexp(String),
    /// The method, in capitals.
    Method(String),
    /// One value of a header is this. `:scheme` is `http` or `https`.
    Header {
        /// The header's name.
        name: String,
        /// The value.
        value: String,
    },
    /// One value of a header holds a match of this (RE2, not anchored).
    HeaderRegexp {
        /// The header's name.
        name: String,
        /// The pattern.
        pattern: String,
    },
    /// All values of a header, joined by commas, match this as a whole (RE2).
    HeaderLine {
        /// The header's name.
        name: String,
        /// The pattern.
        pattern: String,
    },
    /// One value of a query parameter is this; `None`: there with an empty value or with none.
    Query {
        /// The parameter's name.
        name: String,
        /// The value.
        value: Option<String>,
    },
    /// One value of a query parameter holds a match of this (RE2, not anchored).
    QueryRegexp {
        /// The parameter's name.
        name: String,
        /// The pattern.
        pattern: String,
    },
    /// The address of the connection is in one of these.
    ClientIp(Vec<IpNet>),
}

impl Rule {
    /// Every request.
    pub const fn everything() -> Self {
        Self::And(Vec::new())
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// TLS towards clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// The certificate; `None`: the one that settings name for the host.
    pub secret: Option<ResourceRef>,
    /// Further fields of core's `SslConfig`, as JSON.
    pub ssl_config: Map<String, Value>,
}

/// An answer that comes before a router's action where a further condition holds: access rules, redirects.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    /// Holds beside the router's rule.
    pub when: Rule,
    /// What answers. Not `Forward`.
    pub action: Action,
}

/// What answers a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Upstreams by weight; at least one.
    Forward(Vec<Target>),
    /// Sends the client elsewhere: the fields of core's `RedirectAction`, as JSON.
    Redirect(Map<String, Value>),
    /// Answers at once.
    Respond {
        /// The status code, 200 to 599.
        status: u16,
        /// The body.
        body: String,
    },
    /// Something that guards the route cannot be built: nobody is let in. The reader has reported it.
    Closed {
        /// 403 where access is meant to be limited, 503 otherwise.
        status: u16,
        /// Why, for people who get the answer; no secret in it.
        reason: String,
    },
}

/// One upstream of a router, and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Where its endpoints are.
    pub endpoints: Endpoints,
    /// What it speaks.
    pub scheme: Scheme,
    /// Further fields of core's `Upstream`, as JSON: `healthChecks`, `loadBalancerConfig`, `sslConfig`, ...
    pub upstream: Map<String, Value>,
    /// Its share; 1 where there is one target.
    pub weight: u32,
}

/// Where the endpoints of a target are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Instances of a service, found and followed by discovery.
    Service {
        /// The service.
        service: ServiceId,
        /// Which of its instances.
        pick: Pick,
        /// The port, in place of the one that each instance has.
        port: Option<u16>,
    },
    /// One fixed address.
    Static {
        /// IP address or DNS name.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Which instances of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Nomad: what of its canaries.
    pub canaries: Canaries,
    /// Only those with all of these tags.
    pub with_tags: Vec<String>,
    /// None with one of these tags.
    pub without_tags: Vec<String>,
}

/// What of the instances that Nomad calls canaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Canaries {
    /// As any other.
    #[default]
    Include,
    /// Leaves them out.
    Exclude,
    /// Nothing else.
    Only,
}

/// What a target speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1
    #[default]
    Http,
    /// HTTP/1.1 over TLS
    Https,
    /// HTTP/2 without TLS, gRPC too
    H2c,
    /// HTTP/2 over TLS
    H2,
}

/// A secret made of tags. Its name must hold what it is made of (a hash), so that equal ones are one.
#[derive(Clone, PartialEq)]
pub struct MadeSecret {
    /// Its name in the namespace of the objects made.
    pub name: String,
    /// The fields of core's `Secret`, as JSON.
    pub fields: Map<String, Value>,
}

impl fmt::Debug for MadeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeSecret").field("name", &self.name).finish_non_exhaustive()
    }
}
