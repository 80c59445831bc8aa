//! A service that a source knows, and what is made of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service of a source of services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// The source that knows it.
    pub source: String,
    /// The data centre or region that it is in.
    pub datacenter: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether its instances are looked at: tags of it may ask for a route.
    pub watched: bool,
    /// How many instances are registered.
    pub instances: u64,
    /// How many of them can take requests.
    pub healthy: u64,
    /// How many of them are canaries.
    pub canaries: u64,
    /// The domains of the routes that its tags made.
    pub hosts: Vec<String>,
    /// How many findings there are about its tags.
    pub findings: u64,
    /// Whether its source does not list it any more: what was made of it stays a moment, or is held.
    pub gone: bool,
    /// How many seconds ago the source could last be read; null: never yet.
    pub age_seconds: Option<u64>,
    /// Why the source cannot be read now; what is known of the service stays.
    pub last_error: Option<String>,
    /// The upstreams that ask for its instances and that a route leads to.
    pub users: Vec<String>,
}
