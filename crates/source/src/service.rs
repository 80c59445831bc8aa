//! Which services there are, and the tags on them.

use std::collections::BTreeSet;
use std::fmt;

use crate::Watch;

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

/// A source of services with tags.
pub trait ServiceSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it, without credentials.
    fn name(&self) -> String;

    /// All services, sorted.
    fn watch(&self) -> Watch<Vec<Service>>;
}
