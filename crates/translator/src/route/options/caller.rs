//! Headers that tell an upstream who was let in. No client can write them, also not on a route that lets everybody in
//! beside others that do not.

use biplane_core::options::{ApiKeyAuth, BasicAuth, RouteOptions, VirtualHostOptions};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::config::route::v3::Route;

use super::basic_auth;

/// `options` are those of the route, `host` those of the virtual host around it.
pub(super) fn apply(options: &RouteOptions, host: &VirtualHostOptions, route: &mut Route) {
    user(options.basic_auth.as_ref(), host.basic_auth.as_ref(), route);
    client(options.api_key_auth.as_ref(), host.api_key_auth.as_ref(), route);
}

/// Envoy's filter takes the header of a user from its listener only, so the name comes from what it notes down.
fn user(own: Option<&BasicAuth>, host: Option<&BasicAuth>, route: &mut Route) {
    let header = |auth: &BasicAuth| auth.forward_username_header.clone();
    let wanted = own.or(host).and_then(header);
    for name in wanted.iter().chain(&host.and_then(header)) {
        remove(name, route);
    }
    if let Some(name) = wanted {
        let value = format!("%DYNAMIC_METADATA({}:username)%", basic_auth::FILTER);
        route.request_headers_to_add.push(HeaderValueOption {
            header: Some(HeaderValue { key: name, value, ..HeaderValue::default() }),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..HeaderValueOption::default()
        });
    }
}

/// Envoy's filter writes the header of a client itself, over what the request brings.
fn client(own: Option<&ApiKeyAuth>, host: Option<&ApiKeyAuth>, route: &mut Route) {
    let header = |auth: &ApiKeyAuth| auth.forward_client_id_header.clone();
    let wanted = own.or(host).and_then(header);
    if let Some(name) = host.and_then(header).filter(|name| wanted.as_ref() != Some(name)) {
        remove(&name, route);
    }
}

fn remove(header: &str, route: &mut Route) {
    let names = &mut route.request_headers_to_remove;
    if !names.iter().any(|name| name.eq_ignore_ascii_case(header)) {
        names.push(header.to_owned());
    }
}
