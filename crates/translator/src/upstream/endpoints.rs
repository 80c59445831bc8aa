//! Where an upstream's endpoints are, and what each of them carries: weight, labels, names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use biplane_core::path::FieldPath;
use biplane_core::resources::Upstream;
use biplane_core::resources::endpoint::Endpoint as Found;
use biplane_core::resources::upstream::StaticHost;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::lb_subset_config::{
    LbSubsetFallbackPolicy, LbSubsetSelector,
};
use envoy_types::pb::envoy::config::cluster::v3::cluster::{DiscoveryType, DnsLookupFamily, LbSubsetConfig};
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::{Address, Metadata, Pipe};
use envoy_types::pb::envoy::config::endpoint::v3::endpoint::HealthCheckConfig;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::google::protobuf::Struct;

use super::{Reporter, health_check, tls};
use crate::proto::{self, duration, text, uint32};
use crate::resource::{EnvoyName, EnvoyType};

/// Up to this many metadata keys, routes can select by any combination of them. Envoy wants each combination
/// listed, and there are 2^keys - 1.
pub(super) const MOST_COMBINED_KEYS: usize = 4;

/// The endpoints of an upstream.
pub(super) struct Endpoints<'a> {
    /// Hosts, sorted by address and port, each once.
    pub(super) hosts: Vec<&'a StaticHost>,
    pipe: Option<&'a str>,
    discovery: DiscoveryType,
    /// What was found, where the endpoints are looked up.
    pub(super) found: Option<Arc<[Found]>>,
}

/// The endpoints of `upstream`.
pub(super) fn of<'a>(upstream: &'a Upstream, report: &mut Reporter<'_>) -> Endpoints<'a> {
    let pipe = upstream.pipe.as_ref().map(|pipe| pipe.path.as_str());
    let hosts = upstream.r#static.as_ref().map(|hosts| unique(&hosts.hosts, report)).unwrap_or_default();
    let discovery = if pipe.is_some() {
        DiscoveryType::Static
    } else if hosts.iter().any(|host| is_dns(host)) {
        DiscoveryType::StrictDns
    } else {
        DiscoveryType::Eds
    };
    Endpoints { hosts, pipe, discovery, found: None }
}

fn unique<'a>(hosts: &'a [StaticHost], report: &mut Reporter<'_>) -> Vec<&'a StaticHost> {
    let mut unique: BTreeMap<(&str, u32), &StaticHost> = BTreeMap::new();
    for (index, host) in hosts.iter().enumerate() {
        match unique.entry((&host.addr, host.port)) {
            Entry::Vacant(place) => {
                place.insert(host);
            }
            Entry::Occupied(_) => {
                let path = FieldPath::root().field("static").field("hosts").index(index);
                let message = format!("{}:{} is listed before; the first counts", host.addr, host.port);
                report.warning(path, message, "give a host a larger share with loadBalancingWeight");
            }
        }
    }
    unique.into_values().collect()
}

/// Whether a host's address is a name to resolve.
pub(super) fn is_dns(host: &StaticHost) -> bool {
    host.addr.parse::<IpAddr>().is_err()
}

/// How Envoy resolves names. IPv4 first: hosts that publish an IPv6 address and do not answer on it are
/// still more common than hosts without IPv4.
#[expect(deprecated, reason = "the successor, a cluster type of its own, is unknown to Envoys before 1.34")]
pub(super) fn apply_dns(upstream: &Upstream, cluster: &mut Cluster) {
    cluster.dns_lookup_family = DnsLookupFamily::V4Preferred.into();
    cluster.respect_dns_ttl = upstream.respect_dns_ttl.unwrap_or_default();
    cluster.dns_refresh_rate = upstream.dns_refresh_rate.map(duration);
}

