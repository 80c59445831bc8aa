//! Where a service can be reached.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};

use crate::{ServiceName, Watch};

/// One place where a service listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: NonZeroU16,
    /// Whether it should get requests.
    pub health: Health,
    /// Its share of the requests, relative to the others.
    pub weight: NonZeroU32,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// What the source says about it, for subsets.
    pub metadata: BTreeMap<String, String>,
}

/// What the source knows about an endpoint's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing.
    #[default]
    Unknown,
    /// It passes its checks.
    Healthy,
    /// It fails a check, or is in maintenance.
    Unhealthy,
    /// It is about to stop: it finishes what it has and gets nothing new.
    Draining,
}

impl Endpoint {
    /// An endpoint of which nothing but the place is known.
    pub const fn new(address: IpAddr, port: NonZeroU16) -> Self {
        Self {
            address,
            port,
            health: Health::Unknown,
            weight: NonZeroU32::MIN,
            zone: None,
            metadata: BTreeMap::new(),
        }
    }
}

/// A source of endpoints: a catalog, a scheduler, a cloud.
pub trait EndpointSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it, without credentials.
    fn name(&self) -> String;

    /// The endpoints of one service, sorted. A service that the source does not know has none.
    fn watch(&self, service: &ServiceName) -> Watch<Vec<Endpoint>>;
}
