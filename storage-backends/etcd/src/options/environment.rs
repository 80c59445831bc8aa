//! etcdctl's variables.

use std::time::Duration;

use biplane_core::scalars::{self, SecretString};
use biplane_store::StoreError;

use super::Tls;
use super::url::with_port;

/// Where etcdctl looks if nobody says otherwise.
const LOCAL: &str = "127.0.0.1:2379";

/// Where a user and its password belong. What names a member is shown in every message about it.
pub(super) const CREDENTIALS: &str = "?user=NAME&passwordFile=FILE, or ETCDCTL_USER and ETCDCTL_PASSWORD";

/// What the variables say.
pub(super) struct Environment {
    endpoints: Vec<String>,
    pub(super) tls: Tls,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) dial_timeout: Option<Duration>,
    pub(super) command_timeout: Option<Duration>,
}

impl Environment {
    pub(super) fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let time = |name: &str| get(name).map(|value| duration(name, &value)).transpose();
        let endpoints = get("ETCDCTL_ENDPOINTS").unwrap_or_else(|| LOCAL.to_owned());
        let (user, password) = credentials(get("ETCDCTL_USER"), get("ETCDCTL_PASSWORD"));
        Ok(Self {
            endpoints: endpoints.split(',').map(|endpoint| endpoint.trim().to_owned()).collect(),
            tls: Tls {
                ca: get("ETCDCTL_CACERT").map(Into::into),
                cert: get("ETCDCTL_CERT").map(Into::into),
                key: get("ETCDCTL_KEY").map(Into::into),
                server_name: None,
            },
            user,
            password,
            dial_timeout: time("ETCDCTL_DIAL_TIMEOUT")?,
            command_timeout: time("ETCDCTL_COMMAND_TIMEOUT")?,
        })
    }

    /// The members that the variables name. One without a scheme is encrypted if the URL says so or, as
    /// etcdctl has it, if there are files for it.
    pub(super) fn endpoints(&self, must_encrypt: bool) -> Result<Vec<String>, StoreError> {
        let encrypted = must_encrypt || self.tls.ca.is_some() || self.tls.cert.is_some();
        let scheme = if encrypted { "https" } else { "http" };
        if self.endpoints.iter().any(|endpoint| endpoint.contains('@')) {
            return Err(refused("carries a user's password").with_hint(CREDENTIALS));
        }
        let endpoint = |endpoint: &String| match endpoint.split_once("://") {
            Some(("http", _)) if must_encrypt => Err(refused("names an endpoint without TLS")),
            Some(_) => Ok(endpoint.trim_end_matches('/').to_owned()),
            None => {
                let host = with_port(endpoint).ok_or_else(|| refused("names no host and port"))?;
                Ok(format!("{scheme}://{host}"))
            }
        };
        self.endpoints.iter().map(endpoint).collect()
    }
}

/// The variable's value is not repeated: there are people who put a password in it.
fn refused(why: &str) -> StoreError {
    StoreError::invalid(format!("ETCDCTL_ENDPOINTS {why}"))
        .with_hint("ETCDCTL_ENDPOINTS=https://HOST:2379[,https://HOST:2379] for etcds:///ROOT")
}

/// `name:password`, or each in a variable of its own.
fn credentials(user: Option<String>, password: Option<String>) -> (Option<String>, Option<SecretString>) {
    match (user, password) {
        (user, Some(password)) => (user, Some(SecretString::new(password))),
        (Some(both), None) => match both.split_once(':') {
            Some((name, password)) => (Some(name.to_owned()), Some(SecretString::new(password))),
            None => (Some(both), None),
        },
        (None, None) => (None, None),
    }
}

/// A span of time longer than none.
pub(super) fn duration(what: &str, value: &str) -> Result<Duration, StoreError> {
    let scalars::Duration(duration) =
        value.parse().map_err(|error| StoreError::invalid(format!("{what}: {error}")))?;
    if duration.is_zero() {
        return Err(StoreError::invalid(format!("{what} is zero")).with_hint("such as 5s"));
    }
    Ok(duration)
}
