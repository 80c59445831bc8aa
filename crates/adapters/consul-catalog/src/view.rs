//! What an upstream sees of the instances of a service. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};

use biplane_consul_client::{CheckStatus, HealthEntry, InstanceLocality};
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{Endpoint, Health, Locality};

/// What Gloo puts before the name of a tag, and of a data centre, in an endpoint's metadata.
const TAG: &str = "tag_";
const DATA_CENTER: &str = "dc_";

/// Where an instance listens: an address or a name, and a port; `None`: it has no port.
pub(crate) fn place<'a>(entry: &'a HealthEntry, upstream: &ConsulUpstream) -> Option<(&'a str, NonZeroU16)> {
    let HealthEntry { node, service, .. } = entry;
    let tagged = upstream.tagged_address.as_deref();
    let of_service = tagged.and_then(|name| service.tagged_addresses.get(name));
    let of_node = tagged.and_then(|name| node.tagged_addresses.get(name)).map(String::as_str);
    let own = if service.address.is_empty() { &node.address } else { &service.address };
    // The address of the node says nothing about an instance that has one of its own.
    let of_node = of_node.filter(|_| service.address.is_empty());
    let address = of_service.map(|tagged| tagged.address.as_str()).or(of_node).unwrap_or(own);
    let port = upstream.port.or(of_service.map(|tagged| tagged.port).filter(|port| *port != 0));
    let port = u16::try_from(port.unwrap_or(service.port)).ok().and_then(NonZeroU16::new)?;
    Some((address, port))
}

/// Whether an upstream wants an instance at all.
pub(crate) fn is_wanted(entry: &HealthEntry, upstream: &ConsulUpstream) -> bool {
    let has = |tag: &String| entry.service.tags.contains(tag);
    upstream.instance_tags.iter().all(has) && !upstream.instance_blacklist_tags.iter().any(has)
}

/// The instance as an endpoint at this address.
pub(crate) fn endpoint(
    entry: &HealthEntry,
    upstream: &ConsulUpstream,
    address: IpAddr,
    port: NonZeroU16,
) -> Endpoint {
    let (health, weight) = health(entry, upstream.warning_is_healthy.unwrap_or(true));
    Endpoint {
        id: format!("{}/{}", entry.node.node, entry.service.id),
        health,
        weight,
        locality: locality(entry),
        metadata: metadata(entry, upstream),
        ..Endpoint::new(address, port)
    }
}

/// How an instance is by its own checks and those of its node, and its share of the requests in that state.
fn health(entry: &HealthEntry, warning_is_healthy: bool) -> (Health, NonZeroU32) {
    let says = |status| entry.checks.iter().any(|check| check.status == status);
    let (passing, warning) =
        entry.service.weights.map_or((1, 1), |weights| (weights.passing, weights.warning));
    let share = |weight| NonZeroU32::new(weight);
    if says(CheckStatus::Critical) {
        return (Health::Unhealthy, share(passing).unwrap_or(NonZeroU32::MIN));
    }
    if says(CheckStatus::Warning) {
        // A share of nothing is Consul's way to say that it should get no requests.
        return match share(warning) {
            Some(weight) if warning_is_healthy => (Health::Healthy, weight),
            weight => (Health::Unhealthy, weight.unwrap_or(NonZeroU32::MIN)),
        };
    }
    let health = if says(CheckStatus::Passing) { Health::Healthy } else { Health::Unknown };
    (health, share(passing).unwrap_or(NonZeroU32::MIN))
}

fn locality(entry: &HealthEntry) -> Locality {
    let known = |locality: &Option<InstanceLocality>| locality.clone().filter(|at| !at.region.is_empty());
    match known(&entry.service.locality).or_else(|| known(&entry.node.locality)) {
        Some(InstanceLocality { region, zone }) => Locality { region, zone },
        None => Locality { region: entry.node.datacenter.clone(), zone: String::new() },
    }
}

