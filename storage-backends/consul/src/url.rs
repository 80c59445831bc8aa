//! Store URLs: `consul://host:8500/root?dc=dc2&tokenFile=/run/token`.

use std::time::Duration;

use biplane_consul_client::{Address, Settings, TokenSource};
use biplane_store::StoreError;
use biplane_store::layout::Layout;

use crate::options::ConsulOptions;

/// The parameters that a URL may have.
const PARAMETERS: [&str; 13] = [
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
    "wait",
    "maxWatches",
    "layout",
];

/// The parameter that stands for the path where the path is a socket's.
const ROOT: &str = "root";

/// Options from a URL and the environment.
pub(crate) fn parse(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<ConsulOptions, StoreError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(wrong("it has a user or a token in it, which everybody would see")
            .with_hint("set CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE, or ?tokenFile="));
    }
    let client = Settings::from_env(env).map_err(|error| invalid(&error))?;
    let mut options = ConsulOptions::new(client);
    // First, because the default root hangs on it.
    if let Some(layout) = query.split('&').find_map(|pair| pair.strip_prefix("layout=")) {
        let layout: Layout = decode(layout)?.parse()?;
        options = options.layout(layout).root(layout.default_root());
    }
    let path = decode(path)?;
    match scheme {
        "consul" | "consuls" => {
            let tls = scheme == "consuls";
            if authority.is_empty() {
                require_tls(&mut options.client.address, tls)?;
            } else {
                let tls = tls || options.client.address.is_tls() && env_says_tls(env);
                options.client.address =
                    Address::tcp(&decode(authority)?, tls).map_err(|error| invalid(&error))?;
            }
            if !path.trim_matches('/').is_empty() {
                options = options.root(&path);
            }
        }
        "consul+unix" if authority.is_empty() => {
            options.client.address = Address::Unix(format!("/{path}").into());
        }
        _ => return Err(wrong("it is none of consul://, consuls:// and consul+unix:///")),
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        options = set(options, name, decode(value)?, scheme == "consul+unix")?;
    }
    Ok(options)
}

/// The URL that leads to the same place, without anything that only this process needs.
pub(crate) fn name(options: &ConsulOptions) -> String {
    let ConsulOptions { client, root, .. } = options;
    let (mut url, mut mark) = match &client.address {
        Address::Unix(path) => (format!("consul+unix://{}?{ROOT}={root}", path.display()), '&'),
        address @ Address::Tcp { tls: true, .. } => (format!("consuls://{address}/{root}"), '?'),
        address @ Address::Tcp { .. } => (format!("consul://{address}/{root}"), '?'),
    };
    let layout = (options.layout != Layout::default()).then(|| options.layout.to_string());
    let scope = [
        ("layout", &layout),
        ("dc", &client.datacenter),
        ("namespace", &client.namespace),
        ("partition", &client.partition),
    ];
    for (name, value) in scope {
        if let Some(value) = value {
            url.push_str(&format!("{mark}{name}={value}"));
            mark = '&';
        }
    }
    url
}

fn set(
    mut options: ConsulOptions,
    name: &str,
    value: String,
    socket: bool,
) -> Result<ConsulOptions, StoreError> {
    let client = &mut options.client;
    match name {
        "dc" => client.datacenter = Some(value),
        "namespace" => client.namespace = Some(value),
        "partition" => client.partition = Some(value),
        "tokenFile" => client.token = Some(TokenSource::File(value.into())),
        "caFile" => client.tls.authority = Some(value.into()),
        "caPath" => client.tls.authorities = Some(value.into()),
        "certFile" => client.tls.certificate = Some(value.into()),
        "keyFile" => client.tls.key = Some(value.into()),
        "serverName" => client.tls.server_name = Some(value),
        "verify" => client.tls.verify = value.parse().map_err(|_| wrong("verify is true or false"))?,
        "wait" => options.tuning.wait = duration(&value).ok_or_else(|| wrong("wait is a time such as 5m"))?,
        "maxWatches" => {
            let watches = value.parse().ok().filter(|count| (4..=190).contains(count));
            options.tuning.max_watches = watches.ok_or_else(|| wrong("maxWatches is from 4 to 190"))?;
        }
        "layout" => {}
        ROOT if socket => options = options.root(&value),
        other => return Err(unknown(other)),
    }
    Ok(options)
}

