//! The parts of an explanation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::status::{EndpointsStatus, ObjectReport};

/// How a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// A route answers, or leads to an upstream that can.
    Answered,
    /// It depends on what is not known of the request.
    Open,
    /// A route leads to nothing usable: 503.
    Unavailable,
    /// No route matches: 404.
    NoRoute,
    /// Nobody takes the connection.
    Refused,
    /// A verdict that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A filter chain with TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainExplanation {
    /// The server name (SNI) that the client asks for; none: an address has none.
    pub server_name: Option<String>,
    /// The server names that the chain is for; none: all that no other chain is for.
    pub server_names: Vec<String>,
    /// The secrets whose certificates it shows.
    pub certificates: Vec<String>,
    /// Whether a client has to show a certificate. It is taken to do so.
    pub client_certificate: bool,
}

/// The virtual host that a request belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HostExplanation {
    /// The host of the request, with its port unless that is stripped.
    pub host: String,
    /// The domain that takes it.
    pub domain: String,
    /// How it does: `exact`, `suffix`, `prefix`, `any host`.
    pub how: String,
    /// The virtual services that share the domain, the oldest first.
    pub services: Vec<String>,
    /// All domains that they share.
    pub domains: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteExplanation {
    /// The object that it is written in: `VirtualService default/shop`, `RouteTable default/users`.
    pub object: String,
    /// The field of that object.
    pub field: String,
    /// Where that is: a file and line, or a key, revision and line of the value.
    pub location: Option<String>,
    /// The virtual service that it is a route of.
    pub service: String,
    /// The services whose tags made it; none: somebody wrote it.
    pub made_from: Option<String>,
    /// What it matches, in words.
    pub matches: String,
    /// Why it does not answer; none: it matches.
    pub why: Option<String>,
    /// Whether its path matches.
    pub near: bool,
    /// Whether it may match: too little is known of the request.
    pub open: bool,
    /// What there is to say about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ObjectReport>,
}

/// Some routes out of many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteList {
    /// How many there are.
    pub total: u64,
    /// Those that are shown: first those that come closest, all in their order.
    pub routes: Vec<RouteExplanation>,
}

/// A route, or a claim to a domain, that somebody else's comes before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LostRoute {
    /// What does not count.
    pub what: String,
    /// What does instead.
    pub to: String,
    /// Why.
    pub why: String,
}

/// What a route does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EffectExplanation {
    /// The route's name.
    pub name: Option<String>,
    /// `forward`, `redirect` or `respond`.
    pub kind: String,
    /// The status code that Envoy answers itself.
    pub status: Option<u32>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body that Envoy answers.
    pub body: Option<String>,
    /// Where the request may go.
    pub clusters: Vec<ClusterExplanation>,
    /// What else happens to it, in short.
    pub options: Vec<String>,
}

/// A cluster that a request may go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterExplanation {
    /// Its name.
    pub cluster: String,
    /// The upstream that it is made of, `NAMESPACE/NAME`.
    pub upstream: Option<String>,
    /// Its weight among its neighbours.
    pub weight: u32,
    /// What the metadata of endpoints must hold, as far as any endpoint has it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subset: BTreeMap<String, String>,
    /// Why requests to it get 503; none: as far as is known here they get an answer.
    pub unusable: Option<String>,
    /// Its endpoints, their health and where they come from.
    pub endpoints: Option<EndpointsStatus>,
}

impl Verdict {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Open => "open",
            Self::Unavailable => "503",
            Self::NoRoute => "404",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
