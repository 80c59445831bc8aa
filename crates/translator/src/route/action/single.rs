//! `single`: one upstream.

use biplane_core::resources::route::Destination;
use envoy_types::pb::envoy::config::route::v3::RouteAction;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;

use super::destination::{subset, target};
use super::{At, invalid};
use crate::route::scope::Scope;

pub(super) fn translate(scope: &mut Scope<'_>, destination: &Destination, at: At<'_>) -> Option<Action> {
    let target = target(scope, destination, at)?;
    if !target.exists {
        return Some(invalid::answer(scope, |scope| target.name(scope)));
    }
    Some(Action::Route(RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(target.name(scope))),
        metadata_match: subset(destination.subset.as_ref()),
        ..RouteAction::default()
    }))
}
