//! One upstream's endpoints among the machines. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};

use biplane_core::resources::upstream::discovery::{AwsEc2Upstream, TagFilter};
use biplane_source::{Endpoint, Health, Locality};
use tracing::{debug, warn};

use crate::keep::Snapshot;
use crate::machine::{Machine, Member, Phase, State};

/// The port of upstreams that name none.
const USUAL_PORT: u16 = 80;

/// The endpoints, sorted, each place once.
pub(crate) fn endpoints(snapshot: &Snapshot, upstream: &AwsEc2Upstream) -> Vec<Endpoint> {
    let mut places = BTreeMap::new();
    for (id, machine) in &snapshot.machines {
        if let Some(endpoint) = endpoint(snapshot, upstream, id, machine) {
            places.entry(endpoint.place()).or_insert(endpoint);
        }
    }
    let mut all: Vec<_> = places.into_values().collect();
    all.sort();
    all
}

fn endpoint(snapshot: &Snapshot, upstream: &AwsEc2Upstream, id: &str, machine: &Machine) -> Option<Endpoint> {
    if !upstream.filters.iter().all(|filter| carries(machine, filter)) {
        return None;
    }
    let health = health(snapshot, upstream, id, machine)?;
    let Some(address) = address(upstream, machine) else {
        debug!(id, "a machine without such an address is left out");
        return None;
    };
    let tag = |name: &Option<String>| name.as_ref().and_then(|name| machine.tags.get(name));
    let port = match tag(&upstream.port_tag) {
        None => upstream.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(USUAL_PORT),
        Some(text) => number(id, text)?,
    };
    let (weight, health) = match tag(&upstream.weight_tag) {
        None => (NonZeroU32::MIN, health),
        Some(text) => share(id, text, health),
    };
    let subsets =
        upstream.subset_tags.iter().filter_map(|name| Some((name.clone(), machine.tags.get(name)?.clone())));
    Some(Endpoint {
        address,
        port: NonZeroU16::new(port)?,
        id: id.to_owned(),
        health,
        weight,
        locality: Locality { region: snapshot.region.clone(), zone: machine.zone.clone() },
        metadata: subsets.collect(),
    })
}

/// Names and values of tags are compared as they are written, as AWS does.
fn carries(machine: &Machine, filter: &TagFilter) -> bool {
    match filter {
        TagFilter { kv_pair: Some(pair), .. } => machine.tags.get(&pair.key) == Some(&pair.value),
        TagFilter { key: Some(key), .. } => machine.tags.contains_key(key),
        TagFilter { .. } => true,
    }
}

/// `None`: it is no machine of the upstream, or not any more.
fn health(snapshot: &Snapshot, upstream: &AwsEc2Upstream, id: &str, machine: &Machine) -> Option<Health> {
    let member =
        snapshot.members.get(id).filter(|member| upstream.auto_scaling_groups.contains(&member.group));
    if !upstream.auto_scaling_groups.is_empty() {
        match member?.phase {
            Phase::InService => {}
            Phase::Leaving => return Some(Health::Draining),
            Phase::Aside => return None,
        }
    }
    let group_is_well = member.is_none_or(|Member { is_healthy, .. }| *is_healthy);
    match machine.state {
        State::Leaving => None,
        State::Running if !group_is_well => Some(Health::Unhealthy),
        State::Running if !upstream.instance_status.unwrap_or(true) => Some(Health::Unknown),
        State::Running if snapshot.passes.get(id) == Some(&true) => Some(Health::Healthy),
        State::Starting | State::Running => Some(Health::Unhealthy),
    }
}

fn address(upstream: &AwsEc2Upstream, machine: &Machine) -> Option<IpAddr> {
    if upstream.ipv6 == Some(true) {
        return machine.ipv6.map(Into::into);
    }
    let address = if upstream.public_ip == Some(true) { machine.public } else { machine.private };
    address.map(Into::into)
}

/// Another port than the one that was meant is worse than none.
fn number(id: &str, text: &str) -> Option<u16> {
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    if port.is_none() {
        warn!(id, "the tag for the port of a machine is no port: the machine is left out");
    }
    port
}

/// Who has no share finishes what it has.
fn share(id: &str, text: &str, health: Health) -> (NonZeroU32, Health) {
    match text.trim().parse::<u32>() {
        Ok(0) => (NonZeroU32::MIN, if health.is_usable() { Health::Draining } else { health }),
        Ok(weight) => (NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN), health),
        Err(_) => {
            warn!(id, "the tag for the weight of a machine is no number: it gets the usual share");
            (NonZeroU32::MIN, health)
        }
    }
}

#[cfg(test)]
mod tests;
