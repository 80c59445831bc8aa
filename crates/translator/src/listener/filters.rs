//! The HTTP filters, in the order in which a request passes them.
//!
//! A filter that routes configure (`typed_per_filter_config`) is in every listener, whether or not a route
//! wants it: without configuration it does nothing, and a route that begins to want it then touches no listener.
//! The order is fixed: what refuses requests cheaply first, what needs the final form of the request last.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use prost::{Message, Name};

use crate::encode;

/// All filters; the router, which ends the chain, is the last.
pub(super) fn all() -> Vec<HttpFilter> {
    vec![filter("envoy.filters.http.cors", &Cors {}), filter("envoy.filters.http.router", &Router::default())]
}

fn filter<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(encode::any(config))),
        ..HttpFilter::default()
    }
}
