//! What can be set about a Consul store.

use std::time::Duration;

use biplane_consul_client::Settings;
use biplane_store::StoreError;
use biplane_store::layout::Layout;

use crate::url;

/// Where a Consul store is and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulOptions {
    /// The agent, the token, the datacenter, TLS.
    pub client: Settings,
    /// What is in front of `config/`, without slashes at either end.
    pub root: String,
    /// Who spelled the keys. Gloo's are only read, and nothing marks them.
    pub layout: Layout,
    /// The rest.
    pub tuning: Tuning,
}

/// What hardly anybody sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long a blocking query waits.
    pub wait: Duration,
    /// In how many parts a large prefix is watched at most. Each is a connection, and an agent takes 200 from one
    /// client (`limits.http_max_conns_per_client`). It counts those of a process that has ended until their
    /// queries have waited to their end: with 64 parts a few restarts in a row locked the next one out.
    pub max_watches: usize,
    /// Up to how many bytes the whole prefix is watched as one.
    pub whole_bytes: usize,
    /// How often an open watch makes sure that somebody is there and the store still marked.
    pub probe: Duration,
    /// How long the leader's session lives without renewal; Consul takes no less than 10 seconds.
    pub session_ttl: Duration,
    /// How long nobody may lead after a leader's session has ended without its giving up the seat.
    pub lock_delay: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            wait: Duration::from_mins(2),
            max_watches: 16,
            whole_bytes: 256 * 1024,
            probe: Duration::from_secs(10),
            session_ttl: Duration::from_secs(15),
            lock_delay: Duration::from_secs(15),
        }
    }
}

impl ConsulOptions {
    /// The default root at this agent.
    pub fn new(client: Settings) -> Self {
        let layout = Layout::default();
        Self { client, root: layout.default_root().to_owned(), layout, tuning: Tuning::default() }
    }

    /// The same at another root.
    #[must_use]
    pub fn root(mut self, root: &str) -> Self {
        root.trim_matches('/').clone_into(&mut self.root);
        self
    }

    /// The same with keys as they are spelled by somebody else.
    #[must_use]
    pub const fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// The same, tuned.
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// From `consul://host:port/root?dc=...`, `consuls://...` (TLS), `consul:///root` (the host comes from
    /// `CONSUL_HTTP_ADDR`) or `consul+unix:///path?root=...`; `?layout=gloo` for Gloo's own keys. What the URL does not say comes from the
    /// environment that Consul's own tools use; a parameter that is not known is an error.
    pub fn from_url(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        url::parse(url, env)
    }

    /// The store's name: its URL without anything secret.
    pub(crate) fn name(&self) -> String {
        url::name(self)
    }
}
