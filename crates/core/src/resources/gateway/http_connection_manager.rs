//! Settings of Envoy's HTTP connection manager, by Gloo's names.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::Upgrade;
use crate::scalars::Duration;

/// Settings of Envoy's HTTP connection manager.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpConnectionManagerSettings {
    /// Leaves `x-forwarded-for` alone.
    pub skip_xff_append: Option<bool>,
    /// The `via` header to add.
    pub via: Option<String>,
    /// Trusted proxies in front, counted from the right of `x-forwarded-for`.
    pub xff_num_trusted_hops: Option<u32>,
    /// Takes the client's address from the connection; default true, as for an edge proxy.
    pub use_remote_address: Option<bool>,
    /// Makes an `x-request-id` where there is none.
    pub generate_request_id: Option<bool>,
    /// Keeps a client's own `x-request-id`.
    pub preserve_external_request_id: Option<bool>,
    /// How long a stream may be idle; Envoy's default 5 minutes.
    pub stream_idle_timeout: Option<Duration>,
    /// How long a connection may be idle; Envoy's default 1 hour.
    pub idle_timeout: Option<Duration>,
    /// Longest life of a connection.
    pub max_connection_duration: Option<Duration>,
    /// Longest life of a stream.
    pub max_stream_duration: Option<Duration>,
    /// Largest header block of a request in KiB; Envoy's default 60.
    pub max_request_headers_kb: Option<u32>,
    /// Most headers of a request; Envoy's default 100.
    pub max_headers_count: Option<u32>,
    /// Most requests of one connection.
    pub max_requests_per_connection: Option<u32>,
    /// How long a request may take to come in.
    pub request_timeout: Option<Duration>,
    /// How long a request's headers may take to come in.
    pub request_headers_timeout: Option<Duration>,
    /// How long HTTP/2 connections drain.
    pub drain_timeout: Option<Duration>,
    /// How long a closing connection waits for the peer.
    pub delayed_close_timeout: Option<Duration>,
    /// The `server` header; default `envoy`.
    pub server_name: Option<String>,
    /// Drops the port of the Host header before routing.
    pub strip_any_host_port: Option<bool>,
    /// Accepts HTTP/1.0.
    pub accept_http10: Option<bool>,
    /// The host of HTTP/1.0 requests that name none.
    pub default_host_for_http10: Option<String>,
    /// Merges adjacent slashes of paths.
    pub merge_slashes: Option<bool>,
    /// Resolves `.` and `..` in paths; default true.
    pub normalize_path: Option<bool>,
    /// Upgrades that all routes accept.
    pub upgrades: Vec<Upgrade>,
}
