//! Listeners: one for each gateway, named by address and port.
//!
//! ```text
//! plain   one filter chain
//! TLS     a filter chain for each TLS setting, picked by server name (SNI)
//!           └─ HTTP connection manager, the same in all: filters, access log
//!                └─ routes by RDS: a change of routes touches no listener
//! ```
//!
//! A listener that changes drains connections. So nothing is in it that changes often: no certificates (SDS), no
//! routes (RDS), and filters that some route may want are always there.

mod access_log;
mod filters;
mod http_connection_manager;
mod tls;

use biplane_core::key::ObjectKey;
use biplane_core::resources::Gateway;
use biplane_core::resources::tls::SslConfig;
use envoy_types::pb::envoy::config::core::v3::Address;
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{
    Filter, FilterChain, Listener, ListenerFilter, listener_filter,
};
use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use prost::{Message, Name};

use crate::resource::{EnvoyName, EnvoyResource, EnvoyType, Output, Unknown};
use crate::route::client_ip;
use crate::{Lookup, encode, names, proto};

/// What makes a listener.
#[derive(Clone, Copy, Debug)]
pub struct ListenerInput<'a> {
    /// The gateway's key.
    pub gateway: &'a ObjectKey,
    /// The gateway.
    pub spec: &'a Gateway,
    /// The virtual services with TLS that the gateway serves, the oldest first. Of no meaning without `ssl`.
    pub tls: &'a [TlsService<'a>],
    /// Whether some route matches CONNECT.
    pub connect: bool,
}

/// A virtual service with TLS.
#[derive(Clone, Copy, Debug)]
pub struct TlsService<'a> {
    /// Its key.
    pub service: &'a ObjectKey,
    /// Its TLS settings.
    pub ssl: &'a SslConfig,
}

/// The listener, and the secrets of the files that it names. No listener where there is nothing to serve: Envoy
/// refuses one without filter chains. What waits for a secret is left out, and the listener unknown by that much.
pub fn translate(input: &ListenerInput<'_>, lookup: &dyn Lookup) -> Output {
    let Some(http) = &input.spec.http_gateway else { return Output::default() };
    let name = names::listener(&input.spec.address(), input.spec.bind_port);
    let manager = http_connection_manager::of(&name, input, http);
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(ConfigType::TypedConfig(encode::any(&manager))),
    };
    let filters = [client_ip::keeper(), manager];
    let content = if input.spec.ssl { tls::chains(input.tls, &filters, lookup) } else { plain(&filters) };
    let is_whole = content.lacks.is_empty();
    let unknown = (!is_whole).then(|| Unknown::new(EnvoyType::Listener, name.as_str(), content.lacks));
    let unknown = unknown.into_iter().collect();
    if content.filter_chains.is_empty() {
        return Output { resources: Vec::new(), unknown, reports: content.reports };
    }
    let routes = EnvoyName::new(EnvoyType::Route, names::route_configuration(&name));
    let listener = listener(&name, input.spec, content.filter_chains);
    let origins = content.services.into_iter().chain([input.gateway.clone()]);
    let references = content.references.into_iter().chain([routes]);
    let mut resources = content.secrets;
    resources.push(EnvoyResource::encode(EnvoyType::Listener, name, &listener, references, origins));
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    Output { resources, unknown, reports: content.reports }
}

/// The filter chains of a listener, and what comes with them.
#[derive(Default)]
struct Content {
    filter_chains: Vec<FilterChain>,
    references: Vec<EnvoyName>,
    secrets: Vec<EnvoyResource>,
    services: Vec<ObjectKey>,
    /// The Envoy secrets that are not named because they are not known yet; a chain may be left out with them.
    lacks: Vec<EnvoyName>,
    reports: Vec<biplane_core::report::Report>,
}

fn plain(filters: &[Filter]) -> Content {
    let chain = FilterChain { filters: filters.to_vec(), ..FilterChain::default() };
    Content { filter_chains: vec![chain], ..Content::default() }
}

fn listener(name: &str, gateway: &Gateway, filter_chains: Vec<FilterChain>) -> Listener {
    let options = gateway.options.as_ref();
    Listener {
        name: name.to_owned(),
        address: Some(address(gateway)),
        filter_chains,
        per_connection_buffer_limit_bytes: options
            .and_then(|options| options.per_connection_buffer_limit_bytes)
            .map(proto::uint32),
        listener_filters: listener_filters(gateway),
        ..Listener::default()
    }
}

/// `::` takes IPv4 as well, as everybody who writes it means.
fn address(gateway: &Gateway) -> Address {
    let mut address = proto::socket_address(&gateway.address(), gateway.bind_port);
    if let Some(AddressKind::SocketAddress(socket)) = &mut address.address {
        socket.ipv4_compat = socket.address == "::";
    }
    address
}

/// What looks at a connection before a filter chain is picked, in the order of the bytes on the wire.
fn listener_filters(gateway: &Gateway) -> Vec<ListenerFilter> {
    let proxy_protocol = (gateway.use_proxy_proto == Some(true))
        .then(|| listener_filter("envoy.filters.listener.proxy_protocol", &ProxyProtocol::default()));
    let server_name = gateway
        .ssl
        .then(|| listener_filter("envoy.filters.listener.tls_inspector", &TlsInspector::default()));
    proxy_protocol.into_iter().chain(server_name).collect()
}

fn listener_filter<M: Message + Name>(name: &str, config: &M) -> ListenerFilter {
    ListenerFilter {
        name: name.to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(encode::any(config))),
        ..ListenerFilter::default()
    }
}
