//! From a question to the places that answer it, in one look.
//!
//! Invariant: a look has all of them, or fails.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use biplane_core::resources::upstream::discovery::{DnsRecord, DnsUpstream};
use biplane_source::{Endpoint, SourceError};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tracing::debug;

use crate::resolver::{Resolver, shorter};

/// How many targets of a service are looked up at a time.
const TARGETS_MAX: usize = 8;

/// What is looked up. Upstreams that ask this share one answer; ports are theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) record: DnsRecord,
    /// The longest time between two looks, if an upstream says one.
    pub(crate) refresh: Option<Duration>,
}

/// A place that answers a question. Without a port it is that of the upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<NonZeroU16>,
    pub(crate) weight: NonZeroU32,
    /// The target of a service.
    pub(crate) target: String,
}

/// All places, and for how long they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) places: Vec<Place>,
    pub(crate) ttl: Option<Duration>,
}

impl Question {
    /// The question of an upstream. Names differ by more than their case.
    pub(crate) fn of(upstream: &DnsUpstream) -> Self {
        Self {
            name: upstream.name.to_ascii_lowercase(),
            record: upstream.record.unwrap_or_default(),
            refresh: upstream.refresh.map(|refresh| refresh.0),
        }
    }
}

/// Looks.
pub(crate) async fn look(resolver: &Resolver, question: &Question) -> Result<Places, SourceError> {
    let kinds: &[RecordType] = match question.record {
        DnsRecord::A => &[RecordType::A],
        DnsRecord::Aaaa => &[RecordType::AAAA],
        DnsRecord::Any => &[RecordType::A, RecordType::AAAA],
        DnsRecord::Srv => return services(resolver, &question.name).await,
    };
    let found = resolver.search(&question.name, kinds).await?;
    let addresses = found.records.iter().filter_map(address);
    let places = addresses
        .map(|address| Place { address, port: None, weight: NonZeroU32::MIN, target: String::new() })
        .collect();
    Ok(Places { places, ttl: found.ttl })
}

/// The services of the best priority, and the addresses of their targets.
async fn services(resolver: &Resolver, name: &str) -> Result<Places, SourceError> {
    let found = resolver.search(name, &[RecordType::SRV]).await?;
    let best = best(&found.records);
    let looks = best.keys().cloned().map(|target| async move {
        let addresses = addresses(resolver, &target).await?;
        Ok::<_, SourceError>((target, addresses))
    });
    let targets: Vec<_> = stream::iter(looks).buffer_unordered(TARGETS_MAX).try_collect().await?;
    let mut all = Places { places: Vec::new(), ttl: found.ttl };
    for (target, (addresses, ttl)) in targets {
        all.ttl = shorter(all.ttl, ttl);
        for service in &best[&target] {
            all.places.extend(addresses.iter().map(|address| place(service, *address)));
        }
    }
    Ok(all)
}

fn place(service: &SRV, address: IpAddr) -> Place {
    Place {
        address,
        port: NonZeroU16::new(service.port),
        // Nothing at all would get no request ever.
        weight: NonZeroU32::new(u32::from(service.weight)).unwrap_or(NonZeroU32::MIN),
        target: service.target.to_string().trim_end_matches('.').to_owned(),
    }
}

/// The services of the best priority by their targets. The root as a target says that there is no service.
fn best(records: &[RData]) -> BTreeMap<Name, Vec<&SRV>> {
    let services = || {
        records.iter().filter_map(|record| match record {
            RData::SRV(service) if !service.target.is_root() => Some(service),
            _ => None,
        })
    };
    let priority = services().map(|service| service.priority).min();
    let mut best: BTreeMap<Name, Vec<&SRV>> = BTreeMap::new();
    for service in services().filter(|service| Some(service.priority) == priority) {
        best.entry(service.target.clone()).or_default().push(service);
    }
    best
}

