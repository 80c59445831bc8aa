//! What can be set about a Consul catalog.

mod url;

use std::time::Duration;

use biplane_consul_client::{Consistency, Settings};
use biplane_source::SourceError;

/// Where a catalog is, which parts of it count, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogOptions {
    /// What status and upstreams call it.
    pub name: String,
    /// Whether Envoys wait for their first answer until it has answered.
    pub required: bool,
    /// The agent, the token, TLS. Its datacenter, namespace and partition are not used: see those below.
    pub client: Settings,
    /// The datacenters of services and of upstreams that name none; none: the agent's own.
    pub datacenters: Vec<String>,
    /// The namespace of services and of upstreams that name none (Consul Enterprise).
    pub namespace: Option<String>,
    /// The admin partition (Consul Enterprise).
    pub partition: Option<String>,
    /// Who may answer, unless an upstream says otherwise.
    pub consistency: Consistency,
    /// How far behind its leader a server may be whose answers count.
    pub max_stale: Duration,
    /// How often prepared queries are asked: Consul cannot tell when they change.
    pub refresh: Duration,
    /// How long a blocking query waits. An agent counts the connections of a process that has ended until its queries
    /// have waited to their end: with many and long ones a few restarts in a row lock the next one out.
    pub wait: Duration,
    /// Whether agents may answer from their caches.
    pub cached: bool,
    /// How many services are waited for with a connection each; see the crate's words on cost.
    pub max_watches: usize,
    /// The rest.
    pub tuning: Tuning,
}

/// What hardly anybody sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How many answers are read at a time, beside queries that wait.
    pub reads: usize,
    /// How long after a failure it is tried again, at most.
    pub retry_max: Duration,
    /// How long after an answer the next question about the same waits, at least.
    pub pause: Duration,
    /// How often services without a connection of their own are looked at one by one while the catalog changes in ways
    /// that do not say where.
    pub sweep: Duration,
    /// How long services have to come back to a catalog that has started anew before any is believed to be gone.
    pub settle: Duration,
    /// How often names of instances are looked up again.
    pub resolve: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            reads: 8,
            retry_max: Duration::from_secs(15),
            pause: Duration::from_millis(20),
            sweep: Duration::from_secs(10),
            settle: Duration::from_mins(2),
            resolve: Duration::from_secs(30),
        }
    }
}

impl CatalogOptions {
    /// The defaults for an agent. What its settings say about a datacenter, a namespace and a partition becomes the source's.
    pub fn new(mut client: Settings) -> Self {
        let datacenters = client.datacenter.take().into_iter().collect();
        let (namespace, partition) = (client.namespace.take(), client.partition.take());
        Self {
            name: "consul".to_owned(),
            required: false,
            client,
            datacenters,
            namespace,
            partition,
            consistency: Consistency::Default,
            max_stale: Duration::from_secs(10),
            refresh: Duration::from_secs(10),
            wait: Duration::from_secs(30),
            cached: false,
            max_watches: 32,
            tuning: Tuning::default(),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// From `consul://HOST:PORT?...`, `consuls://` (TLS), `consul+unix:///path` or `consul:` (the place comes from
    /// `CONSUL_HTTP_ADDR`). What the URL does not say comes from the environment that Consul's own tools use; a parameter
    /// that is not known is an error.
    pub fn from_url(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        url::parse(url, env)
    }
}
