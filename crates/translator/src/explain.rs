//! What Envoy makes of one request: for people who ask which route answers it and why.
//!
//! ```text
//! listener bytes, server name ── chain ──▶ the filter chain that takes the connection
//! host ── host::candidates ──▶ the domains that may hold it, the best first
//! route bytes, request ── judge ──▶ it matches, or why it does not
//! route bytes, request ── effect ──▶ what happens then: clusters, redirect, response, options
//! ```
//!
//! What is judged is what Envoy gets, the encoded messages, and never what they were made of: an explanation
//! that repeats the translation would repeat its mistakes. Nothing here is on the way to an Envoy.
//!
//! Invariant: whatever the translator writes into a matcher is judged; only a request of which too little is
//! known, or a message that the translator does not write, leaves a judgement open.

mod chain;
mod conditions;
mod effect;
pub mod host;
mod path;
mod redirect;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteMatch};
use prost::Message as _;

pub use chain::{Chain, chain};
pub use effect::{Action, Effect, Share, effect};
pub use path::normalized;
pub use words::matcher;

/// A request as routes see it: behind what the connection manager does to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Whether it comes by TLS.
    pub tls: bool,
    /// What the `Host` header says.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// The other headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether the client has shown a certificate.
    pub certificate: bool,
    /// The address of the client; none: it is not known.
    pub client_ip: Option<IpAddr>,
}

/// Whether a route takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It does.
    Matches,
    /// It does not.
    Not(Miss),
    /// That depends on what is not known, for this reason.
    Unknown(String),
}

/// Why a route does not take a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// In words.
    pub why: String,
    /// Whether the path alone would do.
    pub near: bool,
}

impl Request {
    /// The path without its query.
    pub fn bare_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The query; none: there is no `?`.
    pub fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }

    fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }
}

/// Whether an encoded `Route` takes `request`.
pub fn judge(route: &[u8], request: &Request) -> Judgement {
    let Some(matcher) = decode(route).and_then(|route| route.r#match) else {
        return Judgement::Unknown("the route cannot be read".to_owned());
    };
    match takes_path(&matcher, request) {
        Judgement::Matches => conditions::judge(&matcher, request),
        other => other,
    }
}

fn decode(route: &[u8]) -> Option<Route> {
    Route::decode(route).ok()
}

/// Envoy leaves the query out of every comparison. A CONNECT request has no path to compare.
fn takes_path(matcher: &RouteMatch, request: &Request) -> Judgement {
    let path = request.bare_path();
    let cased = matcher.case_sensitive.as_ref().is_none_or(|sensitive| sensitive.value);
    let far = |why: String| Judgement::Not(Miss { why, near: false });
    let verdict = |fits: bool, why: String| if fits { Judgement::Matches } else { far(why) };
    match &matcher.path_specifier {
        Some(PathSpecifier::ConnectMatcher(_)) => {
            verdict(request.is_connect(), "it is for CONNECT requests".to_owned())
        }
        _ if request.is_connect() => far("CONNECT requests have no path, and it matches one".to_owned()),
        Some(PathSpecifier::Prefix(prefix)) => {
            verdict(starts_with(path, prefix, cased), format!("path {path} does not begin with {prefix}"))
        }
        Some(PathSpecifier::Path(exact)) => {
            let fits = if cased { path == exact } else { path.eq_ignore_ascii_case(exact) };
            verdict(fits, format!("path {path} is not {exact}"))
        }
        Some(PathSpecifier::SafeRegex(regex)) => match conditions::full_match(&regex.regex, path) {
            Ok(fits) => verdict(fits, format!("path {path} does not match the regex {}", regex.regex)),
            Err(why) => Judgement::Unknown(why),
        },
        _ => Judgement::Unknown("its way to match a path is not known here".to_owned()),
    }
}

fn starts_with(path: &str, prefix: &str, cased: bool) -> bool {
    if cased {
        return path.starts_with(prefix);
    }
    path.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}
