//! Envoy's bootstrap as Biplane wants it. Each setting that is not Envoy's default says why it is there.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::proof::Proof;

/// The cluster that the control plane is in Envoy's eyes.
const XDS_CLUSTER: &str = "xds_cluster";

/// The options of a cluster that speaks HTTP.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The largest compiled regex. Envoy's default of 100 refuses such a common one as `[a-z0-9-]{1,64}`.
const LARGEST_REGEX: u32 = 100_000;

/// What a bootstrap says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bootstrap {
    /// The host of the control plane: an IP address or a DNS name.
    pub(crate) xds_host: String,
    /// Its port.
    pub(crate) xds_port: u16,
    /// The fleet, which Envoy sends as `node.cluster`.
    pub(crate) fleet: String,
    /// What Envoy calls itself.
    pub(crate) id: String,
    /// Envoy's own admin interface.
    pub(crate) admin: SocketAddr,
    /// How it proves who it is.
    pub(crate) proof: Proof,
    /// How to ask.
    pub(crate) protocol: Protocol,
}

/// How Envoy asks for configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Changes only.
    #[default]
    Delta,
    /// Everything each time.
    StateOfTheWorld,
}

impl Bootstrap {
    /// The bootstrap in the JSON form of its protobuf message.
    pub(crate) fn build(&self) -> Value {
        json!({
            "node": { "id": self.id, "cluster": self.fleet },
            "admin": { "address": address(&self.admin.ip().to_string(), self.admin.port()) },
            "dynamic_resources": self.dynamic_resources(),
            "static_resources": { "clusters": [self.xds_cluster()] },
            "layered_runtime": { "layers": [runtime()] },
            // Statistics of a cluster, and the cluster on a worker, come to be when first used: a third to
            // a half less time to take a large configuration, and less memory for what carries no traffic.
            "deferred_stat_options": { "enable_deferred_creation_stats": true },
            "cluster_manager": { "enable_deferred_cluster_creation": true },
        })
    }

    /// One ordered stream for everything: only on ADS can routes be kept behind their clusters.
    fn dynamic_resources(&self) -> Value {
        let api_type = match self.protocol {
            Protocol::Delta => "DELTA_GRPC",
            Protocol::StateOfTheWorld => "GRPC",
        };
        json!({
            "ads_config": {
                "api_type": api_type,
                "transport_api_version": "V3",
                // The node with its list of extensions is 61 KB; once a stream is enough.
                "set_node_on_first_message_only": true,
                "grpc_services": [{ "envoy_grpc": {
                    "cluster_name": XDS_CLUSTER,
                    "retry_policy": { "retry_back_off": back_off() },
                } }],
            },
            "cds_config": ads_source(),
            "lds_config": ads_source(),
        })
    }

    fn xds_cluster(&self) -> Value {
        let kind = if self.xds_host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
        let mut cluster = json!({
            "name": XDS_CLUSTER,
            "type": kind,
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": XDS_CLUSTER,
                "endpoints": [{ "lb_endpoints": [{
                    "endpoint": { "address": address(&self.xds_host, self.xds_port) },
                }] }],
            },
            "typed_extension_protocol_options": {
                HTTP_OPTIONS: {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": { "http2_protocol_options": {
                        // Finds a control plane that vanished without closing its connections.
                        "connection_keepalive": { "interval": "10s", "timeout": "5s" },
                    } },
                },
            },
        });
        if let Some(socket) = self.proof.transport_socket() {
            cluster["transport_socket"] = socket;
        }
        if let Some(filters) = self.proof.http_filters() {
            cluster["typed_extension_protocol_options"][HTTP_OPTIONS]["http_filters"] = filters;
        }
        cluster
    }
}

/// Behind an outage, however long, Envoy is back within seconds; by default it waits for up to half a minute.
fn back_off() -> Value {
    json!({ "base_interval": "0.5s", "max_interval": "5s" })
}

/// Envoy must not start serving with nothing because its configuration takes longer than 15 s.
fn ads_source() -> Value {
    json!({ "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s" })
}

fn runtime() -> Value {
    json!({
        "name": "biplane",
        "static_layer": { "re2.max_program_size.error_level": LARGEST_REGEX },
    })
}

fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}