fn metadata(entry: &HealthEntry, upstream: &ConsulUpstream) -> BTreeMap<String, String> {
    let tags = if upstream.subset_tags.is_empty() { &upstream.service_tags } else { &upstream.subset_tags };
    let word = |is_so: bool| if is_so { "1" } else { "0" }.to_owned();
    let tags = tags.iter().map(|tag| (format!("{TAG}{tag}"), word(entry.service.tags.contains(tag))));
    // One data centre is no choice.
    let names = if upstream.data_centers.len() > 1 { &*upstream.data_centers } else { &[] };
    let names =
        names.iter().map(|name| (format!("{DATA_CENTER}{name}"), word(*name == entry.node.datacenter)));
    tags.chain(names).collect()
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::{Check, Node, ServiceEntry, TaggedAddress, Weights};

    use super::*;

    fn entry(statuses: &[CheckStatus]) -> HealthEntry {
        let check = |status: &CheckStatus| Check {
            node: "n".to_owned(),
            check_id: "c".to_owned(),
            status: *status,
            service_name: "web".to_owned(),
            modify_index: 1,
        };
        let node = Node {
            id: String::new(),
            node: "n".to_owned(),
            address: "10.0.0.1".to_owned(),
            datacenter: "dc1".to_owned(),
            tagged_addresses: BTreeMap::from([("wan".to_owned(), "1.0.0.1".to_owned())]),
            locality: None,
        };
        let service = ServiceEntry {
            id: "web-1".to_owned(),
            tags: vec!["v1".to_owned(), "blue".to_owned()],
            port: 80,
            weights: Some(Weights { passing: 10, warning: 2 }),
            ..ServiceEntry::default()
        };
        HealthEntry { node, service, checks: statuses.iter().map(check).collect() }
    }

    fn upstream() -> ConsulUpstream {
        ConsulUpstream { service_name: Some("web".to_owned()), ..ConsulUpstream::default() }
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_worst_check_counts_and_warnings_as_the_upstream_says() {
        use CheckStatus::{Critical, Passing, Warning};
        let of = |statuses: &[CheckStatus], warning| {
            let (health, weight) = health(&entry(statuses), warning);
            (health, weight.get())
        };
        assert_eq!(of(&[Passing, Passing], true), (Health::Healthy, 10));
        assert_eq!(of(&[Passing, Warning], true), (Health::Healthy, 2));
        assert_eq!(of(&[Passing, Warning], false), (Health::Unhealthy, 2));
        assert_eq!(of(&[Warning, Critical], true), (Health::Unhealthy, 10));
        assert_eq!(of(&[], true), (Health::Unknown, 10));
    }

    #[test]
    fn a_share_of_nothing_while_warning_means_no_requests() {
        let mut entry = entry(&[CheckStatus::Warning]);
        entry.service.weights = Some(Weights { passing: 1, warning: 0 });
        assert_eq!(health(&entry, true).0, Health::Unhealthy);
    }

    #[test]
    fn the_address_is_the_tagged_one_else_the_services_else_the_nodes() {
        let port = |port| NonZeroU16::new(port).expect("a port");
        let mut entry = entry(&[]);
        let mut upstream = upstream();
        assert_eq!(place(&entry, &upstream), Some(("10.0.0.1", port(80))));
        upstream.tagged_address = Some("wan".to_owned());
        assert_eq!(place(&entry, &upstream), Some(("1.0.0.1", port(80))));
        entry.service.address = "web.internal".to_owned();
        assert_eq!(
            place(&entry, &upstream),
            Some(("web.internal", port(80))),
            "the node's is not the service's"
        );
        let tagged = TaggedAddress { address: "1.0.0.2".to_owned(), port: 8080 };
        entry.service.tagged_addresses.insert("wan".to_owned(), tagged);
        assert_eq!(place(&entry, &upstream), Some(("1.0.0.2", port(8080))));
        upstream.port = Some(9000);
        assert_eq!(place(&entry, &upstream), Some(("1.0.0.2", port(9000))));
        entry.service.port = 0;
        assert_eq!(place(&entry, &ConsulUpstream::default()), None);
    }

    #[test]
    fn tags_choose_instances_and_become_metadata() {
        let entry = entry(&[]);
        let mut upstream = upstream();
        upstream.instance_tags = strings(&["v1", "blue"]);
        assert!(is_wanted(&entry, &upstream));
        upstream.instance_blacklist_tags = strings(&["blue"]);
        assert!(!is_wanted(&entry, &upstream));
        upstream.instance_tags = strings(&["v2"]);
        upstream.instance_blacklist_tags.clear();
        assert!(!is_wanted(&entry, &upstream));
        upstream.service_tags = strings(&["v1", "v2"]);
        upstream.data_centers = strings(&["dc1", "dc2"]);
        let expected = [("dc_dc1", "1"), ("dc_dc2", "0"), ("tag_v1", "1"), ("tag_v2", "0")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(metadata(&entry, &upstream), BTreeMap::from(expected));
        upstream.subset_tags = strings(&["blue"]);
        upstream.data_centers = strings(&["dc1"]);
        assert_eq!(metadata(&entry, &upstream), BTreeMap::from([("tag_blue".to_owned(), "1".to_owned())]));
    }

    #[test]
    fn a_locality_of_its_own_goes_before_the_datacenter() {
        let mut entry = entry(&[]);
        assert_eq!(locality(&entry), Locality { region: "dc1".to_owned(), zone: String::new() });
        let at =
            |region: &str, zone: &str| InstanceLocality { region: region.to_owned(), zone: zone.to_owned() };
        entry.node.locality = Some(at("eu", "a"));
        entry.service.locality = Some(at("eu", "b"));
        assert_eq!(locality(&entry), Locality { region: "eu".to_owned(), zone: "b".to_owned() });
    }
}
