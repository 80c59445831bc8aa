//! Endpoints that a source has found for an upstream. Nobody writes them; they are never stored.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};

use serde::{Deserialize, Serialize};

/// One place where a service listens. Its order is that of places, so that a sorted list does not move when health does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address. Names are resolved by the source.
    pub address: IpAddr,
    /// Its port.
    pub port: NonZeroU16,
    /// What the source calls it: the id of an instance, of an allocation.
    pub id: String,
    /// Whether it should get requests.
    pub health: Health,
    /// Its share of the requests, relative to the others.
    pub weight: NonZeroU32,
    /// Where it is.
    pub locality: Locality,
    /// What the source says about it, for subsets.
    pub metadata: BTreeMap<String, String>,
}

/// Where an endpoint is, from the large to the small. What a source does not know is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Locality {
    /// A region of AWS or of Nomad, a data centre of Consul.
    pub region: String,
    /// An availability zone, a data centre of Nomad.
    pub zone: String,
}

/// What the source knows about an endpoint's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// Nothing.
    #[default]
    Unknown,
    /// It passes its checks.
    Healthy,
    /// It fails a check, is in maintenance, or is not ready yet.
    Unhealthy,
    /// It is about to stop: it finishes what it has and gets nothing new.
    Draining,
}

impl Health {
    /// Whether new requests may go there.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Unknown | Self::Healthy)
    }
}

impl Endpoint {
    /// An endpoint of which nothing but the place is known.
    pub const fn new(address: IpAddr, port: NonZeroU16) -> Self {
        Self {
            address,
            port,
            id: String::new(),
            health: Health::Unknown,
            weight: NonZeroU32::MIN,
            locality: Locality { region: String::new(), zone: String::new() },
            metadata: BTreeMap::new(),
        }
    }

    /// Its address and port.
    pub const fn place(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.get())
    }
}
