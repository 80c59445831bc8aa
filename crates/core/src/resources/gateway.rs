//! Gateways: one Envoy listener each, and which virtual services it serves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

pub mod access_log;
pub mod http_connection_manager;

use super::route::LabelExpression;
use crate::key::ResourceRef;
use access_log::AccessLoggingService;
use http_connection_manager::HttpConnectionManagerSettings;

/// One Envoy listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Gateway {
    /// The address to listen on; default `::` (all, IPv4 too).
    pub bind_address: Option<String>,
    /// The port to listen on, 1 to 65535.
    pub bind_port: u32,
    /// `true`: TLS; serves virtual services with `sslConfig` only, and `false` those without.
    pub ssl: bool,
    /// The fleets that get this listener; default `gateway-proxy`.
    pub proxy_names: Vec<String>,
    /// Serves HTTP.
    pub http_gateway: Option<HttpGateway>,
    /// Options of the listener.
    pub options: Option<ListenerOptions>,
    /// Clients speak the PROXY protocol in front of the connection.
    pub use_proxy_proto: Option<bool>,
    /// Limits of the route configuration.
    pub route_options: Option<RouteConfigurationOptions>,
}

/// The fleet that a gateway without `proxyNames` belongs to.
pub const DEFAULT_PROXY_NAME: &str = "gateway-proxy";

impl Gateway {
    /// The fleets that get this listener.
    pub fn fleets(&self) -> Vec<&str> {
        if self.proxy_names.is_empty() {
            return vec![DEFAULT_PROXY_NAME];
        }
        self.proxy_names.iter().map(String::as_str).collect()
    }

    /// The address to listen on, in the one canonical spelling: `::` and `0:0:0:0:0:0:0:0` are one place.
    pub fn address(&self) -> String {
        let written = self.bind_address.as_deref().filter(|address| !address.is_empty()).unwrap_or("::");
        written.parse::<IpAddr>().map_or_else(|_| written.to_owned(), |address| address.to_string())
    }
}

/// Which virtual services an HTTP listener serves. The first that is set decides:
/// `virtualServiceExpressions`, `virtualServiceSelector`, `virtualServices`; none: all.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpGateway {
    /// Virtual services by name.
    pub virtual_services: Vec<ResourceRef>,
    /// Virtual services by labels.
    pub virtual_service_selector: BTreeMap<String, String>,
    /// Virtual services by conditions on labels.
    pub virtual_service_expressions: Option<VirtualServiceExpressions>,
    /// Only virtual services in these namespaces; none or `*`: all. Holds for selectors too.
    pub virtual_service_namespaces: Vec<String>,
    /// Options of the HTTP listener.
    pub options: Option<HttpListenerOptions>,
}

/// Conditions on the labels of virtual services; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VirtualServiceExpressions {
    /// The conditions.
    pub expressions: Vec<LabelExpression>,
}

/// Options of a listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListenerOptions {
    /// Access logs of requests.
    pub access_logging_service: Option<AccessLoggingService>,
    /// Bytes that Envoy buffers for a connection; default 1 MiB.
    pub per_connection_buffer_limit_bytes: Option<u32>,
}

/// Options of an HTTP listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpListenerOptions {
    /// Settings of Envoy's HTTP connection manager.
    pub http_connection_manager_settings: Option<HttpConnectionManagerSettings>,
}

/// Limits of the route configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteConfigurationOptions {
    /// Largest body of a direct response, in bytes; Envoy's default: 4096.
    pub max_direct_response_body_size_bytes: Option<u32>,
    /// `true`: header mutations of the route win over those of the virtual host.
    pub most_specific_header_mutations_wins: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (written, canonical) in [
            (None, "::"),
            (Some(""), "::"),
            (Some("0:0:0:0:0:0:0:0"), "::"),
            (Some("FD00:0::1"), "fd00::1"),
            (Some("10.0.0.1"), "10.0.0.1"),
            (Some("localhost"), "localhost"),
        ] {
            let gateway = Gateway { bind_address: written.map(str::to_owned), ..Gateway::default() };
            assert_eq!(gateway.address(), canonical, "{written:?}");
        }
    }
}
