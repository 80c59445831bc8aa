//! Active health checks.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::header_manipulation::HeaderValueOption;
use crate::scalars::Duration;

/// One active health check: exactly one of the three kinds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HealthCheck {
    /// How long an answer may take; default 5 s.
    pub timeout: Option<Duration>,
    /// Time between checks; default 10 s.
    pub interval: Option<Duration>,
    /// Random wait before the first check.
    pub initial_jitter: Option<Duration>,
    /// Random time added to each interval.
    pub interval_jitter: Option<Duration>,
    /// The same in percent of the interval.
    pub interval_jitter_percent: Option<u32>,
    /// Failures until a host counts as unhealthy; default 3. (A 503 to an HTTP check counts at once.)
    pub unhealthy_threshold: Option<u32>,
    /// Successes until a host counts as healthy again; default 1.
    pub healthy_threshold: Option<u32>,
    /// Keeps the connection between checks; default true.
    pub reuse_connection: Option<bool>,
    /// Interval while the cluster has never had traffic; Envoy's default 60 s.
    pub no_traffic_interval: Option<Duration>,
    /// Interval while a host is unhealthy.
    pub unhealthy_interval: Option<Duration>,
    /// Interval right after a host has become unhealthy.
    pub unhealthy_edge_interval: Option<Duration>,
    /// Interval right after a host has become healthy.
    pub healthy_edge_interval: Option<Duration>,
    /// An HTTP request.
    pub http_health_check: Option<HttpHealthCheck>,
    /// A TCP connection.
    pub tcp_health_check: Option<TcpHealthCheck>,
    /// gRPC's own health service.
    pub grpc_health_check: Option<GrpcHealthCheck>,
}

/// An HTTP request as a health check.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpHealthCheck {
    /// The Host header; default: the cluster's name.
    pub host: Option<String>,
    /// The path to ask for.
    pub path: String,
    /// The method; default GET.
    pub method: Option<String>,
    /// Headers to add to the request.
    pub request_headers_to_add: Vec<HeaderValueOption>,
    /// Headers to remove from the request.
    pub request_headers_to_remove: Vec<String>,
    /// Speaks HTTP/2.
    pub use_http2: Option<bool>,
    /// Status codes that count as healthy, `start` included, `end` excluded; default 200.
    pub expected_statuses: Vec<StatusRange>,
}

/// A range of status codes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StatusRange {
    /// The first.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
}

/// A TCP connection as a health check. Without payloads: connecting is enough.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TcpHealthCheck {
    /// What to send.
    pub send: Option<HealthCheckPayload>,
    /// What must come back, in order.
    pub receive: Vec<HealthCheckPayload>,
}

/// Bytes to send or to expect.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HealthCheckPayload {
    /// The bytes in hexadecimal digits.
    pub text: String,
}

/// gRPC's own health service as a health check.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GrpcHealthCheck {
    /// The service to ask about; default: the server as a whole.
    pub service_name: Option<String>,
    /// The `:authority` of the request; default: the cluster's name.
    pub authority: Option<String>,
}
