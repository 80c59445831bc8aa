//! Canaries beside the rest: routes for the same requests share them, others are routes of their own.

use super::route::Route;
use crate::finding::Finding;
use crate::reader::{Deployment, Lineup};

/// Joins the routes of canaries with those of the rest.
pub(super) fn join(
    mut stable: Vec<Route>,
    canaries: Vec<Route>,
    lineup: &Lineup,
    findings: &mut Vec<Finding>,
) -> Vec<Route> {
    let instances = (count(Some(&lineup.stable)), count(lineup.canary.as_ref()));
    for mut canary in canaries {
        match stable.iter_mut().find(|route| route.meets == canary.meets) {
            Some(route) if route.guards() == canary.guards() => share(route, &mut canary, instances),
            Some(route) => {
                let message = format!("the canaries get no requests of route {:?}", route.name);
                let finding = Finding::error(&lineup.id, message).instance(&canary.instance);
                findings.push(finding.hint("let the canaries have the access rules that the others have"));
            }
            None => {
                canary.name.push_str("~canary");
                stable.push(canary);
            }
        }
    }
    stable
}

/// Gives the canaries their share: what their tag says, else by the number of instances. A route that is closed
/// stays closed, for both.
fn share(route: &mut Route, canary: &mut Route, (stable, canaries): (u32, u32)) {
    if canary.targets().is_none() {
        route.action = canary.action.clone();
        return;
    }
    let (rest, share) = canary.weight.map_or((stable, canaries), |weight| (100 - weight, weight));
    let (Some(targets), Some(added)) = (route.targets(), canary.targets()) else { return };
    for target in targets.iter_mut() {
        target.weight = rest;
    }
    for target in added.iter_mut() {
        target.weight = share;
    }
    targets.append(added);
}

fn count(deployment: Option<&Deployment>) -> u32 {
    let instances = deployment.iter().flat_map(|deployment| &deployment.instances);
    let healthy = instances.filter(|instance| instance.healthy).count();
    u32::try_from(healthy.max(1)).unwrap_or(u32::MAX)
}
