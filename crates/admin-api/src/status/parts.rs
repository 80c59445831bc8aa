//! The parts of the process: the gate, the sources, the fleets, and the Envoys that are connected.

use std::collections::BTreeMap;

use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether first answers to Envoys go out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Gate {
    /// Open or not.
    pub state: GateState,
    /// The sources that are not complete yet.
    pub waiting_for: Vec<String>,
}

/// The states of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GateState {
    /// Every required source is complete.
    Open,
    /// Requests of Envoys are held: a required source was never complete.
    Waiting,
    /// The last good configuration from disk is served until the sources are complete.
    Restored,
    /// A state that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One source: a store, a scheduler, a keeper of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceStatus {
    /// Its name, for example `file:///etc/biplane/resources`.
    pub name: String,
    /// What it is: `store`, `endpoints`, `secrets`.
    pub kind: String,
    /// How its last reading ended.
    pub state: SourceState,
    /// Which store it says it is: the id of its mark, or where it really lies.
    pub identity: Option<String>,
    /// The revision that was read.
    pub revision: Option<String>,
    /// How many objects it holds.
    pub objects: u64,
    /// Seconds since it was last known to be as it is used, in an earlier run if need be.
    pub age_seconds: Option<u64>,
    /// Since when it fails, or is suspect.
    pub since: Option<Timestamp>,
    /// Why the last reading failed.
    pub last_error: Option<String>,
    /// Why what it lacks is not believed to be gone.
    pub reason: Option<String>,
    /// What to do about the one or the other.
    pub hint: Option<String>,
    /// What it lacks, or shows in an older version, and what stays in use all the same.
    pub held: Vec<HeldRemoval>,
    /// Another one for anything else that an acceptance would carry out; none: there is nothing to accept.
    pub held_tag: Option<String>,
    /// Facts for people, by name: how it is logged in, until when. Nothing secret.
    pub details: BTreeMap<String, String>,
}

/// An object that stays in use although its source does not show it, or not like that, any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HeldRemoval {
    /// The object.
    pub object: String,
    /// Since when.
    pub since: Timestamp,
    /// What the source shows instead.
    pub what: String,
}

/// The states of a source. "Unknown" and "known to be empty" are different: a source that is empty is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceState {
    /// It was not read yet.
    Waiting,
    /// All of it was read, and its changes are followed.
    Complete,
    /// It cannot be read; what was read before stays in use.
    Failed,
    /// It was not read yet; what it held when the snapshot on disk was written is in use.
    Restored,
    /// It answers, but refuses to show what it holds; what was read before stays in use.
    Denied,
    /// The mark that tells a store from an empty place is not there; what was read before stays in use.
    Unmarked,
    /// It was read, and lacks more than is believed to be meant: what it lacks stays in use, and all else
    /// is followed.
    Suspect,
    /// A state that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl SourceState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Restored => "restored",
            Self::Denied => "denied",
            Self::Unmarked => "unmarked",
            Self::Suspect => "suspect",
            Self::Unknown => "unknown",
        }
    }
}

impl GateState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Restored => "restored",
            Self::Unknown => "unknown",
        }
    }
}

impl SourceStatus {
    pub(super) fn problem(&self) -> Option<String> {
        if matches!(self.state, SourceState::Complete | SourceState::Unknown) {
            return None;
        }
        let reasons = self.last_error.iter().chain(&self.reason);
        let mut line = format!("source {} is {}", self.name, self.state.as_str());
        reasons.for_each(|reason| line.push_str(&format!(": {reason}")));
        if let (SourceState::Restored, Some(age)) = (self.state, self.age_seconds) {
            line.push_str(&format!("; served is what it held {} ago", words(age)));
        }
        match self.held.len() {
            0 => {}
            1 => line.push_str("; 1 object that it lacks stays in use"),
            held => line.push_str(&format!("; {held} objects that it lacks stay in use")),
        }
        self.hint.iter().for_each(|hint| line.push_str(&format!(" (hint: {hint})")));
        Some(line)
    }
}

