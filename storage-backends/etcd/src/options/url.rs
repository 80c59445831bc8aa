//! The options as one text: `etcd://host:2379,host2:2379/root?setting=value`, or `etcds://` with TLS.
//!
//! What the URL leaves out comes from etcdctl's variables, so that a shell in which etcdctl works is one in
//! which Biplane does. A password is in neither: a URL is seen by everybody who lists processes.

use std::path::PathBuf;
use std::time::Duration;

use biplane_store::StoreError;

use super::environment::{self, Environment};
use super::{EtcdOptions, Password, Tls, User, is_encrypted};

const FORMS: &str =
    "etcd://HOST:2379[,HOST:2379]/ROOT, etcds:// for TLS, or etcd:///ROOT with ETCDCTL_ENDPOINTS";

/// etcd's own port.
const PORT: u16 = 2379;

const SETTINGS: [&str; 12] = [
    "caFile",
    "certFile",
    "keyFile",
    "serverName",
    "user",
    "passwordFile",
    "timeout",
    "connectTimeout",
    "keepalive",
    "liveness",
    "lease",
    "maxTxnOps",
];

/// What stands behind the question mark.
#[derive(Default)]
struct Settings {
    tls: Tls,
    user: Option<String>,
    password_file: Option<PathBuf>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    keepalive: Option<Duration>,
    liveness: Option<Duration>,
    lease: Option<Duration>,
    max_operations: Option<usize>,
}

impl EtcdOptions {
    /// The options that a URL and etcdctl's variables give. `env` answers for a variable's value.
    pub fn from_url(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let environment = Environment::read(env)?;
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused(url, "it has no scheme"))?;
        let encrypted = match scheme {
            "etcd" => false,
            "etcds" => true,
            _ => return Err(refused(url, &format!("there is no scheme {scheme:?} of etcd"))),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, root) = place.split_once('/').unwrap_or((place, ""));
        let settings = Settings::parse(query)?;
        let endpoints =
            if hosts.is_empty() { environment.endpoints(encrypted) } else { given(hosts, encrypted, url) }?;
        let mut options = Self::new(endpoints);
        if let Some(root) = parse_root(root, url)? {
            options.root = root;
        }
        options.tls = tls(&settings, &environment, &options.endpoints, url)?;
        options.user = user(&settings, &environment)?;
        settings.set_times(&environment, &mut options);
        Ok(options)
    }
}

