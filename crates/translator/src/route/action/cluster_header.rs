//! `clusterHeader`: the request names the upstream, as `<name>_<namespace>`.

use envoy_types::pb::envoy::config::route::v3::RouteAction;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;

use crate::route::scope::Scope;

pub(super) fn translate(scope: &mut Scope<'_>, header: &str) -> Action {
    scope.set.cluster_header = true;
    Action::Route(RouteAction {
        cluster_specifier: Some(ClusterSpecifier::ClusterHeader(header.to_owned())),
        ..RouteAction::default()
    })
}
