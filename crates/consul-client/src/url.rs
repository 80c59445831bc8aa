//! URLs that say where a Consul is: `consul://host:8500/path?dc=dc2`, `consuls://` for TLS, `consul+unix:///path`, and
//! `consul:` for the place that the environment names.
//!
//! What everybody needs of a URL is taken in here; its path and the other parameters are left to whoever has a meaning
//! for them. A URL is never repeated in an error: somebody may have put a token into it.

use std::time::Duration;

use biplane_agent::{SettingError, decode, truth};

use crate::address::Address;
use crate::error::Error;
use crate::settings::{Settings, TokenSource};

/// The parameters that every URL may have.
pub const PARAMETERS: [&str; 10] = [
    "dc",
    "namespace",
    "partition",
    "tokenFile",
    "caFile",
    "caPath",
    "certFile",
    "keyFile",
    "serverName",
    "verify",
];

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulUrl {
    /// The agent, and what the URL or the environment says about how to reach it.
    pub settings: Settings,
    /// What is behind the host, without slashes at its ends; empty where a socket is named.
    pub path: String,
    /// Whether the URL names a Unix socket by its path.
    pub is_socket: bool,
    /// The parameters that mean nothing here, in their order.
    pub parameters: Vec<(String, String)>,
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UrlError {
    /// What is wrong with it.
    pub message: String,
    /// What to try, if it is not how such URLs look.
    pub hint: Option<String>,
}

impl UrlError {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// A parameter that nobody knows, with the nearest of the common ones and `own`.
    pub fn unknown(name: &str, own: &[&str]) -> Self {
        let known: Vec<_> = PARAMETERS.iter().chain(own).copied().collect();
        biplane_agent::unknown(name, &known).into()
    }
}

impl From<SettingError> for UrlError {
    fn from(error: SettingError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}

impl From<Error> for UrlError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

impl ConsulUrl {
    /// Takes a URL apart. What it does not say comes from the variables that Consul's own tools read.
    pub fn parse(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once(':').ok_or_else(|| UrlError::new("it has no scheme"))?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            let hint = "set CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE, or ?tokenFile=";
            let message = "it has a user or a token in it, which everybody would see".to_owned();
            return Err(UrlError { message, hint: Some(hint.to_owned()) });
        }
        let mut settings = Settings::from_env(env)?;
        let is_socket = scheme == "consul+unix";
        let path = decode(path)?;
        match scheme {
            "consul" | "consuls" => place(&mut settings, authority, scheme == "consuls", env)?,
            "consul+unix" if authority.is_empty() => {
                settings.address = Address::Unix(format!("/{path}").into());
            }
            _ => return Err(UrlError::new("it is none of consul://, consuls:// and consul+unix:///")),
        }
        let path = if is_socket { String::new() } else { path.trim_matches('/').to_owned() };
        let mut parsed = Self { settings, path, is_socket, parameters: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parsed.take(name, decode(value)?)?;
        }
        Ok(parsed)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), UrlError> {
        let Settings { datacenter, namespace, partition, token, tls, .. } = &mut self.settings;
        match name {
            "dc" => *datacenter = Some(value),
            "namespace" => *namespace = Some(value),
            "partition" => *partition = Some(value),
            "tokenFile" => *token = Some(TokenSource::File(value.into())),
            "caFile" => tls.ca_file = Some(value.into()),
            "caPath" => tls.ca_path = Some(value.into()),
            "certFile" => tls.cert_file = Some(value.into()),
            "keyFile" => tls.key_file = Some(value.into()),
            "serverName" => tls.server_name = Some(value),
            "verify" => tls.verify = value.parse().map_err(|_| UrlError::new("verify is true or false"))?,
            other => self.parameters.push((other.to_owned(), value)),
        }
        Ok(())
    }
}

/// A time such as `30s` or `5m`, from a second to ten minutes: no server waits longer.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (text[..digits].parse::<u64>().ok()?, &text[digits..]);
    let seconds = match unit {
        "s" => number,
        "m" => number.checked_mul(60)?,
        _ => return None,
    };
    (1..=600).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn place(
    settings: &mut Settings,
    authority: &str,
    tls: bool,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), UrlError> {
    if authority.is_empty() {
        return require_tls(&mut settings.address, tls);
    }
    let tls = tls || settings.address.is_tls() && env_says_tls(env);
    settings.address = Address::tcp(&decode(authority)?, tls)?;
    Ok(())
}

/// `consuls:` means TLS, whatever the environment says about the scheme.
fn require_tls(address: &mut Address, tls: bool) -> Result<(), UrlError> {
    match address {
        Address::Tcp { tls: on, .. } => *on |= tls,
        Address::Unix(_) if tls => {
            return Err(UrlError::new("CONSUL_HTTP_ADDR is a Unix socket, which has no TLS"));
        }
        Address::Unix(_) => {}
    }
    Ok(())
}

/// `CONSUL_HTTP_SSL` is about every address; a scheme in `CONSUL_HTTP_ADDR` about that one only.
fn env_says_tls(env: &dyn Fn(&str) -> Option<String>) -> bool {
    env("CONSUL_HTTP_SSL").is_some_and(|value| truth("CONSUL_HTTP_SSL", &value) == Ok(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, variables: &[(&str, &str)]) -> Result<ConsulUrl, UrlError> {
        ConsulUrl::parse(url, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_place_comes_from_the_environment_where_the_url_has_none() {
        let variables = [("CONSUL_HTTP_ADDR", "https://agent:18501"), ("CONSUL_HTTP_TOKEN", "hunter2")];
        for url in ["consul:", "consul://", "consuls:"] {
            let parsed = parse(url, &variables).expect(url);
            assert_eq!(parsed.settings.address.to_string(), "agent:18501");
            assert_eq!(parsed.path, "");
            assert!(parsed.settings.address.is_tls() && parsed.settings.token.is_some());
        }
        assert_eq!(parse("consuls:", &[]).map(|parsed| parsed.settings.address.is_tls()), Ok(true));
        assert!(parse("consuls:", &[("CONSUL_HTTP_ADDR", "unix:///run/consul.sock")]).is_err());
    }

    #[test]
    fn common_parameters_are_taken_in_and_others_are_left() {
        let parsed = parse("consuls://h/a%20b?dc=dc2&tokenFile=%2Frun%2Ft&verify=false&other=1", &[]);
        let parsed = parsed.expect("a good one");
        assert_eq!(parsed.path, "a b");
        assert_eq!(parsed.settings.datacenter.as_deref(), Some("dc2"));
        assert_eq!(parsed.settings.token, Some(TokenSource::File("/run/t".into())));
        assert!(!parsed.settings.tls.verify);
        assert_eq!(parsed.parameters, [("other".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_socket_has_no_path_beside_its_own() {
        let parsed = parse("consul+unix:///run/consul.sock?x=", &[]).expect("a good one");
        assert_eq!(parsed.settings.address, Address::Unix("/run/consul.sock".into()));
        assert!(parsed.is_socket && parsed.path.is_empty());
    }

    #[test]
    fn what_is_no_url_of_consul_is_refused_without_repeating_it() {
        for url in
            ["consul", "etcd://h/r", "consul://hunter2@h", "consul+unix://h/p", "consul://h/%zz?hunter2"]
        {
            let error = parse(url, &[]).expect_err(url);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let near = UrlError::unknown("tokenfile", &["wait"]);
        assert_eq!(near.hint.as_deref(), Some("did you mean tokenFile?"));
    }

    #[test]
    fn times_are_those_that_a_server_waits() {
        assert_eq!(duration("5m"), Some(Duration::from_mins(5)));
        for text in ["0s", "601s", "1h", "5", "", "s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
