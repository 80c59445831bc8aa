//! What sources show of services, kept for people who ask.

use std::collections::{BTreeMap, BTreeSet};

use biplane_admin_api::status::ServiceStatus;
use biplane_source::{Health, Instance};

use super::Item;

/// The services that are known.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<Item, OfService>);

#[derive(Debug, Default)]
struct OfService {
    tags: Vec<String>,
    /// Whether its source still lists it.
    listed: bool,
    instances: Option<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    healthy: u64,
    canaries: u64,
}

impl Seen {
    /// A service is listed with these tags.
    pub(super) fn listed(&mut self, item: &Item, tags: BTreeSet<String>) {
        let seen = self.0.entry(item.clone()).or_default();
        seen.listed = true;
        seen.tags = tags.into_iter().collect();
    }

    /// It is not listed any more.
    pub(super) fn unlisted(&mut self, item: &Item) {
        self.0.entry(item.clone()).and_modify(|seen| seen.listed = false);
    }

    /// A service has these instances.
    pub(super) fn told(&mut self, item: &Item, instances: &[Instance]) {
        let count = |is_meant: fn(&&Instance) -> bool| instances.iter().filter(is_meant).count() as u64;
        if let Some(seen) = self.0.get_mut(item) {
            seen.instances = Some(Counts {
                total: instances.len() as u64,
                healthy: count(|instance| is_usable(instance.endpoint.health)),
                canaries: count(|instance| instance.canary),
            });
        }
    }

    /// Nobody looks at the instances of a service any more.
    pub(super) fn unwatched(&mut self, item: &Item) {
        self.0.entry(item.clone()).and_modify(|seen| seen.instances = None);
    }

    /// A service is gone.
    pub(super) fn forget(&mut self, item: &Item) {
        self.0.remove(item);
    }

    /// All of them, in order; `findings` says how many there are about one.
    pub(super) fn status(&self, findings: impl Fn(&Item) -> u64) -> Vec<ServiceStatus> {
        let status = |(item, seen): (&Item, &OfService)| ServiceStatus {
            source: item.source.to_string(),
            datacenter: item.name.datacenter.clone(),
            namespace: item.name.namespace.clone(),
            name: item.name.name.clone(),
            tags: seen.tags.clone(),
            watched: seen.instances.is_some(),
            instances: seen.instances.as_ref().map_or(0, |counts| counts.total),
            healthy: seen.instances.as_ref().map_or(0, |counts| counts.healthy),
            canaries: seen.instances.as_ref().map_or(0, |counts| counts.canaries),
            findings: findings(item),
            gone: !seen.listed,
            ..ServiceStatus::default()
        };
        self.0.iter().map(status).collect()
    }
}

const fn is_usable(health: Health) -> bool {
    matches!(health, Health::Healthy | Health::Unknown)
}
