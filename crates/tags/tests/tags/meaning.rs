//! What a rule means, said in the plainest way, without hosts of Envoy's, branches and matchers.

use biplane_tags::router::Rule;
use regex::Regex;

use crate::envoy::Request;

/// Whether a rule holds for a request.
pub(crate) fn holds(rule: &Rule, request: &Request) -> bool {
    match rule {
        Rule::And(parts) => parts.iter().all(|part| holds(part, request)),
        Rule::Or(parts) => parts.iter().any(|part| holds(part, request)),
        Rule::Not(inner) => !holds(inner, request),
        Rule::Host(host) => is_host(host, &host_of(request)),
        Rule::HostSuffix(suffix) => {
            let host = host_of(request);
            host.ends_with(suffix.as_str()) && host.len() > suffix.len()
        }
        Rule::HostRegexp(pattern) => found(pattern, &host_of(request)),
        Rule::Path(path) => *path == path_of(request),
        Rule::PathPrefix(path) => path_of(request).starts_with(path.as_str()),
        Rule::PathRegexp(pattern) => found(pattern, &path_of(request)),
        Rule::Method(method) => method == request.method,
        Rule::Header { name, value } => headers(request, name).any(|each| each == value),
        Rule::HeaderRegexp { name, pattern } => headers(request, name).any(|each| found(pattern, each)),
        Rule::HeaderLine { name, pattern } => {
            let values: Vec<_> = headers(request, name).collect();
            !values.is_empty() && found(&format!("^(?:{pattern})$"), &values.join(","))
        }
        Rule::Query { name, value } => {
            query(request, name).iter().any(|each| *each == value.as_deref().unwrap_or_default())
        }
        Rule::QueryRegexp { name, pattern } => query(request, name).iter().any(|each| found(pattern, each)),
        Rule::ClientIp(ranges) => {
            ranges.iter().any(|range| range.contains(&request.client.parse::<std::net::IpAddr>().unwrap()))
        }
    }
}

fn is_host(rule: &str, host: &str) -> bool {
    match rule.strip_prefix("*.") {
        _ if rule == "*" => true,
        Some(rest) => host.split_once('.').is_some_and(|(label, behind)| !label.is_empty() && behind == rest),
        None => rule == host,
    }
}

fn host_of(request: &Request) -> String {
    request.host.split(':').next().unwrap().to_ascii_lowercase()
}

fn path_of(request: &Request) -> String {
    request.path.split('?').next().unwrap().replace("%20", " ")
}

fn headers<'a>(request: &'a Request, name: &str) -> impl Iterator<Item = &'a str> {
    let named = request.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    named.map(|(_, value)| *value)
}

fn query(request: &Request, name: &str) -> Vec<String> {
    let Some((_, query)) = request.path.split_once('?') else { return Vec::new() };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded = |text: &str| text.replace(['+'], " ").replace("%20", " ");
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).collect()
}

fn found(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}
