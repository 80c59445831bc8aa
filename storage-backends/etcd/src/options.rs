//! What can be set about an etcd store.

mod environment;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars::SecretString;

/// The folder of keys that a store takes if nobody names one.
const ROOT: &str = "biplane";

/// etcd's own limit of operations for one transaction, unless `--max-txn-ops` says otherwise.
const MAX_OPERATIONS: usize = 128;

/// What one transaction may carry. etcd takes 1.5 MiB of request in all (`--max-request-bytes`).
const MAX_BYTES: usize = 1024 * 1024;

/// Where an etcd store is, how it is reached and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdOptions {
    /// One URL a member: `http://host:2379` or `https://host:2379`.
    pub endpoints: Vec<String>,
    /// The folder that holds everything of this store, without a slash at either end.
    pub root: String,
    /// Whom to trust and what to show, where an endpoint is encrypted.
    pub tls: Tls,
    /// Who asks, where etcd has users. A client certificate may say so instead.
    pub user: Option<User>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How often a connection that is in use is tried for life. etcd refuses less than 5 seconds.
    pub keepalive: Duration,
    /// How long the answer to that may take.
    pub keepalive_timeout: Duration,
    /// How long a watch may be without a sign of life before it is given up. A third of it is how often
    /// it asks for one.
    pub liveness: Duration,
    /// How long the leader's seat outlives its holder. etcd counts in seconds and has a minimum.
    pub lease: Duration,
    /// How many operations etcd takes in one transaction.
    pub max_operations: usize,
    /// How many bytes of keys and values go into one transaction.
    pub max_bytes: usize,
}

/// The files of an encrypted connection, in PEM. They are read for each new connection, so that they can be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authorities to trust; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate to show.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The name that the members' certificates carry, if it is not the host of their URLs.
    pub server_name: Option<String>,
}

/// A user of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What proves it.
    pub password: Password,
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// It is this.
    Text(SecretString),
    /// The first line of this file, read again for each new connection.
    File(PathBuf),
}

impl EtcdOptions {
    /// The defaults for endpoints.
    pub fn new<S: Into<String>>(endpoints: impl IntoIterator<Item = S>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            root: ROOT.to_owned(),
            tls: Tls::default(),
            user: None,
            connect_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(5),
            keepalive: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            liveness: Duration::from_secs(15),
            lease: Duration::from_secs(15),
            max_operations: MAX_OPERATIONS,
            max_bytes: MAX_BYTES,
        }
    }

    /// The same options for another folder of keys.
    #[must_use]
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// The same options in the name of a user.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: Password) -> Self {
        self.user = Some(User { name: name.into(), password });
        self
    }

    /// What `--store` takes, without anything that belongs to nobody else: neither files nor users.
    pub(crate) fn name(&self) -> String {
        let encrypted = self.endpoints.iter().all(|endpoint| is_encrypted(endpoint));
        let scheme = if encrypted { "etcds" } else { "etcd" };
        let hosts: Vec<_> = self.endpoints.iter().map(|endpoint| host(endpoint)).collect();
        format!("{scheme}://{}/{}", hosts.join(","), self.root)
    }
}

/// Whether a member's URL asks for TLS.
pub(crate) fn is_encrypted(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}

/// Without what some put in front of it, such as a user and a password.
fn host(endpoint: &str) -> &str {
    let place = endpoint.split_once("://").map_or(endpoint, |(_, place)| place);
    place.rsplit('@').next().unwrap_or(place)
}
