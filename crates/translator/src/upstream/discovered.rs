//! Endpoints that were looked up: their load assignment, and what routes can select among them by.
//!
//! What fails its checks gets no requests, even if nothing else is left: its owner's check says so. What is about to stop
//! finishes what it has. The cluster depends on the question alone, so that no answer touches it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_core::path::FieldPath;
use biplane_core::resources::endpoint::{Endpoint, Health, Locality};
use biplane_core::resources::upstream::Discovery;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::LbSubsetConfig;
use envoy_types::pb::envoy::config::cluster::v3::cluster::lb_subset_config::LbSubsetFallbackPolicy;
use envoy_types::pb::envoy::config::core::v3::{self as core, HealthStatus, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as EnvoyEndpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::Struct;

use super::{Reporter, endpoints};
use crate::Lookup;
use crate::proto::{self, text, uint32};

/// What Gloo puts before the name of a tag, and of a data centre, in an endpoint's metadata.
const TAG: &str = "tag_";
const DATA_CENTER: &str = "dc_";

/// The endpoints in Envoy's words, by locality. Of several at one place the first usable counts.
pub(super) fn assignment(cluster: &str, found: &[Endpoint]) -> ClusterLoadAssignment {
    let mut places = BTreeMap::new();
    for endpoint in found.iter().filter(|endpoint| endpoint.health != Health::Unhealthy) {
        let known = places.entry(endpoint.place()).or_insert(endpoint);
        if !known.health.is_usable() && endpoint.health.is_usable() {
            *known = endpoint;
        }
    }
    let mut localities: BTreeMap<&Locality, Vec<LbEndpoint>> = BTreeMap::new();
    for endpoint in places.into_values() {
        localities.entry(&endpoint.locality).or_default().push(host(endpoint));
    }
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: localities.into_iter().map(|(locality, hosts)| group(locality, hosts)).collect(),
        ..ClusterLoadAssignment::default()
    }
}

fn group(locality: &Locality, hosts: Vec<LbEndpoint>) -> LocalityLbEndpoints {
    let locality = (*locality != Locality::default()).then(|| core::Locality {
        region: locality.region.clone(),
        zone: locality.zone.clone(),
        ..core::Locality::default()
    });
    LocalityLbEndpoints { locality, lb_endpoints: hosts, ..LocalityLbEndpoints::default() }
}

fn host(found: &Endpoint) -> LbEndpoint {
    let address = found.address.to_string();
    let endpoint = EnvoyEndpoint {
        address: Some(proto::socket_address(&address, u32::from(found.port.get()))),
        ..EnvoyEndpoint::default()
    };
    let status = match found.health {
        Health::Draining => HealthStatus::Draining,
        Health::Unknown | Health::Healthy | Health::Unhealthy => HealthStatus::Unknown,
    };
    LbEndpoint {
        health_status: status.into(),
        metadata: metadata(&found.metadata),
        load_balancing_weight: (found.weight.get() != 1).then(|| uint32(found.weight.get())),
        host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
    }
}

fn metadata(values: &BTreeMap<String, String>) -> Option<Metadata> {
    if values.is_empty() {
        return None;
    }
    let fields = values.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let filter_metadata = HashMap::from([("envoy.lb".to_owned(), Struct { fields })]);
    Some(Metadata { filter_metadata, ..Metadata::default() })
}

/// Which combinations of metadata keys routes can select by. With few keys every combination; with more, as in
/// Gloo, one key alone, all tags, and all tags with all data centres.
pub(super) fn subsets(discovery: Discovery<'_>) -> Option<LbSubsetConfig> {
    let (tags, data_centers) = keys(discovery);
    let all: BTreeSet<&str> = tags.iter().chain(&data_centers).map(String::as_str).collect();
    if all.is_empty() {
        return None;
    }
    let selectors = if all.len() <= endpoints::MOST_COMBINED_KEYS {
        endpoints::combinations(&all)
    } else {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let data_centers: Vec<&str> = data_centers.iter().map(String::as_str).collect();
        let single = all.iter().map(|key| vec![*key]);
        let groups = [tags, data_centers, all.iter().copied().collect()];
        single.chain(groups).filter(|keys| !keys.is_empty()).collect()
    };
    Some(LbSubsetConfig {
        fallback_policy: LbSubsetFallbackPolicy::AnyEndpoint.into(),
        subset_selectors: selectors.into_iter().map(endpoints::selector).collect(),
        ..LbSubsetConfig::default()
    })
}

/// Envoy sends requests everywhere once less than half of the endpoints are well, those that are about to stop included,
/// which is every rolling deploy. What is sick is left out here, so there is nothing to panic about; an
/// upstream may say otherwise.
pub(super) fn never_panic(cluster: &mut Cluster) {
    let common = cluster.common_lb_config.get_or_insert_default();
    common.healthy_panic_threshold.get_or_insert(Percent { value: 0.0 });
}

/// The metadata keys that the endpoints of an upstream have: of tags, of data centres.
fn keys(discovery: Discovery<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let tagged = |tags: &[String]| tags.iter().map(|tag| format!("{TAG}{tag}")).collect();
    match discovery {
        Discovery::Consul(upstream) => {
            let tags =
                if upstream.subset_tags.is_empty() { &upstream.service_tags } else { &upstream.subset_tags };
            let data_centers = &upstream.data_centers;
            // One data centre is no choice.
            let data_centers = if data_centers.len() > 1 { data_centers.as_slice() } else { &[] };
            (tagged(tags), data_centers.iter().map(|name| format!("{DATA_CENTER}{name}")).collect())
        }
        Discovery::Nomad(upstream) => (tagged(&upstream.subset_tags), BTreeSet::new()),
        // Tags of EC2 have values of their own.
        Discovery::AwsEc2(upstream) => (upstream.subset_tags.iter().cloned().collect(), BTreeSet::new()),
        Discovery::Dns(_) => (BTreeSet::new(), BTreeSet::new()),
    }
}

/// Asks for the secret that the question is asked with, so that it is fetched and its rotation noticed.
pub(super) fn credentials(discovery: Discovery<'_>, lookup: &dyn Lookup, report: &mut Reporter<'_>) {
    let Discovery::AwsEc2(upstream) = discovery else { return };
    let Some(name) = &upstream.secret_ref else { return };
    let path = || FieldPath::root().field("awsEc2").field("secretRef");
    match lookup.secret_values(name) {
        None => report.error(
            path(),
            format!("there is no secret {name}"),
            "endpoints are looked up when it is there; without secretRef the credentials of the source are used",
        ),
        Some(secret) if secret.aws.is_none() && secret.external().is_none() => report.error(
            path(),
            format!("secret {name} holds no AWS credentials"),
            "write aws: {accessKey: ..., secretKey: ...}",
        ),
        Some(_) => {}
    }
}
