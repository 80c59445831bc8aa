//! What the consistent-hashing load balancers (ringHash, maglev) hash of a request.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// Hash policies, tried in order.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LbHash {
    /// The policies.
    pub hash_policies: Vec<HashPolicy>,
}

/// One source of the hash: exactly one of `header`, `cookie` and `sourceIp`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HashPolicy {
    /// The value of this request header.
    pub header: Option<String>,
    /// A cookie, made by Envoy when the client has none and `ttl` is set.
    pub cookie: Option<HashCookie>,
    /// The client's address.
    pub source_ip: Option<bool>,
    /// Stops here when this policy yields a hash.
    pub terminal: bool,
}

/// A cookie to hash.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HashCookie {
    /// The cookie's name.
    pub name: String,
    /// Life of a cookie that Envoy makes; without it Envoy makes none; 0s: a session cookie.
    pub ttl: Option<Duration>,
    /// The path of a cookie that Envoy makes.
    pub path: Option<String>,
}