impl Settings {
    fn parse(query: &str) -> Result<Self, StoreError> {
        let mut settings = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            settings.set(name, &decode(value))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        if value.is_empty() && SETTINGS.contains(&name) {
            return Err(StoreError::invalid(format!("the setting {name} of the etcd URL has no value")));
        }
        let time = || environment::duration(&format!("the setting {name} of the etcd URL"), value).map(Some);
        match name {
            "caFile" => self.tls.ca = Some(value.into()),
            "certFile" => self.tls.cert = Some(value.into()),
            "keyFile" => self.tls.key = Some(value.into()),
            "serverName" => self.tls.server_name = Some(value.to_owned()),
            "user" => self.user = Some(value.to_owned()),
            "passwordFile" => self.password_file = Some(value.into()),
            "timeout" => self.timeout = time()?,
            "connectTimeout" => self.connect_timeout = time()?,
            "keepalive" => self.keepalive = time()?,
            "liveness" => self.liveness = time()?,
            "lease" => self.lease = time()?,
            "maxTxnOps" => self.max_operations = Some(operations(value)?),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn set_times(&self, environment: &Environment, options: &mut EtcdOptions) {
        let set = |to: &mut Duration, from: Option<Duration>| *to = from.unwrap_or(*to);
        set(&mut options.call_timeout, self.timeout.or(environment.command_timeout));
        set(&mut options.connect_timeout, self.connect_timeout.or(environment.dial_timeout));
        set(&mut options.keepalive, self.keepalive);
        set(&mut options.liveness, self.liveness);
        set(&mut options.lease, self.lease);
        options.max_operations = self.max_operations.unwrap_or(options.max_operations);
    }
}

/// The members that the URL names.
fn given(hosts: &str, encrypted: bool, url: &str) -> Result<Vec<String>, StoreError> {
    if hosts.contains('@') {
        return Err(StoreError::invalid("an etcd URL must not carry a user's password")
            .with_hint(environment::CREDENTIALS));
    }
    let scheme = if encrypted { "https" } else { "http" };
    let endpoint = |host: &str| {
        let host = with_port(host).ok_or_else(|| refused(url, &format!("{host:?} is no host and port")))?;
        Ok(format!("{scheme}://{host}"))
    };
    hosts.split(',').map(endpoint).collect()
}

/// `host:port` from what may lack the port.
pub(super) fn with_port(host: &str) -> Option<String> {
    let port = match host.rfind(']') {
        Some(end) => &host[end + 1..],
        None => host.find(':').map_or("", |colon| &host[colon..]),
    };
    let name = &host[..host.len() - port.len()];
    let is_named = !name.is_empty() && !name.contains(char::is_whitespace);
    match port.strip_prefix(':') {
        None if port.is_empty() && is_named => Some(format!("{host}:{PORT}")),
        Some(number) if is_named && number.parse::<u16>().is_ok() => Some(host.to_owned()),
        _ => None,
    }
}

fn parse_root(text: &str, url: &str) -> Result<Option<String>, StoreError> {
    let root = decode(text.trim_matches('/'));
    if root.is_empty() {
        return Ok(None);
    }
    let is_odd = root.split('/').any(str::is_empty) || root.contains(char::is_control);
    if is_odd { Err(refused(url, "its path has an empty part")) } else { Ok(Some(root)) }
}

fn tls(
    settings: &Settings,
    environment: &Environment,
    endpoints: &[String],
    url: &str,
) -> Result<Tls, StoreError> {
    if !endpoints.iter().any(|endpoint| is_encrypted(endpoint)) {
        if settings.tls != Tls::default() {
            return Err(refused(url, "it has settings of TLS and no endpoint with TLS"));
        }
        return Ok(Tls::default());
    }
    let (ours, theirs) = (settings.tls.clone(), environment.tls.clone());
    // A certificate and its key belong together, so both come from the same place.
    let pair = if ours.cert.is_some() || ours.key.is_some() {
        (ours.cert, ours.key)
    } else {
        (theirs.cert, theirs.key)
    };
    if pair.0.is_some() != pair.1.is_some() {
        return Err(StoreError::invalid(
            "a client certificate for etcd needs both the certificate and its key",
        )
        .with_hint("?certFile=FILE&keyFile=FILE, or ETCDCTL_CERT and ETCDCTL_KEY"));
    }
    Ok(Tls { ca: ours.ca.or(theirs.ca), cert: pair.0, key: pair.1, server_name: ours.server_name })
}

fn user(settings: &Settings, environment: &Environment) -> Result<Option<User>, StoreError> {
    let Some(name) = settings.user.clone().or_else(|| environment.user.clone()) else {
        return match settings.password_file {
            Some(_) => Err(StoreError::invalid("the etcd URL has a passwordFile and no user")),
            None => Ok(None),
        };
    };
    let password = match (&settings.password_file, &environment.password) {
        (Some(file), _) => Password::File(file.clone()),
        (None, Some(password)) => Password::Text(password.clone()),
        (None, None) => {
            return Err(StoreError::invalid(format!("the etcd user {name} has no password"))
                .with_hint("?passwordFile=FILE, or ETCDCTL_PASSWORD"));
        }
    };
    Ok(Some(User { name, password }))
}

fn operations(value: &str) -> Result<usize, StoreError> {
    // Fewer leave no room for the conditions that each write of ours stands under.
    value.parse().ok().filter(|operations| *operations >= 8).ok_or_else(|| {
        StoreError::invalid(format!("maxTxnOps of the etcd URL is {value:?}"))
            .with_hint("what etcd was started with as --max-txn-ops, at least 8")
    })
}

fn unknown(name: &str) -> StoreError {
    let near = SETTINGS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min();
    let error = StoreError::invalid(format!("an etcd URL has no setting {name:?}"));
    error.with_hint(near.map_or_else(
        || format!("there are {}", SETTINGS.join(", ")),
        |(_, known)| format!("did you mean {known}?"),
    ))
}

fn refused(url: &str, why: &str) -> StoreError {
    // Whoever takes a URL for the place of a password does not find it in a log.
    let place = url.split('?').next().unwrap_or_default();
    let shown = place.rsplit('@').next().unwrap_or_default();
    StoreError::invalid(format!("{shown:?} names no etcd store: {why}")).with_hint(FORMS)
}

/// `%2F` and its like as what they stand for; what is malformed stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let code = (first == b'%').then(|| behind.get(..2)).flatten();
        let byte = code.and_then(|code| std::str::from_utf8(code).ok());
        let byte = byte.and_then(|code| u8::from_str_radix(code, 16).ok());
        rest = if byte.is_some() { &behind[2..] } else { behind };
        bytes.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