async fn addresses(
    resolver: &Resolver,
    target: &Name,
) -> Result<(Vec<IpAddr>, Option<Duration>), SourceError> {
    let v4 = resolver.look_up(target, RecordType::A).await?;
    let v6 = resolver.look_up(target, RecordType::AAAA).await?;
    let all = v4.records.iter().chain(&v6.records).filter_map(address).collect();
    Ok((all, shorter(v4.ttl, v6.ttl)))
}

fn address(record: &RData) -> Option<IpAddr> {
    match record {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

/// The endpoints of an upstream with this port: sorted, each once. Services that are the same place add up.
pub(crate) fn endpoints(places: &[Place], port: Option<u32>) -> Result<Vec<Endpoint>, SourceError> {
    let own = port.and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new);
    let mut found: BTreeMap<(IpAddr, NonZeroU16), Endpoint> = BTreeMap::new();
    for place in places {
        let Some(port) = place.port.or(own) else {
            debug!(address = %place.address, target = place.target, "a service without a port is left out");
            continue;
        };
        let at = (place.address, port);
        if let Some(known) = found.get_mut(&at) {
            if place.port.is_some() {
                known.weight = known.weight.saturating_add(place.weight.get());
            }
            continue;
        }
        let endpoint =
            Endpoint { id: place.target.clone(), weight: place.weight, ..Endpoint::new(place.address, port) };
        found.insert(at, endpoint);
    }
    if found.is_empty() && !places.is_empty() {
        return Err(
            SourceError::invalid("none of what was found has a port").hint("write port in the upstream")
        );
    }
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(last: u8, port: u16, weight: u32, target: &str) -> Place {
        Place {
            address: IpAddr::from([127, 0, 0, last]),
            port: NonZeroU16::new(port),
            weight: NonZeroU32::new(weight).expect("not zero"),
            target: target.to_owned(),
        }
    }

    fn service(priority: u16, target: &str) -> RData {
        RData::SRV(SRV::new(priority, 1, 80, Name::from_ascii(target).expect("a name")))
    }

    #[test]
    fn a_place_that_is_found_twice_is_one_endpoint_with_both_shares() {
        let places = [found(2, 80, 5, "b"), found(1, 80, 1, "a"), found(2, 80, 3, "c")];
        let told = endpoints(&places, None).expect("they have ports");
        let told: Vec<_> = told.iter().map(|at| (at.place().to_string(), at.weight.get(), &*at.id)).collect();
        assert_eq!(told, [("127.0.0.1:80".to_owned(), 1, "a"), ("127.0.0.2:80".to_owned(), 8, "b")]);
    }

    #[test]
    fn a_place_without_a_port_takes_that_of_the_upstream() {
        let places = [found(1, 0, 1, ""), found(1, 0, 1, ""), found(2, 81, 1, "")];
        let told = endpoints(&places, Some(8080)).expect("a port");
        let told: Vec<_> = told.iter().map(|at| (at.place().to_string(), at.weight.get())).collect();
        assert_eq!(told, [("127.0.0.1:8080".to_owned(), 1), ("127.0.0.2:81".to_owned(), 1)]);
        assert!(endpoints(&places[..1], None).is_err(), "nothing is left, and that is no known absence");
    }

    #[test]
    fn services_of_the_best_priority_alone_count_and_the_root_is_none() {
        let records = [service(20, "c."), service(10, "b."), service(10, "a."), service(1, ".")];
        let best: Vec<_> = best(&records).into_keys().map(|target| target.to_string()).collect();
        assert_eq!(best, ["a.", "b."]);
    }

    #[test]
    fn upstreams_that_differ_in_case_and_port_ask_the_same() {
        let upstream = |name: &str, port| DnsUpstream {
            name: name.to_owned(),
            port: Some(port),
            ..DnsUpstream::default()
        };
        assert_eq!(Question::of(&upstream("Web.test", 80)), Question::of(&upstream("web.test", 81)));
    }
}
