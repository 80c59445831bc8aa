//! How a client stands: plain data for status and metrics.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::resource::{ResourceName, ResourceType, Version};

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Increments on one stream for all types.
    DeltaAds,
    /// The state of the world on one stream for all types.
    SotwAds,
    /// Increments on a stream for one type.
    Delta(ResourceType),
    /// The state of the world on a stream for one type.
    Sotw(ResourceType),
}

impl Protocol {
    /// Whether increments are asked for.
    pub const fn is_delta(self) -> bool {
        matches!(self, Self::DeltaAds | Self::Delta(_))
    }

    /// The one type of a stream that is not aggregated.
    pub const fn only(self) -> Option<ResourceType> {
        match self {
            Self::DeltaAds | Self::SotwAds => None,
            Self::Delta(kind) | Self::Sotw(kind) => Some(kind),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeltaAds => f.write_str("delta ADS"),
            Self::SotwAds => f.write_str("state-of-the-world ADS"),
            Self::Delta(kind) => write!(f, "delta {kind}"),
            Self::Sotw(kind) => write!(f, "state-of-the-world {kind}"),
        }
    }
}

/// One client that is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatus {
    /// `node.id`, as it claims.
    pub id: String,
    /// The fleet that it is served.
    pub fleet: String,
    /// The address that it connected from.
    pub remote: String,
    /// The version of Envoy, as it claims.
    pub build_version: String,
    /// Since when.
    pub connected_since: SystemTime,
    /// How it asks.
    pub protocol: Protocol,
    /// Where it stands, by type, in serving order; types that it never asked for are left out.
    pub types: Vec<TypeStatus>,
    /// What it refused and was not sent anew since.
    pub rejected: Vec<Rejection>,
}

/// Where a client stands with one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeStatus {
    /// The type.
    pub kind: ResourceType,
    /// Names that it asks for; of a wildcard, all that there are.
    pub subscribed: usize,
    /// Resources that it was sent, or that it showed to hold when it connected.
    pub sent: usize,
    /// Of those, the ones that it has accepted.
    pub acked: usize,
    /// Whether an answer of the client is outstanding or something is still to be sent.
    pub pending: bool,
    /// When it accepted a response for the last time.
    pub last_ack: Option<SystemTime>,
}

/// A resource that a client refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Which; `None`: a response of several, of which the bad one is not known yet.
    pub resource: Option<ResourceName>,
    /// Which version of it.
    pub version: Version,
    /// What the client says.
    pub error: String,
    /// The objects that it was made from.
    pub origins: Arc<[Arc<str>]>,
    /// When.
    pub at: SystemTime,
}
