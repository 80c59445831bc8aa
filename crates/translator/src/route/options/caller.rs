//! Headers that tell an upstream who was let in. No client of the virtual service can write them, whichever of its routes
//! it takes, also not one that lets everybody in beside others that do not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use biplane_core::options::{ApiKeyAuth, BasicAuth, RouteOptions, VirtualHostOptions};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::config::route::v3::Route;
use prost::Message as _;

use super::basic_auth;
use crate::route::EncodedRoute;

/// `options` are those of the route, `host` those of the virtual host around it.
pub(super) fn apply(options: &RouteOptions, host: &VirtualHostOptions, route: &mut Route) {
    if let Some(name) = user_header(options, host) {
        // Envoy's filter takes the header of a user from its listener only, so the name comes from what it notes down.
        let value = format!("%DYNAMIC_METADATA({}:username)%", basic_auth::FILTER);
        route.request_headers_to_remove.push(name.to_owned());
        route.request_headers_to_add.push(HeaderValueOption {
            header: Some(HeaderValue { key: name.to_owned(), value, ..HeaderValue::default() }),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..HeaderValueOption::default()
        });
    }
}

fn user_header<'o>(options: &'o RouteOptions, host: &'o VirtualHostOptions) -> Option<&'o str> {
    options.basic_auth.as_ref().or(host.basic_auth.as_ref()).and_then(of_user)
}

/// Envoy's filter writes the header of a client itself, over what the request brings.
fn client_header<'o>(options: &'o RouteOptions, host: &'o VirtualHostOptions) -> Option<&'o str> {
    options.api_key_auth.as_ref().or(host.api_key_auth.as_ref()).and_then(of_client)
}

fn of_user(auth: &BasicAuth) -> Option<&str> {
    auth.forward_username_header.as_deref()
}

fn of_client(auth: &ApiKeyAuth) -> Option<&str> {
    auth.forward_client_id_header.as_deref()
}

/// The headers of all routes of a virtual service. Names are in lower case, as Envoy has them.
#[derive(Default)]
pub(in crate::route) struct Callers {
    all: BTreeSet<String>,
    /// Those that a route writes over whatever the request brings.
    written: BTreeMap<usize, Vec<String>>,
}

impl Callers {
    /// Notes what some routes write, all of which have these options.
    pub(in crate::route) fn note(
        &mut self,
        routes: Range<usize>,
        options: &RouteOptions,
        host: &VirtualHostOptions,
    ) {
        let own = [user_header(options, host), client_header(options, host)];
        let own: Vec<_> = own.into_iter().flatten().map(str::to_ascii_lowercase).collect();
        let hosts =
            [host.basic_auth.as_ref().and_then(of_user), host.api_key_auth.as_ref().and_then(of_client)];
        self.all.extend(hosts.into_iter().flatten().map(str::to_ascii_lowercase).chain(own.iter().cloned()));
        if !own.is_empty() {
            self.written.extend(routes.map(|route| (route, own.clone())));
        }
    }

    /// Takes all headers out of the requests of routes that do not write them. Only at the end of the walk are they known.
    pub(in crate::route) fn guard(&self, routes: &mut [EncodedRoute]) {
        if self.all.is_empty() {
            return;
        }
        for (index, route) in routes.iter_mut().enumerate() {
            let written = self.written.get(&index).map_or(&[][..], Vec::as_slice);
            let foreign = self.all.iter().filter(|name| !written.contains(name)).cloned().collect();
            // One message behind the other is both of them, lists one after the other.
            let removal = Route { request_headers_to_remove: foreign, ..Route::default() };
            let mut bytes = Vec::from(std::mem::take(&mut route.bytes));
            removal.encode(&mut bytes).expect("a vector grows");
            route.bytes = bytes.into();
        }
    }
}
