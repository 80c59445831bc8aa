//! Which requests a route is for: its options as a rule.

use super::draft::{Draft, Written};
use super::scalar;
use crate::compile::spelling;
use crate::router::Rule;
use crate::traefik::rule;

/// What is wrong, and the tag that it is wrong in.
pub(super) type Fault<'a> = (String, Option<&'a Written>);

/// The rule of all options together.
pub(super) fn rule<'a>(draft: &'a Draft<'_>) -> Result<Rule, Fault<'a>> {
    let mut parts = Vec::new();
    for (name, read) in READERS {
        for written in draft.all(name) {
            parts.push(read(written).map_err(|why| (why, Some(written)))?);
        }
    }
    if draft.get("hosts").is_none() && draft.get("rule").is_none() {
        return Err(("it names no hosts; write hosts=* for all".to_owned(), None));
    }
    Ok(Rule::And(parts))
}

type Read = fn(&Written) -> Result<Rule, String>;

const READERS: &[(&str, Read)] = &[
    ("hosts", |written| one_of(&written.value, host)),
    ("path", |written| one_of(&written.value, path_and_below)),
    ("prefix", |written| one_of(&written.value, |path| decoded(path).map(Rule::PathPrefix))),
    ("exact", |written| one_of(&written.value, |path| decoded(path).map(Rule::Path))),
    ("regex", |written| Ok(Rule::PathRegexp(format!("^(?:{})$", written.value)))),
    ("methods", |written| one_of(&written.value, method)),
    ("headers", |written| Ok(header(written))),
    ("queryParameters", |written| Ok(query_parameter(written))),
    ("rule", |written| rule::parse(&written.value).map_err(|why| why.to_string())),
];

fn one_of(value: &str, read: impl Fn(&str) -> Result<Rule, String>) -> Result<Rule, String> {
    scalar::list(value)?.into_iter().map(read).collect::<Result<_, _>>().map(Rule::Or)
}

/// `*.example.com` is all that ends in it, as in a virtual service.
fn host(text: &str) -> Result<Rule, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    match text {
        "*" => Ok(Rule::Host("*".to_owned())),
        _ if is_address => Ok(Rule::Host(text.to_owned())),
        _ if !is_name => Err(format!("{text:?} is no host: write a name, *.name or *, without a port")),
        _ if name.len() < text.len() => Ok(Rule::HostSuffix(text[1..].to_ascii_lowercase())),
        _ => Ok(Rule::Host(text.to_ascii_lowercase())),
    }
}

/// `/api` itself and what is below it, but not `/apis`.
fn path_and_below(text: &str) -> Result<Rule, String> {
    let path = decoded(text)?;
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(Rule::PathPrefix("/".to_owned()));
    }
    Ok(Rule::Or(vec![Rule::Path(path.to_owned()), Rule::PathPrefix(format!("{path}/"))]))
}

/// A path as requests carry it.
pub(super) fn absolute(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("{text:?} is no path: a path starts with /"));
    }
    if text.contains(['?', '#']) {
        return Err(format!("{text:?} is no path: a path holds neither ? nor #"));
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
        Some(c) => Err(format!("{c:?} does not stand in a path: write it as %xx")),
        None => Ok(text.to_owned()),
    }
}

/// The same as rules see it.
fn decoded(text: &str) -> Result<String, String> {
    let path = absolute(text)?;
    let (mut bytes, mut rest) = (Vec::new(), path.as_str());
    while let Some(first) = rest.bytes().next() {
        let escape = spelling::escape_at(rest)
            .filter(|byte| *byte != b'%' && !spelling::is_reserved(char::from(*byte)));
        bytes.push(escape.unwrap_or(first));
        rest = &rest[if escape.is_some() { 3 } else { 1 }..];
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is no path: what it encodes is not UTF-8"))
}

fn method(text: &str) -> Result<Rule, String> {
    let is_method = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    is_method.then(|| Rule::Method(text.to_ascii_uppercase())).ok_or(format!("{text:?} is no method"))
}

/// An empty value stands for any.
fn header(written: &Written) -> Rule {
    let (name, value) = (written.key.clone(), written.value.clone());
    if value.is_empty() {
        return Rule::HeaderRegexp { name, pattern: "^.*$".to_owned() };
    }
    Rule::Header { name, value }
}

fn query_parameter(written: &Written) -> Rule {
    let (name, value) = (written.key.clone(), written.value.clone());
    if value.is_empty() {
        return Rule::QueryRegexp { name, pattern: "^.*$".to_owned() };
    }
    Rule::Query { name, value: Some(value) }
}
