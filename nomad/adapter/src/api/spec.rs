//! What a job says about the allocations of one of its versions. It never changes, so it is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::wire::{AllocationWithJob, Group, Job, Service};

/// One group of one version of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    /// The version, which starts over when a job is purged.
    pub(crate) version: u64,
    /// When this version came about, which never goes back.
    pub(crate) revision: u64,
    pub(crate) region: String,
    /// Whether a deployment judges its allocations.
    pub(crate) is_deployed: bool,
    /// How long an allocation may go on once it is asked to stop.
    pub(crate) grace: Duration,
    /// Its main tasks, as opposed to those that prepare, accompany and clean up.
    pub(crate) tasks: BTreeSet<String>,
    /// Whether each service has checks, by its name as the job has it, which may be a pattern.
    pub(crate) services: BTreeMap<String, bool>,
    /// The tags that canaries have in the place of others, by the same names.
    pub(crate) canary_tags: BTreeMap<String, BTreeSet<String>>,
}

impl Spec {
    pub(super) fn of(allocation: AllocationWithJob) -> Option<Self> {
        let job = allocation.job?;
        let group = job.task_groups.iter().find(|group| group.name == allocation.task_group)?;
        Some(Self {
            version: job.version,
            revision: job.revision,
            region: job.region.clone(),
            is_deployed: is_deployed(&job, group),
            grace: grace(group),
            tasks: group
                .tasks
                .iter()
                .filter(|task| task.lifecycle.is_none())
                .map(|task| task.name.clone())
                .collect(),
            services: services(group)
                .map(|service| (service.name.clone(), !service.checks.is_empty()))
                .collect(),
            canary_tags: services(group).filter_map(canary_tags).collect(),
        })
    }

    /// Whether any service of an allocation has checks.
    pub(crate) fn has_checks(&self) -> bool {
        self.services.values().any(|checked| *checked)
    }

    /// Whether an instance of this service with these tags is registered as a canary. When it is promoted, its node
    /// registers it anew a moment after its servers have said so.
    pub(crate) fn is_canary(&self, service: &str, tags: &[String]) -> bool {
        let of_canaries = self.canary_tags.get(service);
        of_canaries.is_some_and(|canary_tags| tags.iter().cloned().collect::<BTreeSet<_>>() == *canary_tags)
    }

    /// Whether this service has checks; `None` if the job does not have it by this name.
    pub(crate) fn is_checked(&self, service: &str) -> Option<bool> {
        self.services.get(service).copied()
    }
}

fn canary_tags(service: &Service) -> Option<(String, BTreeSet<String>)> {
    let set = |tags: &[String]| tags.iter().cloned().collect::<BTreeSet<_>>();
    let of_canaries = set(&service.canary_tags);
    let differ = !of_canaries.is_empty() && of_canaries != set(&service.tags);
    differ.then(|| (service.name.clone(), of_canaries))
}

fn is_deployed(job: &Job, group: &Group) -> bool {
    job.kind == "service" && group.update.as_ref().is_some_and(|update| update.max_parallel > 0)
}

fn services(group: &Group) -> impl Iterator<Item = &Service> {
    group.services.iter().chain(group.tasks.iter().flat_map(|task| &task.services))
}

fn grace(group: &Group) -> Duration {
    let longest = group.tasks.iter().map(|task| task.shutdown_delay.saturating_add(task.kill_timeout)).max();
    Duration::from_nanos(group.shutdown_delay.unwrap_or(0).saturating_add(longest.unwrap_or(0)))
}

#[cfg(test)]
impl Spec {
    /// For tests: a spec with these services.
    pub(crate) fn with(services: &[(&str, bool)], tasks: &[&str]) -> Self {
        let services = services.iter().map(|(name, checked)| ((*name).to_owned(), *checked)).collect();
        let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
        Self { services, tasks, is_deployed: true, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_a_canary_for_as_long_as_it_has_their_tags() {
        let json = r#"{"TaskGroup":"web","Job":{"TaskGroups":[{"Name":"web","Services":[
            {"Name":"web","Tags":["a"],"CanaryTags":["b","c"]},
            {"Name":"same","Tags":["a"],"CanaryTags":["a"]},{"Name":"none","Tags":["a"],"CanaryTags":null}]}]}}"#;
        let spec = Spec::of(serde_json::from_str(json).expect("an allocation")).expect("its group");
        let is_canary = |service, tags: &[&str]| {
            spec.is_canary(service, &tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>())
        };
        assert!(is_canary("web", &["c", "b"]));
        assert!(!is_canary("web", &["a"]) && !is_canary("same", &["a"]) && !is_canary("none", &["a"]));
        assert!(!is_canary("none", &[]));
    }

    #[test]
    fn a_spec_is_of_the_allocations_own_group() {
        let json = r#"{"TaskGroup":"web","Job":{"Version":3,"JobModifyIndex":70,"Region":"eu","Type":"service","TaskGroups":[
            {"Name":"other","Tasks":[]},
            {"Name":"web","ShutdownDelay":2000000000,"Update":{"MaxParallel":1},
             "Services":[{"Name":"web","Checks":[{"Type":"http"}]},{"Name":"metrics","Checks":null}],
             "Tasks":[{"Name":"main","KillTimeout":5000000000,"ShutdownDelay":1000000000,"Lifecycle":null},
                      {"Name":"init","KillTimeout":1,"Lifecycle":{"Hook":"prestart","Sidecar":false}},
                      {"Name":"log","Lifecycle":{"Hook":"prestart","Sidecar":true},"Services":[{"Name":"log"}]}]}]}}"#;
        let spec = Spec::of(serde_json::from_str(json).expect("an allocation")).expect("its group");
        assert_eq!((spec.version, spec.revision, spec.region.as_str()), (3, 70, "eu"));
        assert_eq!((spec.grace, spec.is_deployed), (Duration::from_secs(8), true));
        assert_eq!(spec.tasks, BTreeSet::from(["main".to_owned()]));
        assert!(spec.has_checks());
        let checked = ["web", "metrics", "log", "x"].map(|name| spec.is_checked(name));
        assert_eq!(checked, [Some(true), Some(false), Some(false), None]);
    }
}
