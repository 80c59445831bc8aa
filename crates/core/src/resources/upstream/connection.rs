//! Settings of connections to an upstream.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// Settings of connections to an upstream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConnectionConfig {
    /// Closes a connection after this many requests.
    pub max_requests_per_connection: Option<u32>,
    /// How long connecting may take; default 5 s.
    pub connect_timeout: Option<Duration>,
    /// TCP keep-alive.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Bytes that Envoy buffers for a connection; default 1 MiB.
    pub per_connection_buffer_limit_bytes: Option<u32>,
    /// Settings of HTTP of any version.
    pub common_http_protocol_options: Option<CommonHttpProtocolOptions>,
}

/// TCP keep-alive. Times are rounded up to whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TcpKeepalive {
    /// Probes without an answer before the connection counts as dead.
    pub keepalive_probes: Option<u32>,
    /// How long a connection is idle before the first probe.
    pub keepalive_time: Option<Duration>,
    /// Time between probes.
    pub keepalive_interval: Option<Duration>,
}

/// Settings of HTTP of any version.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CommonHttpProtocolOptions {
    /// How long a connection may be idle; Envoy's default 1 hour.
    pub idle_timeout: Option<Duration>,
    /// Most headers of a response; Envoy's default 100.
    pub max_headers_count: Option<u32>,
    /// Longest life of a stream.
    pub max_stream_duration: Option<Duration>,
}
