//! One reading of a service: whatever its state is put together from, all of it or a failure.
//!
//! What is known and has not changed is not asked for again: what a version of a job says, and the checks of an allocation
//! that pass, which are looked at in their own time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use crate::api::{Allocation, Api, CheckResult, Registration, Spec};
use crate::client::Failure;
use crate::resolve;

/// How long a reading waits for checks. A node that is gone must not hold up what is known of the others; what has not come
/// by then is looked at by itself.
const CHECKS: Duration = Duration::from_millis(500);

/// A group of a version of a job.
pub(crate) type SpecKey = (String, String, u64);

/// What need not be asked again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The allocations that are looked at though they may not be registered any more, with their jobs.
    pub(crate) allocations: BTreeMap<String, String>,
    pub(crate) specs: BTreeMap<SpecKey, Arc<Spec>>,
    /// The allocations whose checks pass, as of which change of them.
    pub(crate) settled: BTreeMap<String, u64>,
    /// Addresses of names.
    pub(crate) addresses: BTreeMap<String, IpAddr>,
}

/// A service at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) registrations: Vec<Registration>,
    /// When any registration last changed.
    pub(crate) index: u64,
    pub(crate) allocations: BTreeMap<String, Allocation>,
    /// When any allocation last changed; zero if none was asked for.
    pub(crate) allocations_index: u64,
    /// What jobs say about these allocations.
    pub(crate) specs: BTreeMap<SpecKey, Arc<Spec>>,
    /// Which of it was not known.
    pub(crate) new_specs: BTreeSet<SpecKey>,
    /// Of those allocations that were asked about and whose nodes have answered.
    pub(crate) checks: CheckReading,
    /// Of every address that is registered.
    pub(crate) addresses: BTreeMap<String, IpAddr>,
}

/// Checks by allocation; `None` where the node cannot be asked.
pub(crate) type CheckReading = BTreeMap<String, Option<Vec<CheckResult>>>;

/// Where what a job says about an allocation is kept.
pub(crate) fn spec_key(allocation: &Allocation) -> SpecKey {
    (allocation.job.clone(), allocation.task_group.clone(), allocation.job_version)
}

/// Reads a service.
pub(crate) async fn read(api: &Api, name: &str, known: &Known) -> Result<Reading, Failure> {
    // Registrations first: an allocation is there before its instance is registered.
    let (registrations, index) = api.service(name).await?;
    let mut wanted = known.allocations.clone();
    wanted.extend(registrations.iter().map(|one| (one.allocation.clone(), one.job.clone())));
    let (allocations, allocations_index) = allocations(api, &wanted).await?;
    let (specs, new_specs) = specs(api, &allocations, known).await?;
    let unsettled = unsettled(&allocations, &specs, known);
    let (checks, addresses) =
        futures::join!(read_checks(api, unsettled), addresses(&registrations, &known.addresses));
    let addresses = addresses?;
    Ok(Reading { registrations, index, allocations, allocations_index, specs, new_specs, checks, addresses })
}

/// The checks of those allocations whose nodes answer quickly.
async fn read_checks(api: &Api, allocations: Vec<String>) -> CheckReading {
    let read = allocations.into_iter().map(async |id| {
        let checks = timeout(CHECKS, api.checks(&id)).await.ok()?;
        Some((id, checks))
    });
    join_all(read).await.into_iter().flatten().collect()
}

async fn allocations(
    api: &Api,
    wanted: &BTreeMap<String, String>,
) -> Result<(BTreeMap<String, Allocation>, u64), Failure> {
    let jobs: BTreeSet<&String> = wanted.values().collect();
    let lists = try_join_all(jobs.into_iter().map(|job| api.allocations(job))).await?;
    let index = lists.iter().map(|(_, index)| *index).min().unwrap_or(0);
    let all = lists.into_iter().flat_map(|(list, _)| list);
    let found = all.filter(|allocation| wanted.contains_key(&allocation.id));
    Ok((found.map(|allocation| (allocation.id.clone(), allocation)).collect(), index))
}

/// What jobs say about allocations, and which of it was not known: one question a version.
async fn specs(
    api: &Api,
    allocations: &BTreeMap<String, Allocation>,
    known: &Known,
) -> Result<(BTreeMap<SpecKey, Arc<Spec>>, BTreeSet<SpecKey>), Failure> {
    let (mut found, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for allocation in allocations.values() {
        let key = spec_key(allocation);
        match known.specs.get(&key) {
            Some(spec) => drop(found.insert(key, Arc::clone(spec))),
            None => drop(missing.insert(key, allocation.id.as_str())),
        }
    }
    let read = missing.into_iter().map(async |((job, group, _), id)| {
        let spec = api.spec(id).await?;
        // It may have become one of a newer version since it was listed.
        Ok::<_, Failure>(spec.map(|spec| ((job, group, spec.version), Arc::new(spec))))
    });
    let read: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
    let new = read.iter().map(|(key, _)| key.clone()).collect();
    found.extend(read);
    Ok((found, new))
}

/// The allocations whose checks are not known to pass.
fn unsettled(
    allocations: &BTreeMap<String, Allocation>,
    specs: &BTreeMap<SpecKey, Arc<Spec>>,
    known: &Known,
) -> Vec<String> {
    let is_asked = |allocation: &&Allocation| {
        let spec = specs.get(&spec_key(allocation));
        allocation.is_wanted()
            && allocation.runs()
            && spec.is_none_or(|spec| spec.has_checks())
            && known.settled.get(&allocation.id) != Some(&allocation.modify_index)
    };
    allocations.values().filter(is_asked).map(|allocation| allocation.id.clone()).collect()
}

async fn addresses(
    registrations: &[Registration],
    before: &BTreeMap<String, IpAddr>,
) -> Result<BTreeMap<String, IpAddr>, Failure> {
    let hosts: BTreeSet<&str> = registrations.iter().map(|one| one.address.as_str()).collect();
    let found = hosts.into_iter().map(async |host| {
        let address = resolve::address(host, before).await?;
        Ok::<_, Failure>((host.to_owned(), address))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}