/// A time span in the largest unit that fits: people want to know whether it is minutes or days.
fn words(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The replica that writes Biplane's own records into the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaderStatus {
    /// What it is called: `host:process:random`; none: nobody leads, as far as is known here.
    pub name: Option<String>,
    /// Since when it leads.
    pub since: Option<Timestamp>,
    /// Whether it is the one that answers.
    pub is_me: bool,
    /// Why the one that answers cannot lead.
    pub last_error: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// The configuration of one fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetStatus {
    /// The fleet's name: `node.cluster`, or Gloo's role.
    pub name: String,
    /// Counts the changes of this process.
    pub generation: u64,
    /// How many listeners it has.
    pub listeners: u64,
    /// How many route configurations it has.
    pub routes: u64,
    /// How many clusters it has.
    pub clusters: u64,
    /// How many load assignments it has.
    pub endpoints: u64,
    /// How many secrets it has.
    pub secrets: u64,
    /// How many Envoys of it are connected.
    pub nodes: u64,
}

/// One Envoy that is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// What it calls itself.
    pub id: String,
    /// Whose configuration it gets.
    pub fleet: String,
    /// The address that it connected from.
    pub remote: String,
    /// Who it has proved to be.
    pub identity: NodeIdentity,
    /// The version of Envoy.
    pub build_version: String,
    /// How it asks: `delta` or `state of the world`.
    pub protocol: String,
    /// Since when.
    pub connected_since: Timestamp,
    /// Whether it accepted everything that it was sent, and nothing is left to send.
    pub in_sync: bool,
    /// Where it stands, by type.
    pub types: Vec<TypeStatus>,
    /// What it refused.
    pub rejected: Vec<Rejection>,
}

/// Who an Envoy has proved to be. Never what it has shown for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeIdentity {
    /// What it has proved it by.
    pub by: Proof,
    /// The name in its certificate, issuer and subject of its token or the hash of it, or its address.
    pub who: String,
    /// When that ends: its stream with it, unless it has shown something newer by then.
    pub until: Option<Timestamp>,
}

/// What an Envoy proves itself by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Proof {
    /// A certificate.
    Certificate,
    /// A token, of an issuer or of Biplane's own.
    Token,
    /// It is on the control plane's machine.
    Loopback,
    /// Nothing: it is believed what it says.
    Nothing,
    /// A way that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl NodeIdentity {
    /// In a few words: `certificate spiffe://example.org/fleet/edge`, `token nomad:global:default:envoy`, `loopback`.
    pub fn shown(&self) -> String {
        match self.by {
            Proof::Certificate => format!("certificate {}", self.who),
            Proof::Token => format!("token {}", self.who),
            Proof::Loopback => "loopback".to_owned(),
            Proof::Nothing => "nothing".to_owned(),
            Proof::Unknown => "-".to_owned(),
        }
    }
}

impl NodeStatus {
    pub(super) fn problem(&self) -> Option<String> {
        let resources: Vec<_> = self.rejected.iter().map(|rejection| rejection.resource.as_str()).collect();
        (!resources.is_empty()).then(|| format!("node {} refused {}", self.id, resources.join(", ")))
    }
}

/// Where one node stands with the resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TypeStatus {
    /// The type, for example `Cluster`.
    pub r#type: String,
    /// How many resources it asks for; of a wildcard, how many there are.
    pub subscribed: u64,
    /// How many it was sent.
    pub sent: u64,
    /// How many it accepted.
    pub acked: u64,
    /// How many it is still to be sent.
    pub pending: u64,
}

/// A resource that a node refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rejection {
    /// Type and name of the resource.
    pub resource: String,
    /// Which version of it.
    pub version: String,
    /// What Envoy says.
    pub error: String,
    /// The objects that it was made from.
    pub origins: Vec<String>,
    /// When.
    pub at: Timestamp,
}
