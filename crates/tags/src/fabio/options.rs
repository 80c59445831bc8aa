//! What the options of a tag mean.

use std::collections::BTreeMap;

use super::access::{self, Access};
use super::problem::Problem;
use super::tag::{Destination, Protocol, Tag};
use crate::router::Scheme;

/// Options that stand for something here, or that have nothing to say to HTTP.
const KNOWN: &[&str] = &[
    "allow",
    "auth",
    "deny",
    "grpcservername",
    "host",
    "prepend",
    "proto",
    "pxyproto",
    "redirect",
    "register",
    "strip",
    "tlsskipverify",
];

/// How a route treats requests; equal for all that share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Treatment {
    /// Taken from the front of the path.
    pub strip: String,
    /// Put in front of what is left.
    pub prepend: String,
    /// The Host header that the service sees.
    pub host: Host,
    /// Where clients are sent instead.
    pub redirect: Option<(u16, String)>,
    /// Whom it lets in; an error: nobody, and why.
    pub access: Result<Access, String>,
    /// The scheme of fabio's configuration that clients must pass.
    pub auth: Option<String>,
}

/// The Host header that the service sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Host {
    /// As it came.
    #[default]
    Kept,
    /// Address and port of the instance.
    Instance,
    /// This one.
    Fixed(String),
}

/// How an instance is reached; each target of a route has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// What it speaks.
    pub scheme: Scheme,
    /// Over TLS: whether its certificate is verified.
    pub verify: bool,
    /// Over TLS: the name that it is asked for.
    pub server_name: Option<String>,
}

/// Reads the options; `None`: the tag is not about HTTP. Problems say what is not as the tag has it.
pub(super) fn read(tag: &Tag) -> (Option<(Treatment, Reach)>, Vec<Problem>) {
    let mut problems = tag.problems.clone();
    let protocol = match &tag.destination {
        Destination::Instance(Protocol::Tcp) => return (None, vec![tcp()]),
        // Behind `:1234` fabio listens for TCP whatever the protocol is.
        _ if tag.path.is_empty() => return (None, vec![tcp()]),
        Destination::Instance(protocol) => *protocol,
        Destination::Url(_) => Protocol::Http,
    };
    let option = |name: &str| tag.options.get(name).filter(|value| !value.is_empty()).cloned();
    let treatment = Treatment {
        strip: option("strip").unwrap_or_default(),
        prepend: option("prepend").unwrap_or_default(),
        host: host(option("host")),
        redirect: redirect(tag, &mut problems),
        access: access::read(&tag.options).and_then(bounded),
        auth: auth(&tag.options),
    };
    let reach = Reach {
        scheme: scheme(protocol),
        verify: tag.options.get("tlsskipverify").is_none_or(|value| value != "true"),
        server_name: option("grpcservername").filter(|_| protocol == Protocol::Grpcs),
    };
    problems.extend(tag.options.iter().filter_map(|(name, value)| without_effect(name, value)));
    (Some((treatment, reach)), problems)
}

fn tcp() -> Problem {
    Problem::error("it is about TCP, and only HTTP becomes routes", "keep a TCP proxy for it")
}

fn host(name: Option<String>) -> Host {
    match name {
        None => Host::Kept,
        Some(name) if name == "dst" => Host::Instance,
        Some(name) => Host::Fixed(name),
    }
}

const fn scheme(protocol: Protocol) -> Scheme {
    match protocol {
        Protocol::Http | Protocol::Tcp => Scheme::Http,
        Protocol::Https => Scheme::Https,
        Protocol::Grpc => Scheme::H2c,
        Protocol::Grpcs => Scheme::H2,
    }
}

/// Ranges that would not fit into a pattern let nobody in: half of them would be half a guard.
fn bounded(access: Access) -> Result<Access, String> {
    if access.too_large() {
        return Err("its ranges are more than one pattern on X-Forwarded-For can hold".to_owned());
    }
    Ok(access)
}

/// The scheme's name, empty too: it guards the route whether it is known or not.
fn auth(options: &BTreeMap<String, String>) -> Option<String> {
    options.iter().find(|(name, _)| name.eq_ignore_ascii_case("auth")).map(|(_, value)| value.clone())
}

/// fabio sends requests to the service where the code is not one of a redirect, and so do we.
fn redirect(tag: &Tag, problems: &mut Vec<Problem>) -> Option<(u16, String)> {
    let written = tag.options.get("redirect").filter(|code| !code.is_empty())?;
    let Some(code) = written.parse().ok().filter(|code| (300..400).contains(code)) else {
        problems.push(Problem::error(
            format!("{written:?} is not the code of a redirect, so requests go to the service"),
            "write one of 301, 302, 303, 307 and 308",
        ));
        return None;
    };
    let url = match &tag.destination {
        Destination::Url(url) => url.clone(),
        // `proto` behind `redirect` takes its URL away: fabio then shows clients the instance's own address.
        Destination::Instance(_) => String::new(),
    };
    Some((code, url))
}

/// What a user should know about an option that does nothing here.
fn without_effect(name: &str, value: &str) -> Option<Problem> {
    match (name, value) {
        ("proto", "http" | "https" | "grpc" | "grpcs") => None,
        ("proto", _) => Some(Problem::warning(
            format!("proto={value} is not known, so the service is spoken to over HTTP, as fabio does"),
            "write proto=http, https, grpc or grpcs",
        )),
        ("register", _) => Some(Problem::warning(
            "register has no effect: Biplane registers no services",
            format!("register a service {value} with the addresses of the Envoys"),
        )),
        (name, _) if KNOWN.contains(&name) || is_guard(name) => None,
        (name, _) => Some(Problem::warning(
            format!("{name} is not an option of fabio's and has no effect"),
            "take it out, or correct its spelling",
        )),
    }
}

/// Told apart from unknown options: it closes the route.
fn is_guard(name: &str) -> bool {
    ["allow", "deny", "auth"].iter().any(|guard| name.eq_ignore_ascii_case(guard))
}
