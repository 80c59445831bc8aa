//! Circuit breakers.

use schemars::JsonSchema;
use serde::Deserialize;

/// Limits of one Envoy towards one upstream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CircuitBreakers {
    /// Most connections; Envoy's default 1024.
    pub max_connections: Option<u32>,
    /// Most requests that wait for a connection; Envoy's default 1024.
    pub max_pending_requests: Option<u32>,
    /// Most requests at once; Envoy's default 1024.
    pub max_requests: Option<u32>,
    /// Most retries at once; Envoy's default 3.
    pub max_retries: Option<u32>,
    /// Publishes how much is left as statistics.
    pub track_remaining: Option<bool>,
}
