//! Upstreams: one Envoy cluster each, and the load assignment of those that Biplane hands the addresses of.
//!
//! ```text
//! looked up           EDS cluster + ClusterLoadAssignment of what was found
//! only IP addresses   EDS cluster + ClusterLoadAssignment: an address that comes or goes touches no cluster
//! any DNS name        STRICT_DNS, hosts inline: Envoy resolves
//! pipe                STATIC, the socket inline
//! ```
//!
//! One file a part of the cluster. What Envoy would refuse is left out and reported, so that one bad part
//! does not cost the upstream; what would make a connection less safe than its author asked for leaves
//! the upstream without endpoints instead. While its secret or its endpoints are not known yet, nor is its cluster.

mod circuit_breakers;
mod connection;
mod discovered;
mod endpoints;
mod health_check;
mod load_balancer;
mod outlier_detection;
mod tls;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Upstream;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;

use crate::resource::{EnvoyName, EnvoyResource, EnvoyType, Output, Unknown};
use crate::{Lookup, names, proto, secret};
use endpoints::Endpoints;

/// The cluster of the upstream `name`; with IP addresses only, its load assignment; the secrets of the
/// files that it names. Asks `lookup` for the `Secret` that `sslConfig` refers to.
pub fn translate(name: &ResourceRef, upstream: &Upstream, lookup: &dyn Lookup) -> Output {
    let key = name.key(Kind::Upstream);
    let mut report = Reporter { object: &key, reports: Vec::new() };
    let mut endpoints = endpoints::of(upstream, &mut report);
    if let Some(discovery) = upstream.discovery() {
        discovered::credentials(discovery, lookup, &mut report);
        let Some(found) = lookup.endpoints(name) else {
            return unknown(name, None, [], report);
        };
        endpoints.found = Some(found);
    }
    let tls = match tls::of(upstream, &endpoints, lookup, &mut report) {
        Ok(tls) => tls,
        Err(tls::Refused::Unsafe) => {
            endpoints.clear();
            tls::Tls::default()
        }
        // In Envoy a cluster without its secret would hold up all later ones. Routes to none answer 503.
        Err(tls::Refused::Unknown(secret)) => {
            // What was looked up is of the endpoints alone, and need not wait.
            let found = endpoints.found.as_deref();
            let assignment = found.map(|found| discovered::assignment(&names::cluster(name), found));
            let assignment = assignment.map(|assignment| load_assignment(&assignment, &key));
            return unknown(name, assignment, secret::key_material(&secret), report);
        }
    };
    let assignment = match &endpoints.found {
        Some(found) => discovered::assignment(&names::cluster(name), found),
        None => endpoints.assignment(&names::cluster(name), upstream, &tls.labels),
    };
    let mut cluster = cluster(name, upstream, &endpoints, &mut report);
    cluster.transport_socket = tls.socket;
    cluster.transport_socket_matches = tls.matches;

    let references: Vec<EnvoyName> =
        tls.references.into_iter().chain(endpoints.reference(&cluster.name)).collect();
    let mut resources = Vec::new();
    match endpoints.discovery() {
        DiscoveryType::Eds => resources.push(load_assignment(&assignment, &key)),
        _ => cluster.load_assignment = Some(assignment),
    }
    resources.push(EnvoyResource::encode(
        EnvoyType::Cluster,
        cluster.name.as_str(),
        &cluster,
        references,
        [key.clone()],
    ));
    if let Some(files) = upstream.ssl_config.as_ref().and_then(|ssl| ssl.ssl_files.as_ref()) {
        resources.extend(secret::files(files, &key));
    }
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    report.reports.sort();
    Output { resources, unknown: Vec::new(), reports: report.reports }
}

/// A cluster that waits for its endpoints, or for one of `secrets`. An Envoy that has it keeps it.
fn unknown(
    name: &ResourceRef,
    assignment: Option<EnvoyResource>,
    secrets: impl IntoIterator<Item = EnvoyName>,
    mut report: Reporter<'_>,
) -> Output {
    let name = names::cluster(name);
    let endpoints = EnvoyName::new(EnvoyType::Endpoint, name.as_str());
    let references = secrets.into_iter().chain([endpoints]);
    let mut unknown = vec![Unknown::new(EnvoyType::Cluster, name.as_str(), references)];
    if assignment.is_none() {
        unknown.push(Unknown::new(EnvoyType::Endpoint, name, []));
    }
    report.reports.sort();
    Output { resources: assignment.into_iter().collect(), unknown, reports: report.reports }
}

/// Where the parts of an upstream leave what they have to say.
struct Reporter<'a> {
    object: &'a ObjectKey,
    reports: Vec<Report>,
}

impl Reporter<'_> {
    fn error(&mut self, path: FieldPath, message: impl Into<String>, hint: impl Into<String>) {
        self.reports.push(Report::error(self.object, path, message).hint(hint));
    }

    fn warning(&mut self, path: FieldPath, message: impl Into<String>, hint: impl Into<String>) {
        self.reports.push(Report::warning(self.object, path, message).hint(hint));
    }
}

fn load_assignment(assignment: &ClusterLoadAssignment, key: &ObjectKey) -> EnvoyResource {
    EnvoyResource::encode(
        EnvoyType::Endpoint,
        assignment.cluster_name.as_str(),
        assignment,
        [],
        [key.clone()],
    )
}

fn cluster(
    name: &ResourceRef,
    upstream: &Upstream,
    endpoints: &Endpoints<'_>,
    report: &mut Reporter<'_>,
) -> Cluster {
    let name = names::cluster(name);
    let discovery = endpoints.discovery();
    let mut cluster = Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery.into())),
        eds_cluster_config: (discovery == DiscoveryType::Eds)
            .then(|| EdsClusterConfig { eds_config: Some(proto::ads()), service_name: name.clone() }),
        name,
        circuit_breakers: upstream.circuit_breakers.as_ref().map(circuit_breakers::of),
        outlier_detection: upstream.outlier_detection.as_ref().map(outlier_detection::of),
        health_checks: health_check::of(upstream, endpoints, report).into_iter().collect(),
        ignore_health_on_host_removal: upstream.ignore_health_on_host_removal.unwrap_or_default(),
        lb_subset_config: match upstream.discovery() {
            Some(discovery) => discovered::subsets(discovery),
            None => endpoints.subsets(report),
        },
        ..Cluster::default()
    };
    load_balancer::apply(upstream.load_balancer_config.as_ref(), discovery, &mut cluster, report);
    if upstream.discovery().is_some() {
        discovered::never_panic(&mut cluster);
    }
    connection::apply(upstream, &mut cluster, report);
    if discovery == DiscoveryType::StrictDns {
        endpoints::apply_dns(upstream, &mut cluster);
    }
    cluster
}
