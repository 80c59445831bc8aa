//! What a running control plane says about itself: its sources, what it serves to whom, and what
//! is wrong with which object.
//!
//! Lists are sorted by their first field, so that two readings of the same state are equal texts.

mod endpoints;
mod objects;
mod parts;
mod record;
mod secrets;
mod services;

use std::collections::BTreeMap;

use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use endpoints::{EndpointStatus, EndpointsState, EndpointsStatus};
pub use objects::{HeldDeletion, ObjectReport, Severity};
pub use parts::{
    FleetStatus, Gate, GateState, HeldRemoval, LeaderStatus, NodeIdentity, NodeStatus, Proof, Rejection,
    SourceState, SourceStatus, TypeStatus,
};
pub use record::{ObjectState, StatusRecord, StatusSummary};
pub use secrets::{SecretState, SecretStatus};
pub use services::ServiceStatus;

/// The state of one control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The version of the `biplane` binary.
    pub version: String,
    /// When the process started.
    pub started_at: Timestamp,
    /// Whether Envoys get their configuration from here.
    pub ready: bool,
    /// Whether, and if not why, first answers to Envoys are held back.
    pub gate: Gate,
    /// Everything that is read.
    pub sources: Vec<SourceStatus>,
    /// The fleets, each with one configuration.
    pub fleets: Vec<FleetStatus>,
    /// The Envoys that are connected.
    pub nodes: Vec<NodeStatus>,
    /// What is wrong with objects.
    pub reports: Vec<ObjectReport>,
    /// Deletions that wait because other objects still refer to what goes.
    pub held: Vec<HeldDeletion>,
    /// How many objects of each kind are in use.
    pub objects: BTreeMap<String, u64>,
    /// Who writes status and history into the store; none: nobody, the store has no room for them.
    pub leader: Option<LeaderStatus>,
    /// What an operator should look at, one line each: see [`Status::problems`].
    pub problems: Vec<String>,
}

impl Status {
    /// What an operator should look at, one line each; empty when all is well. Warnings and
    /// deletions that are held for a while are not among it: nothing is broken by them. What the server says
    /// counts, so that all its readers say the same.
    pub fn problems(&self) -> Vec<String> {
        if !self.problems.is_empty() {
            return self.problems.clone();
        }
        let gate = self.gate_problem();
        let sources = self.sources.iter().filter_map(SourceStatus::problem);
        let without = self.nodes.iter().filter_map(|node| self.fleet_problem(node));
        let nodes = self.nodes.iter().filter_map(NodeStatus::problem);
        gate.into_iter().chain(sources).chain(without).chain(nodes).chain(self.report_problem()).collect()
    }

    fn gate_problem(&self) -> Option<String> {
        if self.gate.state != GateState::Waiting {
            return None;
        }
        let waiting = if self.gate.waiting_for.is_empty() {
            "its sources".to_owned()
        } else {
            self.gate.waiting_for.join(", ")
        };
        Some(format!("nothing is served yet: waiting for {waiting}"))
    }

    /// Most often a typo in `node.cluster` or in `proxyNames`. While nothing was read, no fleet is known.
    fn fleet_problem(&self, node: &NodeStatus) -> Option<String> {
        let known = self.gate.state != GateState::Waiting;
        if !known || self.fleets.iter().any(|fleet| fleet.name == node.fleet) {
            return None;
        }
        let names: Vec<_> = self.fleets.iter().map(|fleet| fleet.name.as_str()).collect();
        let fleets = if names.is_empty() {
            "there are no gateways".to_owned()
        } else {
            format!("the fleets are {}", names.join(", "))
        };
        Some(format!("node {} has no gateway: none is of its fleet {:?}; {fleets}", node.id, node.fleet))
    }

    fn report_problem(&self) -> Option<String> {
        let errors = self.reports.iter().filter(|report| report.severity == Severity::Error).count();
        match errors {
            0 => None,
            1 => Some("1 error in the configuration".to_owned()),
            errors => Some(format!("{errors} errors in the configuration")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(source: SourceStatus) -> Status {
        let gate = Gate { state: GateState::Open, waiting_for: Vec::new() };
        Status { gate, sources: vec![source], ..Status::default() }
    }

    #[test]
    fn suspect_source_says_why_how_much_stays_and_what_to_do() {
        let source = SourceStatus {
            name: "etcd://a/biplane".to_owned(),
            state: SourceState::Suspect,
            reason: Some("6 of 9 Upstream objects went within a minute".to_owned()),
            hint: Some("biplane source accept etcd://a/biplane".to_owned()),
            held: vec![HeldRemoval::default(); 6],
            ..SourceStatus::default()
        };
        let expected = "source etcd://a/biplane is suspect: 6 of 9 Upstream objects went within a minute; \
                        6 objects that it lacks stay in use (hint: biplane source accept etcd://a/biplane)";
        assert_eq!(with(source).problems(), [expected]);
    }

    #[test]
    fn restored_source_says_how_old_it_is() {
        for (age, words) in [(5, "5 s"), (600, "10 min"), (7_200, "2 h"), (864_000, "10 days")] {
            let state = SourceState::Restored;
            let source = SourceStatus { state, age_seconds: Some(age), ..SourceStatus::default() };
            let problems = with(source).problems();
            assert!(problems[0].ends_with(&format!("served is what it held {words} ago")), "{problems:?}");
        }
    }

    #[test]
    fn what_the_server_says_is_wrong_counts() {
        let status = Status { problems: vec!["something".to_owned()], ..with(SourceStatus::default()) };
        assert_eq!(status.problems(), ["something"]);
    }
}
