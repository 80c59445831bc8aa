//! The clusters that a request may go to, their endpoints, and why they may have no answer.

use biplane_admin_api::explain::{ClusterExplanation, GatewayExplanation, Verdict};
use biplane_admin_api::status::{EndpointsState, EndpointsStatus};
use biplane_core::key::ResourceRef;
use biplane_translator::explain::Share;

use crate::engine::Engine;
use crate::status::endpoints;

/// A cluster; `named` are the upstreams that it is looked for among first.
pub(super) fn of(engine: &Engine, share: &Share, named: &[ResourceRef]) -> ClusterExplanation {
    let graph = engine.graph();
    let told = ClusterExplanation {
        cluster: share.cluster.clone(),
        weight: share.weight,
        subset: share.subset.clone(),
        ..ClusterExplanation::default()
    };
    let name = graph.upstream_of(&share.cluster, named);
    let Some((name, upstream)) = name.as_ref().and_then(|name| Some((name, graph.upstream(name)?))) else {
        let what = name.map_or_else(|| share.cluster.clone(), |name| name.to_string());
        return ClusterExplanation { unusable: Some(format!("there is no Upstream {what}")), ..told };
    };
    let endpoints = endpoints::of(engine, name, upstream);
    let unusable = if graph.has_cluster(&share.cluster) {
        without_endpoints(&endpoints)
    } else {
        let reports = graph.reports_of_upstream(name).iter().map(|report| report.message.as_str());
        Some(without_cluster(&endpoints, &reports.collect::<Vec<_>>()))
    };
    ClusterExplanation { upstream: Some(name.to_string()), unusable, endpoints: Some(endpoints), ..told }
}

fn without_cluster(endpoints: &EndpointsStatus, reports: &[&str]) -> String {
    let why = match endpoints.state {
        EndpointsState::Waiting | EndpointsState::Failed | EndpointsState::Unanswerable => {
            let error = endpoints.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("its endpoints are not known yet{error}")
        }
        _ if reports.is_empty() => "Envoy has no cluster for it yet".to_owned(),
        _ => reports.join("; "),
    };
    format!("it has no cluster: {why}")
}

/// What checks of Envoy's own find is not known here.
fn without_endpoints(endpoints: &EndpointsStatus) -> Option<String> {
    let all = endpoints.endpoints.len();
    if all == 0 {
        let error = endpoints.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        return Some(format!("it has no endpoints{error}"));
    }
    let is_usable = |health: &str| matches!(health, "healthy" | "unknown");
    let usable = endpoints.endpoints.iter().filter(|endpoint| is_usable(&endpoint.health)).count();
    (usable == 0).then(|| format!("none of its {all} endpoints is usable"))
}

/// Says how a request ends that goes to one of these clusters.
pub(super) fn judge(gateway: &mut GatewayExplanation) {
    let clusters = gateway.effect.as_ref().map_or(&[][..], |effect| &effect.clusters);
    let total: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
    let in_use = || clusters.iter().filter(|cluster| cluster.weight > 0);
    let names = in_use().map(|cluster| match cluster.upstream.as_ref().filter(|_| clusters.len() == 1) {
        Some(upstream) => format!("upstream {upstream}"),
        None => format!("{} ({})", cluster.cluster, percent(cluster.weight, total)),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let broken: Vec<_> = in_use().filter_map(|cluster| Some((cluster, cluster.unusable.as_ref()?))).collect();
    let summary = match broken.as_slice() {
        [] => format!("it goes to {names}"),
        [(_, why), ..] if broken.len() == in_use().count() => format!("503: it goes to {names}, and {why}"),
        [(cluster, why), ..] => {
            format!("it goes to {names}; of these {} answers 503: {why}", cluster.cluster)
        }
    };
    let all_broken = !broken.is_empty() && broken.len() == in_use().count();
    let verdict = if all_broken { Verdict::Unavailable } else { Verdict::Answered };
    gateway.summary = summary;
    gateway.verdict = gateway.verdict.max(verdict);
}

fn percent(weight: u32, total: u64) -> String {
    let total = total.max(1);
    format!("{}%", (u64::from(weight) * 100 + total / 2) / total)
}
