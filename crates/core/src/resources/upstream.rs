//! Upstreams: clusters of endpoints, and weighted groups of them.

pub mod circuit_breakers;
pub mod connection;
pub mod discovery;
pub mod health_check;
pub mod load_balancer;
pub mod outlier_detection;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::WeightedDestination;
use super::tls::UpstreamSslConfig;
use crate::scalars::Duration;
pub use circuit_breakers::CircuitBreakers;
pub use connection::ConnectionConfig;
pub use discovery::Discovery;
use discovery::{AwsEc2Upstream, ConsulUpstream, DnsUpstream, NomadUpstream};
pub use health_check::HealthCheck;
pub use load_balancer::LoadBalancerConfig;
pub use outlier_detection::OutlierDetection;

/// A cluster of endpoints. Exactly one of `static`, `pipe`, `consul`, `nomad`, `awsEc2` and `dns` says where they are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Upstream {
    /// Hosts by address or DNS name.
    pub r#static: Option<StaticUpstream>,
    /// A Unix socket.
    pub pipe: Option<PipeUpstream>,
    /// Instances of a service in Consul's catalog.
    pub consul: Option<Box<ConsulUpstream>>,
    /// Instances of a service that Nomad keeps itself.
    pub nomad: Option<Box<NomadUpstream>>,
    /// Virtual machines of EC2.
    pub aws_ec2: Option<Box<AwsEc2Upstream>>,
    /// Addresses that DNS knows, looked up by the control plane.
    pub dns: Option<Box<DnsUpstream>>,
    /// TLS towards the endpoints.
    pub ssl_config: Option<UpstreamSslConfig>,
    /// Limits that protect the endpoints.
    pub circuit_breakers: Option<CircuitBreakers>,
    /// How requests spread.
    pub load_balancer_config: Option<LoadBalancerConfig>,
    /// Settings of connections.
    pub connection_config: Option<ConnectionConfig>,
    /// Active health checks.
    pub health_checks: Vec<HealthCheck>,
    /// Passive health checks.
    pub outlier_detection: Option<OutlierDetection>,
    /// Speaks HTTP/2 (gRPC needs it).
    pub use_http2: Option<bool>,
    /// HTTP/2: window of a stream in bytes, 65,535 to 2^31-1.
    pub initial_stream_window_size: Option<u32>,
    /// HTTP/2: window of a connection in bytes, 65,535 to 2^31-1.
    pub initial_connection_window_size: Option<u32>,
    /// HTTP/2: most streams of a connection, 1 to 2^31-1.
    pub max_concurrent_streams: Option<u32>,
    /// Drops endpoints that leave although their health checks still pass.
    pub ignore_health_on_host_removal: Option<bool>,
    /// DNS names: resolves again when the record's TTL ends.
    pub respect_dns_ttl: Option<bool>,
    /// DNS names: how often to resolve; Envoy's default 5 s.
    pub dns_refresh_rate: Option<Duration>,
}

impl Upstream {
    /// What its endpoints are looked up by; none: they are written into it.
    pub fn discovery(&self) -> Option<Discovery<'_>> {
        let consul = self.consul.as_deref().map(Discovery::Consul);
        let nomad = self.nomad.as_deref().map(Discovery::Nomad);
        let ec2 = self.aws_ec2.as_deref().map(Discovery::AwsEc2);
        let dns = self.dns.as_deref().map(Discovery::Dns);
        consul.or(nomad).or(ec2).or(dns)
    }
}

/// Hosts by address or DNS name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StaticUpstream {
    /// The hosts.
    pub hosts: Vec<StaticHost>,
    /// TLS towards the hosts, unverified where `sslConfig` gives no root. Default: on if a port is 443.
    pub use_tls: Option<bool>,
    /// Sends each host's own DNS name as SNI; default true with `useTls`.
    pub auto_sni_rewrite: Option<bool>,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StaticHost {
    /// An IP address or a DNS name.
    pub addr: String,
    /// The port, 1 to 65535.
    pub port: u32,
    /// The SNI for this host.
    pub sni_addr: Option<String>,
    /// Its share of requests; default 1.
    pub load_balancing_weight: Option<u32>,
    /// How health checks reach it.
    pub health_check_config: Option<HostHealthCheck>,
    /// Values that subset routing matches.
    pub metadata: BTreeMap<String, String>,
}

/// How health checks reach one host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HostHealthCheck {
    /// The path to ask for instead of the health check's.
    pub path: Option<String>,
    /// The method to ask with.
    pub method: Option<String>,
}

/// A Unix socket.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PipeUpstream {
    /// Its path.
    pub path: String,
}

/// A weighted set of upstreams that routes name as one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UpstreamGroup {
    /// The upstreams; at least one, and not all of weight 0.
    pub destinations: Vec<WeightedDestination>,
}
