//! What is known of one service, and what follows from it. No I/O, and time is told.
//!
//! A registration leaves the catalog when its task is told to stop, which is before it has stopped. Until then it is told as
//! draining; and if nothing else is there to serve, as it was: what is about to go is better than nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use biplane_source::{Health, Locality};
use tokio::time::Instant;

use crate::api::{Allocation, CheckResult, Registration, Spec};
use crate::health::{Checks, judge, port_label};
use crate::instance::Placed;
use crate::reading::{CheckReading, Known, Reading, SpecKey, spec_key};

/// What is added to how long an allocation may take to stop: it is told late, and tells late.
const LENIENCE: Duration = Duration::from_secs(10);

/// How long checks that do not pass are looked at all the time: they are about to.
const EAGER: Duration = Duration::from_secs(30);
const EAGER_INTERVAL: Duration = Duration::from_millis(300);

/// How often after that.
const SICK_INTERVAL: Duration = Duration::from_secs(2);

/// One service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    reading: Reading,
    checks: BTreeMap<String, Seen>,
    /// What was told last, by registration.
    told: BTreeMap<String, Told>,
    /// When something last moved.
    moved: Option<Instant>,
}

/// The checks of an allocation when they were looked at.
#[derive(Clone, Debug)]
struct Seen {
    results: Option<Vec<CheckResult>>,
    /// Which change of the allocation it was.
    modify_index: u64,
}

#[derive(Clone, Debug)]
struct Told {
    placed: Placed,
    allocation: String,
    job: String,
    /// What its checks came to when they were last known.
    verdict: Option<Health>,
    /// Since when it is not registered any more, and how long it may take to go.
    leaving: Option<(Instant, Duration)>,
}

impl Service {
    /// What a reading need not ask for. `specs`: what is known of all jobs.
    pub(crate) fn known(&self, specs: &BTreeMap<SpecKey, Arc<Spec>>) -> Known {
        let jobs = self.jobs();
        let of_jobs = specs.iter().filter(|((job, _, _), _)| jobs.contains(job.as_str()));
        let passing = self.checks.iter().filter(|(_, seen)| seen.passes());
        Known {
            allocations: self.told.values().map(|told| (told.allocation.clone(), told.job.clone())).collect(),
            specs: of_jobs.map(|(key, spec)| (key.clone(), Arc::clone(spec))).collect(),
            settled: passing.map(|(id, seen)| (id.clone(), seen.modify_index)).collect(),
            addresses: self.reading.addresses.clone(),
        }
    }

    /// The jobs whose allocations count.
    pub(crate) fn jobs(&self) -> BTreeSet<&str> {
        let registered = self.reading.registrations.iter().map(|one| one.job.as_str());
        registered.chain(self.told.values().map(|told| told.job.as_str())).collect()
    }

