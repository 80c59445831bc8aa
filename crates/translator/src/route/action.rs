//! What a route does, one file an action. Delegation is not here: it yields no Envoy route of its own.

mod cluster_header;
mod destination;
mod direct_response;
mod group;
mod invalid;
mod redirect;
mod single;
mod weighted;
pub(super) mod withheld;

use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::resources::Route;
use biplane_core::resources::route::RouteAction;
use envoy_types::pb::envoy::config::route::v3::route::Action;

use super::scope::{Place, Scope};

/// Envoy's action of a route; `None`, with a report, where it has none that Envoy could take.
pub(super) fn translate(scope: &mut Scope<'_>, place: Place<'_>, route: &Route) -> Option<Action> {
    if let Some(action) = &route.route_action {
        return forward(scope, place, action);
    }
    if let Some(action) = &route.redirect_action {
        return Some(redirect::translate(action));
    }
    if let Some(action) = &route.direct_response_action {
        return Some(direct_response::translate(action));
    }
    let report = place.error(place.path(), "the route has no action, so it is not used");
    scope.report(
        report.hint("add one of routeAction, redirectAction, directResponseAction and delegateAction"),
    );
    None
}

fn forward(scope: &mut Scope<'_>, place: Place<'_>, action: &RouteAction) -> Option<Action> {
    let field = |name: &'static str| move || place.path().field("routeAction").field(name);
    if let Some(destination) = &action.single {
        let path = field("single");
        return single::translate(scope, destination, At { object: place.owner, path: &path });
    }
    if let Some(multi) = &action.multi {
        let path = || field("multi")().field("destinations");
        return weighted::translate(scope, &multi.destinations, At { object: place.owner, path: &path });
    }
    if let Some(group) = &action.upstream_group {
        let path = field("upstreamGroup");
        return group::translate(scope, group, At { object: place.owner, path: &path });
    }
    if let Some(header) = &action.cluster_header {
        return Some(cluster_header::translate(scope, header));
    }
    let path = place.path().field("routeAction");
    scope.report(place.error(path, "the route action names no destination, so the route is not used"));
    None
}

/// The field that an action is written in. The path is made when there is something to report.
#[derive(Clone, Copy)]
struct At<'a> {
    object: &'a ObjectKey,
    path: &'a dyn Fn() -> FieldPath,
}
