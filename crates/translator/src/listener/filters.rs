//! The HTTP filters, in the order in which a request passes them.
//!
//! A filter that routes configure (`typed_per_filter_config`) is in every listener, whether or not a route
//! wants it: without configuration it does nothing, and a route that begins to want it then touches no listener.
//! The order is fixed: what refuses requests cheaply first, what needs the final form of the request last.

//!
//! ```text
//! cors               answers preflights, which carry no credentials, and lets browsers read every answer, refusals too
//! basic_auth         refuses whom a route does not know, before anything else sees the request
//! api_key_auth
//! set_filter_state   fetches what headers from secrets are made of
//! router
//! ```
//!
//! Those that refuse or fetch are off (`disabled`) until a route has something for them. Envoy makes a request's filters
//! by the route that it finds first and never again, so no filter may send a request to another route.

use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::filters::http::api_key_auth::v3::ApiKeyAuth;
use envoy_types::pb::envoy::extensions::filters::http::basic_auth::v3::BasicAuth;
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use prost::{Message, Name};

use crate::encode;

/// All filters; the router, which ends the chain, is the last.
pub(super) fn all() -> Vec<HttpFilter> {
    vec![
        filter("envoy.filters.http.cors", &Cors {}),
        off(filter("envoy.filters.http.basic_auth", &basic_auth())),
        off(filter("envoy.filters.http.api_key_auth", &ApiKeyAuth::default())),
        off(filter("envoy.filters.http.set_filter_state", &SetFilterState::default())),
        filter("envoy.filters.http.router", &Router::default()),
    ]
}

/// No users, which Envoy takes only in the form of an empty line; and the name of who was let in is noted down for the
/// headers of routes.
fn basic_auth() -> BasicAuth {
    let users =
        DataSource { specifier: Some(Specifier::InlineString("\n".to_owned())), ..DataSource::default() };
    BasicAuth { users: Some(users), emit_dynamic_metadata: true, ..BasicAuth::default() }
}

/// A filter that only routes switch on.
fn off(filter: HttpFilter) -> HttpFilter {
    HttpFilter { disabled: true, ..filter }
}

fn filter<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(encode::any(config))),
        ..HttpFilter::default()
    }
}
