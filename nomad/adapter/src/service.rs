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
use crate::health::{Checks, is_stale, judge, port_label};
use crate::instance::Placed;
use crate::reading::{CheckReading, Known, Reading, SpecKey, spec_key};

/// What is added to how long an allocation may take to stop: it is told late, and tells late.
const LENIENCE: Duration = Duration::from_secs(10);

/// How long checks that do not pass are looked at all the time: they are about to.
const EAGER: Duration = Duration::from_secs(30);

/// How often checks are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckPace {
    /// Those that pass.
    pub(crate) passing: Duration,
    /// Those that do not, of a service where something has just moved.
    pub(crate) eager: Duration,
    /// Those that do not, where nothing has for a while.
    pub(crate) failing: Duration,
}

/// One service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    reading: Reading,
    checks: BTreeMap<String, Seen>,
    /// The jobs whose allocations count.
    jobs: BTreeSet<String>,
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
    at: Instant,
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
        let of_jobs = self.jobs.iter().flat_map(|job| {
            let first = (job.clone(), String::new(), 0);
            specs.range(first..).take_while(move |((of, _, _), _)| of == job)
        });
        let passing = self.checked().filter(|one| self.passes(one));
        let seen = |one: &Allocation| Some((one.id.clone(), self.checks.get(&one.id)?.modify_index));
        Known {
            allocations: self.told.values().map(|told| (told.allocation.clone(), told.job.clone())).collect(),
            specs: of_jobs.map(|(key, spec)| (key.clone(), Arc::clone(spec))).collect(),
            settled: passing.filter_map(seen).collect(),
            addresses: self.reading.addresses.clone(),
        }
    }

    /// The jobs whose allocations count.
    pub(crate) fn jobs(&self) -> &BTreeSet<String> {
        &self.jobs
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
    pub(crate) fn take(&mut self, mut reading: Reading, now: Instant) {
        let checks = std::mem::take(&mut reading.checks);
        self.reading = reading;
        self.take_checks(checks, now);
        let there = &self.reading.allocations;
        self.checks.retain(|id, _| there.contains_key(id));
    }

    /// Takes in the checks of some allocations.
    pub(crate) fn take_checks(&mut self, checks: CheckReading, now: Instant) {
        for (id, results) in checks {
            let Some(allocation) = self.reading.allocations.get(&id) else { continue };
            self.checks.insert(id, Seen { results, modify_index: allocation.modify_index, at: now });
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
        let registered = self.reading.registrations.iter().map(|one| &one.job);
        self.jobs = registered.chain(self.told.values().map(|told| &told.job)).cloned().collect();
        placed
    }

    /// When checks are to be looked at next, of which allocations not counting those of `under_way`.
    pub(crate) fn next_check(
        &self,
        pace: CheckPace,
        under_way: &BTreeSet<String>,
        now: Instant,
    ) -> Option<Instant> {
        self.checked()
            .filter(|one| !under_way.contains(&one.id))
            .map(|one| self.check_due(one, pace, now))
            .min()
    }

    /// The allocations whose checks are to be looked at now, not counting those of `under_way`.
    pub(crate) fn due_checks(
        &self,
        pace: CheckPace,
        under_way: &BTreeSet<String>,
        now: Instant,
    ) -> Vec<String> {
        let due = self
            .checked()
            .filter(|one| !under_way.contains(&one.id) && self.check_due(one, pace, now) <= now);
        due.map(|one| one.id.clone()).collect()
    }

    /// How many allocations have checks that pass, and how many have others.
    pub(crate) fn count_checked(&self) -> (usize, usize) {
        let passing = self.checked().filter(|one| self.passes(one)).count();
        (passing, self.checked().count() - passing)
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

    /// The allocations whose checks count.
    fn checked(&self) -> impl Iterator<Item = &Allocation> {
        self.reading.allocations.values().filter(|allocation| {
            let spec = self.reading.specs.get(&spec_key(allocation));
            allocation.is_wanted() && allocation.runs() && spec.is_none_or(|spec| spec.has_checks())
        })
    }

    /// Whether all checks of an allocation are known to pass as it is now.
    fn passes(&self, allocation: &Allocation) -> bool {
        let results = self.checks.get(&allocation.id).and_then(|seen| seen.results.as_ref());
        let spec = self.reading.specs.get(&spec_key(allocation)).map(Arc::as_ref);
        let passes = |result: &CheckResult| result.status == "success" && !is_stale(result, allocation, spec);
        results.is_some_and(|results| results.iter().all(passes))
    }

    fn check_due(&self, allocation: &Allocation, pace: CheckPace, now: Instant) -> Instant {
        let Some(seen) = self.checks.get(&allocation.id) else { return now };
        let is_eager = self.moved.is_none_or(|moved| now.saturating_duration_since(moved) < EAGER);
        let wait = match (self.passes(allocation), is_eager) {
            (true, _) => pace.passing.mul_f64(spread(&allocation.id)),
            (false, true) => pace.eager,
            (false, false) => pace.failing,
        };
        seen.at + wait
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
            canary: allocation.is_some_and(Allocation::is_canary)
                || spec.is_some_and(|spec| spec.is_canary(&one.service_name, &one.tags)),
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

/// A number near one that differs between allocations, whose ids are random: what is read together does not stay so.
fn spread(id: &str) -> f64 {
    let byte = id.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(0);
    0.9 + f64::from(byte) / 1280.0
}

fn place(placed: &Placed) -> Option<SocketAddr> {
    placed.port.map(|port| SocketAddr::new(placed.address, port.get()))
}

#[cfg(test)]
mod tests;
