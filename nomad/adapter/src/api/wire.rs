//! As much of Nomad's JSON as is used. What it leaves out or says as null counts as nothing.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::scalars::Timestamp;
use serde::{Deserialize, Deserializer};

/// The services of one namespace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stubs {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) services: Vec<Stub>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stub {
    pub(super) service_name: String,
    pub(super) tags: Option<BTreeSet<String>>,
}

/// One instance of a service, as its node has registered it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Registration {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) service_name: String,
    #[serde(rename = "NodeID", default)]
    pub(crate) node: String,
    #[serde(default)]
    pub(crate) datacenter: String,
    #[serde(rename = "JobID")]
    pub(crate) job: String,
    #[serde(rename = "AllocID")]
    pub(crate) allocation: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) port: u16,
}

/// An allocation, in short.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Allocation {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) node_name: String,
    #[serde(rename = "JobID")]
    pub(crate) job: String,
    #[serde(default)]
    pub(crate) job_version: u64,
    #[serde(default)]
    pub(crate) task_group: String,
    #[serde(default)]
    pub(crate) desired_status: String,
    #[serde(default)]
    pub(crate) client_status: String,
    pub(crate) deployment_status: Option<DeploymentStatus>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) task_states: BTreeMap<String, TaskState>,
    #[serde(default)]
    pub(crate) modify_index: u64,
}

/// What a deployment thinks of an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeploymentStatus {
    pub(crate) healthy: Option<bool>,
    #[serde(default)]
    pub(crate) canary: bool,
}

/// How a task is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TaskState {
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) failed: bool,
    /// When it was last restarted, in seconds since 1970; long ago if never.
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) last_restart: i64,
}

impl Allocation {
    /// Whether its scheduler wants it to run.
    pub(crate) fn is_wanted(&self) -> bool {
        self.desired_status == "run"
    }

    /// Whether any of its tasks runs.
    pub(crate) fn runs(&self) -> bool {
        self.client_status == "running"
    }

    /// Whether it is a canary that is not promoted.
    pub(crate) fn is_canary(&self) -> bool {
        self.deployment_status.is_some_and(|status| status.canary)
    }

    /// What its deployment has found, if it has.
    pub(crate) fn verdict(&self) -> Option<bool> {
        self.deployment_status.and_then(|status| status.healthy)
    }
}

/// The last result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckResult {
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) service: String,
    /// The task of the service, unless it is the group's.
    #[serde(default)]
    pub(crate) task: String,
    /// When it ran, in seconds since 1970.
    #[serde(default)]
    pub(crate) timestamp: i64,
}

/// An allocation with its job.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AllocationWithJob {
    #[serde(default)]
    pub(super) task_group: String,
    pub(super) job: Option<Job>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Job {
    #[serde(default)]
    pub(super) version: u64,
    #[serde(default)]
    pub(super) region: String,
    #[serde(rename = "JobModifyIndex", default)]
    pub(super) revision: u64,
    #[serde(rename = "Type", default)]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) task_groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) shutdown_delay: Option<u64>,
    pub(super) update: Option<Update>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) services: Vec<Service>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) tasks: Vec<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    #[serde(default)]
    pub(super) max_parallel: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Service {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) tags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) canary_tags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) checks: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Task {
    pub(super) name: String,
    #[serde(default)]
    pub(super) kill_timeout: u64,
    #[serde(default)]
    pub(super) shutdown_delay: u64,
    pub(super) lifecycle: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) services: Vec<Service>,
}

/// Public keys.
#[derive(Debug, Deserialize)]
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Key {
    pub(super) kid: String,
}

/// A line of the stream of events; one without events shows that somebody is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Events {
    #[serde(default)]
    pub(crate) index: u64,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) events: Vec<Event>,
}

/// Something that has changed. What it has become is read where it is kept.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    #[serde(default)]
    pub(crate) topic: String,
    #[serde(rename = "Type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) key: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) filter_keys: Vec<String>,
}

/// A moment; what is none counts as long ago.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse::<Timestamp>().ok()).map_or(i64::MIN, |moment| moment.0))
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_events_is_read_without_its_payloads_and_a_heartbeat_has_none() {
        let line = r#"{"Index":9,"Events":[{"Topic":"Service","Type":"ServiceRegistration","Key":"_nomad-task-1",
            "Namespace":"team","FilterKeys":["job","web"],"Index":9,"Payload":{"Service":{"Port":1}}},
            {"Topic":"Job","Type":"JobRegistered","Key":"job","FilterKeys":null,"Payload":{}}]}"#;
        let events: Events = serde_json::from_str(line).expect("events");
        assert_eq!(events.events[0].filter_keys, ["job", "web"]);
        assert_eq!((events.index, events.events[1].key.as_str()), (9, "job"));
        let heartbeat: Events = serde_json::from_str("{}").expect("a heartbeat");
        assert!(heartbeat.events.is_empty());
    }

    #[test]
    fn null_is_nothing() {
        let allocation: Allocation = serde_json::from_str(
            r#"{"ID":"a","JobID":"j","TaskStates":null,"DeploymentStatus":{"Healthy":null,"Canary":true}}"#,
        )
        .expect("an allocation");
        assert!(allocation.is_canary() && allocation.verdict().is_none() && !allocation.runs());
    }
}