impl Endpoints<'_> {
    /// Who tells Envoy the addresses.
    pub(super) const fn discovery(&self) -> DiscoveryType {
        self.discovery
    }

    /// The load assignment that the cluster waits for.
    pub(super) fn reference(&self, cluster: &str) -> Option<EnvoyName> {
        (self.discovery == DiscoveryType::Eds).then(|| EnvoyName::new(EnvoyType::Endpoint, cluster))
    }

    /// Takes all endpoints away; the cluster stays what it is and answers 503.
    pub(super) fn clear(&mut self) {
        self.hosts.clear();
        self.pipe = None;
        self.found = self.found.take().map(|_| Arc::default());
    }

    /// The endpoints in Envoy's words. With `labels`, each carries the label that picks its transport socket.
    pub(super) fn assignment(
        &self,
        cluster: &str,
        upstream: &Upstream,
        labels: &tls::Labels,
    ) -> ClusterLoadAssignment {
        let hosts = self.hosts.iter().map(|host| self.host(host, upstream, labels));
        let lb_endpoints: Vec<_> = self.pipe.into_iter().map(pipe).chain(hosts).collect();
        let locality = LocalityLbEndpoints { lb_endpoints, ..LocalityLbEndpoints::default() };
        ClusterLoadAssignment {
            cluster_name: cluster.to_owned(),
            endpoints: if locality.lb_endpoints.is_empty() { Vec::new() } else { vec![locality] },
            ..ClusterLoadAssignment::default()
        }
    }

    fn host(&self, host: &StaticHost, upstream: &Upstream, labels: &tls::Labels) -> LbEndpoint {
        let hostname = health_check::hostname(upstream, host);
        let endpoint = Endpoint {
            address: Some(proto::socket_address(&host.addr, host.port)),
            // Envoy takes the name of a host that it resolves by itself.
            hostname: if self.discovery == DiscoveryType::Eds { host.addr.clone() } else { String::new() },
            health_check_config: hostname
                .map(|hostname| HealthCheckConfig { hostname, ..HealthCheckConfig::default() }),
            ..Endpoint::default()
        };
        LbEndpoint {
            metadata: metadata(host, labels),
            load_balancing_weight: host.load_balancing_weight.map(uint32),
            host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
            ..LbEndpoint::default()
        }
    }

    /// Which combinations of metadata keys routes can select by; `None`: no host has metadata. A route whose
    /// subset nothing matches gets any endpoint, as in Gloo.
    pub(super) fn subsets(&self, report: &mut Reporter<'_>) -> Option<LbSubsetConfig> {
        let keys: BTreeSet<&str> =
            self.hosts.iter().flat_map(|host| host.metadata.keys().map(String::as_str)).collect();
        if keys.is_empty() {
            return None;
        }
        let selectors = if keys.len() <= MOST_COMBINED_KEYS {
            combinations(&keys)
        } else {
            let message = format!(
                "{} metadata keys: routes can select by one of them, or by all that one host has",
                keys.len()
            );
            let hint = format!("up to {MOST_COMBINED_KEYS} keys can be combined freely");
            report.warning(FieldPath::root().field("static").field("hosts"), message, hint);
            self.some_combinations(&keys)
        };
        Some(LbSubsetConfig {
            fallback_policy: LbSubsetFallbackPolicy::AnyEndpoint.into(),
            subset_selectors: selectors.into_iter().map(selector).collect(),
            ..LbSubsetConfig::default()
        })
    }

    fn some_combinations<'k>(&'k self, keys: &BTreeSet<&'k str>) -> BTreeSet<Vec<&'k str>> {
        let single = keys.iter().map(|key| vec![*key]);
        let hosts = self.hosts.iter().map(|host| host.metadata.keys().map(String::as_str).collect());
        single.chain(hosts).filter(|keys: &Vec<_>| !keys.is_empty()).collect()
    }
}

pub(super) fn combinations<'k>(keys: &BTreeSet<&'k str>) -> BTreeSet<Vec<&'k str>> {
    let mut all: BTreeSet<Vec<&str>> = BTreeSet::from([Vec::new()]);
    for key in keys {
        let with: Vec<Vec<&str>> =
            all.iter().map(|set| set.iter().copied().chain([*key]).collect()).collect();
        all.extend(with);
    }
    all.remove(&Vec::new());
    all
}

pub(super) fn selector(keys: Vec<&str>) -> LbSubsetSelector {
    LbSubsetSelector { keys: keys.into_iter().map(str::to_owned).collect(), ..LbSubsetSelector::default() }
}

fn pipe(path: &str) -> LbEndpoint {
    let pipe = Pipe { path: path.to_owned(), ..Pipe::default() };
    let endpoint =
        Endpoint { address: Some(Address { address: Some(AddressKind::Pipe(pipe)) }), ..Endpoint::default() };
    LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() }
}

fn metadata(host: &StaticHost, labels: &tls::Labels) -> Option<Metadata> {
    let mut filter_metadata = HashMap::new();
    if !host.metadata.is_empty() {
        let fields = host.metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        filter_metadata.insert("envoy.lb".to_owned(), Struct { fields });
    }
    if let Some(label) = labels.of(host) {
        filter_metadata.insert("envoy.transport_socket_match".to_owned(), label);
    }
    (!filter_metadata.is_empty()).then(|| Metadata { filter_metadata, ..Metadata::default() })
}
