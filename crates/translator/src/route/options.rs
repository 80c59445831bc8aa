//! Route options to fields of Envoy's `Route`, one file an option, named as in `biplane_core::options`.
//!
//! An option is a function in [`APPLY`] or [`APPLY_VALUES`] and a line in [`merge`]. Those that exist for virtual
//! hosts too have a second function, which `host.rs` calls.

pub(super) mod api_key_auth;
pub(super) mod basic_auth;
pub(super) mod caller;
pub(super) mod cors;
pub(super) mod header_manipulation;
pub(super) mod header_secrets;
mod lb_hash;
mod max_stream_duration;
pub(super) mod merge;
pub(super) mod retries;
mod rewrite;
mod timeouts;
mod upgrades;

use biplane_core::options::{RouteOptions, VirtualHostOptions};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};

use crate::Lookup;

/// Every option. Each looks at its own fields only, so their order means nothing.
const APPLY: [fn(&RouteOptions, &mut Route); 8] = [
    cors::apply,
    header_manipulation::apply,
    lb_hash::apply,
    max_stream_duration::apply,
    retries::apply,
    rewrite::apply,
    timeouts::apply,
    upgrades::apply,
];

/// Every option that puts values of secrets into the route.
const APPLY_VALUES: [fn(&RouteOptions, &dyn Lookup, &mut Route); 2] =
    [api_key_auth::apply, basic_auth::apply];

/// Writes the options into a route that has its action; `host` are the options of the virtual host around it.
/// `Err`: why Envoy would refuse the route with them.
pub(super) fn apply(
    options: &RouteOptions,
    host: &VirtualHostOptions,
    lookup: &dyn Lookup,
    route: &mut Route,
) -> Result<(), String> {
    for apply in APPLY {
        apply(options, route);
    }
    for apply in APPLY_VALUES {
        apply(options, lookup, route);
    }
    caller::apply(options, host, route);
    header_manipulation::check(route)
}

/// The part of a route that is about upstreams; redirects and direct responses have none, and
/// options about upstreams mean nothing there.
fn forwarding(route: &mut Route) -> Option<&mut RouteAction> {
    match &mut route.action {
        Some(Action::Route(action)) => Some(action),
        _ => None,
    }
}
