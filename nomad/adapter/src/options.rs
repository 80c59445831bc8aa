//! What can be set about a Nomad.

mod address;
mod environment;
mod parameters;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars::SecretString;
use biplane_source::{REFRESH, SourceError};

pub use address::Address;
pub use biplane_agent::Tls;
pub(crate) use url::check_namespace;

/// The namespace of those who use none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// Where a Nomad is, who asks it, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NomadOptions {
    /// What status and objects call it.
    pub name: String,
    /// An agent, server or client, or what stands in front of several.
    pub address: Address,
    /// What requests are made with.
    pub token: Option<Token>,
    /// The region that is asked; `None`: the agent's own.
    pub region: Option<String>,
    /// The namespaces whose services are listed, each read by its name. The first is that of upstreams that name none.
    pub namespaces: Vec<String>,
    /// Whom to trust and what to show, where the address is encrypted.
    pub tls: Tls,
    /// How often everything is looked at again though nothing was heard.
    pub refresh: Duration,
    /// How often the checks of an instance that is well are looked at. Nomad tells nobody when they fail.
    pub check_interval: Duration,
    /// How long one question may take.
    pub timeout: Duration,
    /// Whether Envoys wait for their first answer until it has answered.
    pub required: bool,
    /// The rest.
    pub tuning: Tuning,
}

/// What requests are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// This token.
    Value(SecretString),
    /// What is in a file that others keep up to date: a token, or the identity that Nomad gives to a task.
    File(PathBuf),
}

/// What hardly anybody sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How many questions are under way at a time; an agent takes 100 connections from one address by default.
    pub max_requests: usize,
    /// How many checks are looked at in a second, at most. With many instances the interval grows.
    pub checks_per_second: u32,
    /// How many registrations are asked for at a time.
    pub page: usize,
    /// How long after a failure it is tried again, at most.
    pub retry_max: Duration,
    /// How long the stream of events may be silent. Nomad says something every 30 seconds.
    pub silence: Duration,
    /// How often everything is looked at where Nomad streams no events.
    pub poll: Duration,
    /// How old the answer of a server may be.
    pub staleness_max: Duration,
    /// For how long servers that have forgotten something must say the same before they are believed.
    pub confirm: Duration,
    /// For how long a service that is gone from servers which were put in the place of others keeps its endpoints, unless it
    /// comes back or somebody says that it was meant. Nodes end what new servers do not know, so this need not be long.
    pub hold: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_requests: 16,
            checks_per_second: 50,
            page: 1000,
            retry_max: Duration::from_secs(5),
            silence: Duration::from_secs(40),
            poll: Duration::from_secs(5),
            staleness_max: Duration::from_secs(10),
            confirm: Duration::from_secs(30),
            hold: Duration::from_mins(10),
        }
    }
}

impl NomadOptions {
    /// The defaults for an address.
    pub fn new(address: Address) -> Self {
        Self {
            name: "nomad".to_owned(),
            address,
            token: None,
            region: None,
            namespaces: vec![DEFAULT_NAMESPACE.to_owned()],
            tls: Tls::default(),
            refresh: REFRESH,
            check_interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            required: false,
            tuning: Tuning::default(),
        }
    }

    /// From `nomad://HOST:PORT?...`, `nomads://HOST:PORT?...` (TLS), `nomad+unix:///PATH?...` or `nomad:` (the address
    /// comes from `NOMAD_ADDR`, or is the socket that Nomad gives to a task). What the URL does not say comes from the
    /// variables that Nomad's command line reads; a parameter that is not known is an error.
    pub fn from_url(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        url::parse(url, environment)
    }
}
