//! `multi`, and what an upstream group becomes: several upstreams by weight.

use biplane_core::report::Report;
use biplane_core::resources::route::WeightedDestination;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::config::route::v3::{RouteAction, WeightedCluster};

use super::destination::{Target, subset, target};
use super::{At, invalid, withheld};
use crate::proto::uint32;
use crate::route::options::{header_manipulation, header_secrets};
use crate::route::scope::Scope;

/// `at` is the list of destinations.
pub(super) fn translate(
    scope: &mut Scope<'_>,
    destinations: &[WeightedDestination],
    at: At<'_>,
) -> Option<Action> {
    if let Err(why) = check_weights(destinations) {
        scope.report(Report::error(at.object, (at.path)(), why));
        return None;
    }
    let targets = targets(scope, destinations, at)?;
    if targets.iter().all(|target| !target.exists) {
        let first = targets.first()?;
        return Some(invalid::answer(scope, |scope| first.name(scope)));
    }
    let mut action = RouteAction::default();
    if targets.iter().any(|target| !target.exists) {
        action.cluster_not_found_response_code = invalid::share(scope).into();
    }
    let mut clusters = Vec::with_capacity(targets.len());
    let mut complete = true;
    for (index, (destination, target)) in destinations.iter().zip(targets).enumerate() {
        let path = || (at.path)().index(index).field("options");
        let cluster = target.name(scope);
        let (share, is_whole) = share(scope, destination, cluster, At { path: &path, ..at });
        complete &= is_whole;
        clusters.push(share);
    }
    if !complete {
        return Some(withheld::answer());
    }
    action.cluster_specifier =
        Some(ClusterSpecifier::WeightedClusters(WeightedCluster { clusters, ..WeightedCluster::default() }));
    Some(Action::Route(action))
}

/// Envoy refuses the whole route configuration for a sum that is 0 or does not fit.
fn check_weights(destinations: &[WeightedDestination]) -> Result<(), &'static str> {
    let weights = destinations.iter().map(|destination| u64::from(destination.weight.unwrap_or_default()));
    match weights.sum::<u64>() {
        0 => Err("the weights add up to 0, so the route is not used"),
        sum if sum > u64::from(u32::MAX) => {
            Err("the weights add up to more than 4294967295, so the route is not used")
        }
        _ => Ok(()),
    }
}

fn targets<'a>(
    scope: &mut Scope<'_>,
    destinations: &'a [WeightedDestination],
    at: At<'_>,
) -> Option<Vec<Target<'a>>> {
    let mut targets = Vec::with_capacity(destinations.len());
    for (index, weighted) in destinations.iter().enumerate() {
        let path = || (at.path)().index(index).field("destination");
        targets.push(target(scope, &weighted.destination, At { path: &path, ..at })?);
    }
    Some(targets)
}

/// The share of one destination, and whether its requests get all that they have to carry.
fn share(
    scope: &mut Scope<'_>,
    weighted: &WeightedDestination,
    cluster: String,
    at: At<'_>,
) -> (ClusterWeight, bool) {
    let mut share = ClusterWeight {
        name: cluster,
        weight: Some(uint32(weighted.weight.unwrap_or_default())),
        metadata_match: subset(weighted.destination.subset.as_ref()),
        ..ClusterWeight::default()
    };
    let options = weighted.options.as_ref();
    let Some(headers) = options.and_then(|options| options.header_manipulation.as_ref()) else {
        return (share, true);
    };
    let mut headers = headers.clone();
    let path = || (at.path)().field("headerManipulation");
    let complete = header_secrets::expand(scope, &mut headers, at.object, &path);
    header_manipulation::apply_to_weight(&headers, &mut share);
    (share, complete)
}
