//! `apiKeyAuth`, of routes and of virtual hosts, as configuration of Envoy's filter, which is on every HTTP listener and
//! does nothing unless a route or a virtual host configures it.
//!
//! Envoy has no SDS for keys: they are in the routes. Where there is no secret to take them from, the filter has no keys
//! and refuses everybody.

use std::collections::HashMap;

use biplane_core::key::ObjectKey;
use biplane_core::options::api_key_auth::KeySource as UserSource;
use biplane_core::options::{ApiKeyAuth, RouteOptions};
use biplane_core::path::FieldPath;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::api_key_auth::v3::{
    ApiKeyAuthPerRoute, Credential, Forwarding, KeySource,
};
use envoy_types::pb::google::protobuf::Any;

use super::basic_auth::off;
use crate::route::needs::Need;
use crate::route::scope::Scope;
use crate::{Lookup, encode, secret};

/// The filter's name in every listener.
const FILTER: &str = "envoy.filters.http.api_key_auth";
/// Where a key is unless the user says otherwise.
const DEFAULT_HEADER: &str = "x-api-key";

pub(super) fn apply(options: &RouteOptions, lookup: &dyn Lookup, route: &mut Route) {
    if let Some(auth) = &options.api_key_auth {
        configure(auth, lookup, &mut route.typed_per_filter_config);
    }
}

/// Adds the keys, or that there are none to ask for, to the filter configuration of a route or virtual host.
pub(in crate::route) fn configure(
    auth: &ApiKeyAuth,
    lookup: &dyn Lookup,
    filters: &mut HashMap<String, Any>,
) {
    let config = if auth.disable == Some(true) { off() } else { encode::any(&per_route(auth, lookup)) };
    filters.insert(FILTER.to_owned(), config);
}

fn per_route(auth: &ApiKeyAuth, lookup: &dyn Lookup) -> ApiKeyAuthPerRoute {
    ApiKeyAuthPerRoute {
        credentials: credentials(auth, lookup),
        key_sources: sources(&auth.key_sources),
        allowed_clients: auth.allowed_clients.clone(),
        forwarding: Some(Forwarding {
            header: auth.forward_client_id_header.clone().unwrap_or_default(),
            hide_credentials: auth.hide_credentials.unwrap_or_default(),
        }),
    }
}

fn credentials(auth: &ApiKeyAuth, lookup: &dyn Lookup) -> Vec<Credential> {
    let Some(name) = &auth.secret_ref else { return Vec::new() };
    let Some(secret) = lookup.secret_values(name) else { return Vec::new() };
    let clients = secret::clients(&name.name, &secret).into_iter();
    clients.map(|(client, key)| Credential { key: key.to_owned(), client: client.to_owned() }).collect()
}

fn sources(user: &[UserSource]) -> Vec<KeySource> {
    if user.is_empty() {
        return vec![KeySource { header: DEFAULT_HEADER.to_owned(), ..KeySource::default() }];
    }
    let source = |source: &UserSource| KeySource {
        header: source.header.clone().unwrap_or_default(),
        query: source.query.clone().unwrap_or_default(),
        cookie: source.cookie.clone().unwrap_or_default(),
    };
    user.iter().map(source).collect()
}

/// Reports a secret that lets nobody in. `path` is that of the option.
pub(in crate::route) fn check(
    scope: &mut Scope<'_>,
    auth: Option<&ApiKeyAuth>,
    object: &ObjectKey,
    path: &dyn Fn() -> FieldPath,
) {
    let Some(auth) = auth.filter(|auth| auth.disable != Some(true)) else { return };
    let Some(secret) = &auth.secret_ref else { return };
    let need = Need { secret, form: "apiKey", without: "nobody is let in" };
    need.check(scope, object, path, |found| !secret::clients(&secret.name, found).is_empty());
}
