//! Why a request is answered as it is: what is asked, and the explanation.
//!
//! ```text
//! Explanation ─▶ a GatewayExplanation for each gateway that could take the request
//!                  chain ─▶ host ─▶ earlier routes, the route, later routes ─▶ effect ─▶ clusters ─▶ endpoints
//! ```

mod parts;
mod target;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use parts::{
    ChainExplanation, ClusterExplanation, EffectExplanation, HostExplanation, LostRoute, RouteExplanation,
    RouteList, Verdict,
};
pub use target::{InvalidTarget, Target};

/// How many routes of a list are shown unless more are asked for.
pub const FEW: u32 = 10;

/// The most routes of a list that are shown.
pub const MOST: u32 = 10_000;

/// A request to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExplainQuery {
    /// The URL: scheme, host, port, path and query.
    pub url: String,
    /// The method; none: `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A header, as `name: value`; may be given several times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub header: Vec<String>,
    /// The address that the client's connection comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// As an Envoy of this fleet answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// As this gateway answers, whatever its port: `NAME` or `NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// How many routes of each list are shown; none: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Why a query cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// There is no such parameter.
    #[error("there is no parameter {0:?}: they are url, method, header, clientIp, fleet, gateway, limit")]
    Unknown(String),
    /// It is given more than once.
    #[error("{0} is given twice")]
    Twice(String),
    /// It must be a number.
    #[error("limit must be a whole number, and is {0:?}")]
    Limit(String),
    /// What is to be explained is missing.
    #[error("url is missing")]
    NoUrl,
}

impl ExplainQuery {
    /// Reads the parameters of a query.
    pub fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, InvalidQuery> {
        let (mut query, mut url) = (Self::default(), None);
        for (name, value) in pairs {
            let field = match name.as_str() {
                "header" => {
                    query.header.push(value);
                    continue;
                }
                "limit" => {
                    let limit = value.parse().map_err(|_| InvalidQuery::Limit(value))?;
                    query.limit = Some(limit);
                    continue;
                }
                "url" => &mut url,
                "method" => &mut query.method,
                "clientIp" => &mut query.client_ip,
                "fleet" => &mut query.fleet,
                "gateway" => &mut query.gateway,
                _ => return Err(InvalidQuery::Unknown(name)),
            };
            if field.replace(value).is_some() {
                return Err(InvalidQuery::Twice(name));
            }
        }
        Ok(Self { url: url.ok_or(InvalidQuery::NoUrl)?, ..query })
    }

    /// The parameters of a query that says the same.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let one = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut pairs = vec![("url", self.url.clone())];
        pairs.extend(one("method", &self.method));
        pairs.extend(self.header.iter().map(|header| ("header", header.clone())));
        pairs.extend(one("clientIp", &self.client_ip));
        pairs.extend(one("fleet", &self.fleet));
        pairs.extend(one("gateway", &self.gateway));
        pairs.extend(self.limit.map(|limit| ("limit", limit.to_string())));
        pairs
    }
}

/// What happens to a request, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Explanation {
    /// The URL that was asked about.
    pub url: String,
    /// The method.
    pub method: String,
    /// How it ends: the best of what the gateways have to say.
    pub verdict: Verdict,
    /// The gateways that could take it, in order of names.
    pub gateways: Vec<GatewayExplanation>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// What one gateway does with the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayExplanation {
    /// The gateway's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it was read: a file and line, or a key and revision.
    pub location: Option<String>,
    /// Where it listens.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The fleets whose Envoys have it.
    pub fleets: Vec<String>,
    /// How the request ends here.
    pub verdict: Verdict,
    /// The same in one sentence.
    pub summary: String,
    /// Which of the listener's filter chains takes the connection, by the server name.
    pub chain: Option<ChainExplanation>,
    /// Which virtual host has the request's host.
    pub host: Option<HostExplanation>,
    /// The route that answers.
    pub route: Option<RouteExplanation>,
    /// What that route does.
    pub effect: Option<EffectExplanation>,
    /// The routes before it, and why they do not answer.
    pub earlier: RouteList,
    /// The routes behind it that would answer if it did not.
    pub later: RouteList,
    /// Routes for this request that Envoy does not get, since somebody else's come first.
    pub lost: Vec<LostRoute>,
    /// What else there is to know.
    pub notes: Vec<String>,
}
