//! An instance as it is shared by all who watch its service, and what each of them makes of it. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};

use biplane_core::resources::upstream::discovery::{Canaries, NomadUpstream};
use biplane_source::{Endpoint, Health, Instance, Locality};

/// What stands before the name of a tag in an endpoint's metadata, where routes select by it.
const TAG: &str = "tag_";

/// One instance of a service. Its order is that of places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Placed {
    pub(crate) address: IpAddr,
    /// `None`: the job gives the service no port.
    pub(crate) port: Option<NonZeroU16>,
    /// The allocation, and the port's label.
    pub(crate) id: String,
    pub(crate) health: Health,
    pub(crate) locality: Locality,
    pub(crate) tags: Vec<String>,
    pub(crate) canary: bool,
    pub(crate) version: u64,
    pub(crate) node: String,
}

impl Placed {
    /// With its tags; `None` if it listens nowhere.
    pub(crate) fn instance(&self) -> Option<Instance> {
        Some(Instance {
            endpoint: self.endpoint(self.port?, BTreeMap::new()),
            node: self.node.clone(),
            tags: self.tags.clone(),
            canary: self.canary,
            version: self.version,
        })
    }

    fn endpoint(&self, port: NonZeroU16, metadata: BTreeMap<String, String>) -> Endpoint {
        Endpoint {
            address: self.address,
            port,
            id: self.id.clone(),
            health: self.health,
            weight: NonZeroU32::MIN,
            locality: self.locality.clone(),
            metadata,
        }
    }
}

/// The instances that an upstream asks for, as endpoints, sorted.
pub(crate) fn endpoints(placed: &[Placed], upstream: &NomadUpstream) -> Vec<Endpoint> {
    let port = upstream.port.and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new);
    let asked_for = placed.iter().filter(|placed| is_asked_for(placed, upstream));
    let endpoint = |placed: &Placed| Some(placed.endpoint(port.or(placed.port)?, subsets(placed, upstream)));
    let mut endpoints: Vec<Endpoint> = asked_for.filter_map(endpoint).collect();
    spare_the_last(&mut endpoints);
    endpoints.sort();
    endpoints
}

/// What drains still serves, if nothing else of what is asked for does: the route to it goes a moment later.
fn spare_the_last(endpoints: &mut [Endpoint]) {
    if endpoints.iter().any(|endpoint| endpoint.health.is_usable()) {
        return;
    }
    let draining = endpoints.iter_mut().filter(|endpoint| endpoint.health == Health::Draining);
    draining.for_each(|endpoint| endpoint.health = Health::Healthy);
}

fn is_asked_for(placed: &Placed, upstream: &NomadUpstream) -> bool {
    let carries = |tag: &String| placed.tags.contains(tag);
    let canaries = match upstream.canaries.unwrap_or_default() {
        Canaries::Include => true,
        Canaries::Exclude => !placed.canary,
        Canaries::Only => placed.canary,
    };
    canaries
        && upstream.instance_tags.iter().all(carries)
        && !upstream.instance_blacklist_tags.iter().any(carries)
}

/// `1` for each tag that it carries, `0` for each that it does not.
fn subsets(placed: &Placed, upstream: &NomadUpstream) -> BTreeMap<String, String> {
    let value = |tag: &String| if placed.tags.contains(tag) { "1" } else { "0" };
    upstream.subset_tags.iter().map(|tag| (format!("{TAG}{tag}"), value(tag).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn placed(last: u8, tags: &[&str], canary: bool) -> Placed {
        Placed {
            address: Ipv4Addr::new(10, 0, 0, last).into(),
            port: NonZeroU16::new(80),
            id: format!("a{last}"),
            health: Health::Healthy,
            locality: Locality::default(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            canary,
            version: 1,
            node: "n".into(),
        }
    }

    fn ids(upstream: &NomadUpstream) -> Vec<String> {
        let all = [placed(2, &["v1"], false), placed(1, &["v1", "slow"], false), placed(3, &["v2"], true)];
        endpoints(&all, upstream).into_iter().map(|endpoint| endpoint.id).collect()
    }

    #[test]
    fn an_upstream_picks_by_tags_and_canaries() {
        let text = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        let all = NomadUpstream::default();
        assert_eq!(ids(&all), ["a1", "a2", "a3"]);
        assert_eq!(ids(&NomadUpstream { instance_tags: text(&["v1", "slow"]), ..all.clone() }), ["a1"]);
        assert_eq!(
            ids(&NomadUpstream { instance_blacklist_tags: text(&["slow", "x"]), ..all.clone() }),
            ["a2", "a3"]
        );
        assert_eq!(ids(&NomadUpstream { canaries: Some(Canaries::Exclude), ..all.clone() }), ["a1", "a2"]);
        assert_eq!(ids(&NomadUpstream { canaries: Some(Canaries::Only), ..all }), ["a3"]);
    }

    #[test]
    fn a_canary_that_drains_serves_those_that_are_sent_to_canaries_only() {
        let canary = Placed { health: Health::Draining, ..placed(2, &["v2"], true) };
        let health = |canaries| {
            let upstream = NomadUpstream { canaries: Some(canaries), ..NomadUpstream::default() };
            let all = [placed(1, &["v1"], false), canary.clone()];
            endpoints(&all, &upstream).into_iter().map(|endpoint| endpoint.health).collect::<Vec<_>>()
        };
        assert_eq!(health(Canaries::Only), [Health::Healthy]);
        assert_eq!(health(Canaries::Include), [Health::Healthy, Health::Draining]);
    }

    #[test]
    fn tags_that_routes_select_by_are_metadata_and_a_port_can_be_another_one() {
        let upstream = NomadUpstream {
            subset_tags: vec!["v1".into(), "v2".into()],
            port: Some(9000),
            ..NomadUpstream::default()
        };
        let portless = Placed { port: None, ..placed(1, &["v1"], false) };
        let found = endpoints(std::slice::from_ref(&portless), &upstream);
        let expected =
            [("tag_v1", "1"), ("tag_v2", "0")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((found[0].port.get(), &found[0].metadata), (9000, &BTreeMap::from(expected)));
        assert!(endpoints(&[portless], &NomadUpstream::default()).is_empty(), "it listens nowhere");
    }
}
