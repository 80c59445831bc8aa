//! Which services there are, their tags, and the instances of each.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Endpoint, Watch};

/// A service as its source names it. The parts that a source has not are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The data centre or region.
    pub datacenter: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ServiceName {
    /// A service of a source that has neither data centres nor namespaces.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.datacenter, &self.namespace].into_iter().filter(|part| !part.is_empty());
        parts.into_iter().try_for_each(|part| write!(f, "{part}/"))?;
        f.write_str(&self.name)
    }
}

/// One service and what its owners say about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Which service.
    pub name: ServiceName,
    /// The tags on it, of all its instances together.
    pub tags: BTreeSet<String>,
}

/// One instance of a service, as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Where it listens, and how it is.
    pub endpoint: Endpoint,
    /// The node that it runs on.
    pub node: String,
    /// Its tags, in the order in which they were given.
    pub tags: Vec<String>,
    /// Whether its scheduler calls it a canary that is not promoted yet.
    pub canary: bool,
    /// Counts deployments: the larger, the newer.
    pub version: u64,
}

/// A source of services with tags.
pub trait ServiceSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it, without credentials; that of the source's endpoints.
    fn name(&self) -> String;

    /// What it is: `consul`, `nomad`.
    fn kind(&self) -> &'static str;

    /// All services, sorted. A change of instances that moves no tag is no news.
    fn services(&self) -> Watch<Vec<Service>>;

    /// The instances of one service, sorted, unhealthy ones too. A service that the source does not know has none.
    fn instances(&self, service: &ServiceName) -> Watch<Vec<Instance>>;
}
