//! What is known of the connected Envoys: plain data for status pages, made by the streams.

use std::sync::Arc;
use std::time::SystemTime;

use crate::door::{Pass, ProvedBy};
use crate::resource::{ResourceName, ResourceType, Version};

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Incremental xDS.
    Delta,
    /// State of the world.
    Sotw,
}

/// A connected Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// `node.id`
    pub id: String,
    /// The fleet whose configuration it gets.
    pub fleet: String,
    /// Its address.
    pub remote: String,
    /// Who it has proved to be.
    pub identity: NodeIdentity,
    /// What it says of its own version.
    pub build_version: String,
    /// When its stream began.
    pub connected_since: SystemTime,
    /// How it asks.
    pub protocol: Protocol,
    /// The types that it asked for.
    pub types: Vec<TypeStatus>,
    /// What it refused and has not been given a better version of.
    pub rejected: Vec<Rejection>,
}

/// Who an Envoy has proved to be; nothing that it has shown in secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// What it has proved it by.
    pub by: ProvedBy,
    /// Who it is.
    pub who: String,
    /// When it has to prove it again.
    pub until: Option<SystemTime>,
}

/// One type of resources on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeStatus {
    /// The type.
    pub kind: ResourceType,
    /// How many resources it asks for, as far as they exist.
    pub subscribed: usize,
    /// How many it was sent.
    pub sent: usize,
    /// How many of those it has confirmed.
    pub acked: usize,
    /// Whether something was sent that it has not answered yet.
    pub pending: bool,
    /// When it confirmed last.
    pub last_ack: Option<SystemTime>,
}

/// A resource that a client refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The resource; nothing if the answer could not be pinned on one.
    pub resource: Option<ResourceName>,
    /// The version that it refused; nothing for a removal.
    pub version: Option<Version>,
    /// What it said.
    pub error: String,
    /// The objects to blame.
    pub origins: Arc<[Arc<str>]>,
    /// When it said so.
    pub at: SystemTime,
}

impl From<&Pass> for NodeIdentity {
    fn from(pass: &Pass) -> Self {
        Self { by: pass.by, who: pass.who.clone(), until: pass.until }
    }
}