fn unknown(name: &str) -> StoreError {
    let error = wrong(&format!("it has an unknown parameter {name:?}"));
    let near = PARAMETERS
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match near.filter(|near| strsim::jaro_winkler(name, near) > 0.7) {
        Some(near) => error.with_hint(format!("did you mean {near}?")),
        None => error.with_hint(format!("the parameters are {}", PARAMETERS.join(", "))),
    }
}

/// `consuls:///root` means TLS, whatever the environment says about the scheme.
fn require_tls(address: &mut Address, tls: bool) -> Result<(), StoreError> {
    match address {
        Address::Tcp { tls: on, .. } => *on |= tls,
        Address::Unix(_) if tls => return Err(wrong("CONSUL_HTTP_ADDR is a Unix socket, which has no TLS")),
        Address::Unix(_) => {}
    }
    Ok(())
}

/// `CONSUL_HTTP_SSL` is about every address; a scheme in `CONSUL_HTTP_ADDR` about that one only.
fn env_says_tls(env: &dyn Fn(&str) -> Option<String>) -> bool {
    env("CONSUL_HTTP_SSL").is_some_and(|value| matches!(&*value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (text[..digits].parse::<u64>().ok()?, &text[digits..]);
    let seconds = match unit {
        "s" => number,
        "m" => number.checked_mul(60)?,
        _ => return None,
    };
    (1..=600).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn decode(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let byte = std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                (byte.ok_or_else(|| wrong("a % in it is not followed by two digits"))?, tail)
            }
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))
}

/// The URL itself may hold what should not be in it, so it is not repeated.
fn wrong(what: &str) -> StoreError {
    StoreError::invalid(format!("the store's URL cannot be used: {what}"))
        .with_hint("consul://HOST:PORT/ROOT, consuls:// for TLS, consul:///ROOT for CONSUL_HTTP_ADDR")
}

fn invalid(error: &biplane_consul_client::Error) -> StoreError {
    StoreError::invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, variables: &[(&str, &str)]) -> Result<ConsulOptions, StoreError> {
        parse(url, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_url_names_itself() {
        for url in [
            "consul://10.0.0.1:8500/biplane",
            "consuls://consul.internal:8501/edge/one?dc=dc2",
            "consul+unix:///run/consul.sock?root=edge&dc=a&namespace=b&partition=c",
            "consul://[::1]:8500/biplane",
            "consul://localhost:8500/gloo?layout=gloo",
        ] {
            assert_eq!(options(url, &[]).map(|options| options.name()), Ok(url.to_owned()));
        }
        assert_eq!(options("consul://host", &[]).expect("short").name(), "consul://host:8500/biplane");
    }

    #[test]
    fn the_host_comes_from_the_environment_where_the_url_has_none() {
        let variables = [("CONSUL_HTTP_ADDR", "https://agent:18501"), ("CONSUL_HTTP_TOKEN", "hunter2")];
        let options = options("consul:///edge", &variables).expect("good");
        assert_eq!(options.name(), "consuls://agent:18501/edge");
        assert!(options.client.token.is_some());
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn parameters_are_set_and_an_unknown_one_is_told_with_the_nearest() {
        let url = "consuls://h/r?tokenFile=%2Frun%2Ftoken&caFile=ca.pem&verify=false&wait=2m&maxWatches=8";
        let options = options(url, &[]).expect("good");
        assert_eq!(options.client.token, Some(TokenSource::File("/run/token".into())));
        assert_eq!((options.client.tls.verify, options.tuning.max_watches), (false, 8));
        assert_eq!(options.tuning.wait, Duration::from_mins(2));
        let error = self::options("consul://h/r?tokenfile=x", &[]).expect_err("case counts");
        assert_eq!(error.hint(), Some("did you mean tokenFile?"));
    }

    #[test]
    fn what_is_no_url_of_consul_is_refused_without_repeating_it() {
        for url in
            ["consul", "etcd://h/r", "consul://hunter2@h/r", "consul+unix://h/p", "consul://h/%zz?hunter2=1"]
        {
            let error = options(url, &[]).expect_err(url);
            assert!(error.hint().is_some() && !format!("{error:?}").contains("hunter2@"), "{error:?}");
        }
    }
}
