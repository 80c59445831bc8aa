//! What a route answers whose destination does not exist, by `invalidConfigPolicy`.
//!
//! By default the route names the missing cluster: Envoy answers 503 and its access log says `NC`. With
//! `replaceInvalidRoutes` it answers at once. One share of a weighted set can only do the former, with
//! the nearest of the three status codes that Envoy has for it.

use biplane_core::resources::route::DirectResponseAction;
use biplane_core::resources::settings::InvalidConfigPolicy;
use envoy_types::pb::envoy::config::route::v3::RouteAction;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier,
};

use super::direct_response;
use crate::route::scope::Scope;

const DEFAULT_CODE: u32 = 404;
const DEFAULT_BODY: &str = "This route leads nowhere. `biplane status` says why.\n";

/// The answer of a route of which nothing else is left; `cluster` gives what it names in vain, if it does.
pub(super) fn answer<'a>(scope: &mut Scope<'a>, cluster: impl FnOnce(&mut Scope<'a>) -> String) -> Action {
    let policy = scope.lookup.invalid_config_policy();
    if policy.replace_invalid_routes {
        return replacement(policy);
    }
    Action::Route(RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster(scope))),
        ..RouteAction::default()
    })
}

fn replacement(policy: InvalidConfigPolicy) -> Action {
    direct_response::translate(&DirectResponseAction {
        status: policy.invalid_route_response_code.unwrap_or(DEFAULT_CODE),
        body: Some(policy.invalid_route_response_body.unwrap_or_else(|| DEFAULT_BODY.to_owned())),
    })
}

/// What Envoy answers for the missing ones among several clusters.
pub(super) fn share(scope: &Scope<'_>) -> ClusterNotFoundResponseCode {
    let policy = scope.lookup.invalid_config_policy();
    let code = policy.invalid_route_response_code.unwrap_or(DEFAULT_CODE);
    match code {
        404 if policy.replace_invalid_routes => ClusterNotFoundResponseCode::NotFound,
        500 if policy.replace_invalid_routes => ClusterNotFoundResponseCode::InternalServerError,
        _ => ClusterNotFoundResponseCode::ServiceUnavailable,
    }
}
