//! `basicAuth`, of routes and of virtual hosts, as configuration of Envoy's filter, which is on every HTTP listener and
//! does nothing unless a route or a virtual host configures it.
//!
//! Envoy has no SDS for users: they are in the routes, hashed. Where there is no secret to take them from, the filter
//! has no users and refuses everybody.

use std::collections::HashMap;

use biplane_core::key::ObjectKey;
use biplane_core::options::{BasicAuth, RouteOptions};
use biplane_core::path::FieldPath;
use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, Route};
use envoy_types::pb::envoy::extensions::filters::http::basic_auth::v3::BasicAuthPerRoute;
use envoy_types::pb::google::protobuf::Any;

use crate::route::needs::Need;
use crate::route::scope::Scope;
use crate::{Lookup, encode, secret};

/// The filter's name in every listener.
pub(super) const FILTER: &str = "envoy.filters.http.basic_auth";

pub(super) fn apply(options: &RouteOptions, lookup: &dyn Lookup, route: &mut Route) {
    if let Some(auth) = &options.basic_auth {
        configure(auth, lookup, &mut route.typed_per_filter_config);
    }
}

/// Adds the users, or that there are none to ask for, to the filter configuration of a route or virtual host.
pub(in crate::route) fn configure(auth: &BasicAuth, lookup: &dyn Lookup, filters: &mut HashMap<String, Any>) {
    let config = if auth.disable == Some(true) { off() } else { encode::any(&per_route(auth, lookup)) };
    filters.insert(FILTER.to_owned(), config);
}

/// How a route switches a filter off that its virtual host has on.
pub(super) fn off() -> Any {
    encode::any(&FilterConfig { disabled: true, ..FilterConfig::default() })
}

fn per_route(auth: &BasicAuth, lookup: &dyn Lookup) -> BasicAuthPerRoute {
    let secret = auth.secret_ref.as_ref().and_then(|name| lookup.secret_values(name));
    let users = secret.map(|secret| secret::users(&secret).to_string()).unwrap_or_default();
    BasicAuthPerRoute {
        users: Some(DataSource { specifier: Some(Specifier::InlineString(users)), ..DataSource::default() }),
    }
}

/// Reports a secret that lets nobody in. `path` is that of the option.
pub(in crate::route) fn check(
    scope: &mut Scope<'_>,
    auth: Option<&BasicAuth>,
    object: &ObjectKey,
    path: &dyn Fn() -> FieldPath,
) {
    let Some(auth) = auth.filter(|auth| auth.disable != Some(true)) else { return };
    let Some(secret) = &auth.secret_ref else { return };
    let need = Need { secret, form: "credentials", without: "nobody is let in" };
    need.check(scope, object, path, secret::has_users);
}