    /// Whether nothing of it is known to be there.
    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.reading.registrations.is_empty()
    }

    /// When registrations and allocations last changed, as of the last reading.
    pub(crate) fn indices(&self) -> (u64, u64) {
        (self.reading.index, self.reading.allocations_index)
    }

    /// Takes in a reading.
    pub(crate) fn take(&mut self, mut reading: Reading) {
        let checks = std::mem::take(&mut reading.checks);
        self.reading = reading;
        self.take_checks(checks);
        let there = &self.reading.allocations;
        self.checks.retain(|id, _| there.contains_key(id));
    }

    /// Takes in the checks of some allocations.
    pub(crate) fn take_checks(&mut self, checks: CheckReading) {
        for (id, results) in checks {
            let Some(allocation) = self.reading.allocations.get(&id) else { continue };
            self.checks.insert(id, Seen { results, modify_index: allocation.modify_index });
        }
    }

    /// The instances now, sorted.
    pub(crate) fn instances(&mut self, now: Instant) -> Vec<Placed> {
        let mut next: BTreeMap<String, Told> = self
            .reading
            .registrations
            .iter()
            .filter_map(|one| Some((one.id.clone(), self.placed(one)?)))
            .collect();
        self.add_leaving(&mut next, now);
        spare_the_last(&mut next);
        let mut placed: Vec<Placed> = next.values().map(|told| told.placed.clone()).collect();
        placed.sort();
        if self.moved.is_none() || placed != self.placed_before() {
            self.moved = Some(now);
        }
        self.told = next;
        placed
    }

    /// The allocations whose checks are to be looked at, and how soon. `interval`: how often those that pass are.
    pub(crate) fn checks_due(&self, interval: Duration, now: Instant) -> Option<(Vec<String>, Duration)> {
        let checked = self.reading.allocations.values().filter(|allocation| self.is_checked(allocation));
        let ids: Vec<String> = checked.map(|allocation| allocation.id.clone()).collect();
        if ids.is_empty() {
            return None;
        }
        let all_pass = ids.iter().all(|id| self.checks.get(id).is_some_and(Seen::passes));
        let is_eager = self.moved.is_none_or(|moved| now.saturating_duration_since(moved) < EAGER);
        let soon = match (all_pass, is_eager) {
            (true, _) => interval,
            (false, true) => EAGER_INTERVAL.min(interval),
            (false, false) => SICK_INTERVAL.min(interval),
        };
        Some((ids, soon))
    }

    /// When the first of those that leave has had its time.
    pub(crate) fn next_departure(&self) -> Option<Instant> {
        self.told.values().filter_map(|told| told.leaving.map(|(since, grace)| since + grace)).min()
    }

    fn placed_before(&self) -> Vec<Placed> {
        let mut before: Vec<Placed> = self.told.values().map(|told| told.placed.clone()).collect();
        before.sort();
        before
    }

    fn is_checked(&self, allocation: &Allocation) -> bool {
        let spec = self.reading.specs.get(&spec_key(allocation));
        allocation.is_wanted() && allocation.runs() && spec.is_none_or(|spec| spec.has_checks())
    }

    fn placed(&self, one: &Registration) -> Option<Told> {
        let allocation = self.reading.allocations.get(&one.allocation);
        let spec =
            allocation.and_then(|allocation| self.reading.specs.get(&spec_key(allocation))).map(Arc::as_ref);
        let verdict = self.told.get(&one.id).and_then(|told| told.verdict);
        let checks = self.checks.get(&one.allocation).and_then(|seen| seen.results.as_deref());
        let checks = checks.map_or(Checks::Unknown, Checks::Known);
        let health = judge(one, allocation, spec, checks, verdict);
        let label = port_label(one);
        let placed = Placed {
            address: *self.reading.addresses.get(&one.address)?,
            port: NonZeroU16::new(one.port),
            id: if label.is_empty() { one.allocation.clone() } else { format!("{}:{label}", one.allocation) },
            health,
            locality: Locality {
                region: spec.map(|spec| spec.region.clone()).unwrap_or_default(),
                zone: one.datacenter.clone(),
            },
            tags: one.tags.clone(),
            canary: allocation.is_some_and(Allocation::is_canary),
            version: spec.map_or(0, |spec| spec.revision),
            node: allocation
                .map(|allocation| allocation.node_name.clone())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| one.node.clone()),
        };
        let verdict = match (checks, health) {
            (Checks::Known(_), Health::Healthy | Health::Unhealthy) => Some(health),
            _ => verdict,
        };
        let (allocation, job) = (one.allocation.clone(), one.job.clone());
        Some(Told { placed, allocation, job, verdict, leaving: None })
    }

    /// Those that were told, are not registered any more, and still run though they are to stop.
    fn add_leaving(&self, next: &mut BTreeMap<String, Told>, now: Instant) {
        let taken: BTreeSet<_> = next.values().filter_map(|told| place(&told.placed)).collect();
        for (id, told) in &self.told {
            let Some(allocation) = self.reading.allocations.get(&told.allocation) else { continue };
            // What took its port is somebody else.
            let is_taken = place(&told.placed).is_some_and(|place| taken.contains(&place));
            if next.contains_key(id) || is_taken || allocation.is_wanted() || !allocation.runs() {
                continue;
            }
            let grace =
                self.reading.specs.get(&spec_key(allocation)).map_or(Duration::ZERO, |spec| spec.grace);
            let (since, grace) = told.leaving.unwrap_or((now, grace + LENIENCE));
            if now.saturating_duration_since(since) < grace {
                let placed = Placed { health: Health::Draining, ..told.placed.clone() };
                next.insert(id.clone(), Told { placed, leaving: Some((since, grace)), ..told.clone() });
            }
        }
    }
}

impl Seen {
    fn passes(&self) -> bool {
        self.results.as_ref().is_some_and(|results| results.iter().all(|result| result.status == "success"))
    }
}

/// If nothing is left to serve, what is about to stop and was well goes on until something is.
fn spare_the_last(next: &mut BTreeMap<String, Told>) {
    if next.values().any(|told| told.placed.health.is_usable()) {
        return;
    }
    for told in next.values_mut().filter(|told| told.placed.health == Health::Draining) {
        if told.verdict != Some(Health::Unhealthy) {
            told.placed.health = Health::Healthy;
        }
    }
}

fn place(placed: &Placed) -> Option<SocketAddr> {
    placed.port.map(|port| SocketAddr::new(placed.address, port.get()))
}

#[cfg(test)]
mod tests;
