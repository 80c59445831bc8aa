//! Where a redirect leads, and what a path becomes on its way to an upstream.

use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{RedirectAction, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use regex::{NoExpand, Regex};

use super::{Request, host};

/// The status code.
pub(super) fn status(action: &RedirectAction) -> u32 {
    match action.response_code() {
        RedirectResponseCode::MovedPermanently => 301,
        RedirectResponseCode::Found => 302,
        RedirectResponseCode::SeeOther => 303,
        RedirectResponseCode::TemporaryRedirect => 307,
        RedirectResponseCode::PermanentRedirect => 308,
    }
}

/// The `location` header.
pub(super) fn location(action: &RedirectAction, matched: &RouteMatch, request: &Request) -> String {
    let before = if request.tls { "https" } else { "http" };
    let scheme = match &action.scheme_rewrite_specifier {
        Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => "https",
        Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => scheme,
        _ => before,
    };
    let port = match action.port_redirect {
        0 => String::new(),
        port => format!(":{port}"),
    };
    let host = if action.host_redirect.is_empty() {
        // The port of the old scheme means nothing with the new one.
        let usual = if request.tls { ":443" } else { ":80" };
        let is_stale = scheme != before && request.authority.ends_with(usual);
        if port.is_empty() && !is_stale {
            request.authority.as_str()
        } else {
            host::without_port(&request.authority)
        }
    } else {
        &action.host_redirect
    };
    format!("{scheme}://{host}{port}{}", target(action, matched, request))
}

/// The path and query of the location. A path with a query of its own keeps that one.
fn target(action: &RedirectAction, matched: &RouteMatch, request: &Request) -> String {
    let path = match &action.path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(path)) if path.contains('?') => return path.clone(),
        Some(PathRewriteSpecifier::PathRedirect(path)) => path.clone(),
        Some(PathRewriteSpecifier::PrefixRewrite(prefix)) => prefix_replaced(prefix, matched, request),
        Some(PathRewriteSpecifier::RegexRewrite(rewrite)) => substituted(rewrite, request),
        Some(PathRewriteSpecifier::PathRewrite(_)) | None => request.bare_path().to_owned(),
    };
    match request.query() {
        Some(query) if !action.strip_query => format!("{path}?{query}"),
        _ => path,
    }
}

/// The path with another prefix in place of what was matched.
pub(super) fn prefix_replaced(prefix: &str, matched: &RouteMatch, request: &Request) -> String {
    let path = request.bare_path();
    let length = match &matched.path_specifier {
        Some(PathSpecifier::Prefix(text)) => text.len(),
        _ => path.len(),
    };
    format!("{prefix}{}", path.get(length..).unwrap_or_default())
}

/// The path with what a regex finds in it replaced; `\1` is its first group.
pub(super) fn substituted(rewrite: &RegexMatchAndSubstitute, request: &Request) -> String {
    let path = request.bare_path();
    let pattern = rewrite.pattern.as_ref().map(|pattern| pattern.regex.as_str()).unwrap_or_default();
    let Ok(regex) = Regex::new(pattern) else { return path.to_owned() };
    if !rewrite.substitution.contains('\\') {
        return regex.replace_all(path, NoExpand(&rewrite.substitution)).into_owned();
    }
    let expand = |captures: &regex::Captures<'_>| expanded(&rewrite.substitution, captures);
    regex.replace_all(path, expand).into_owned()
}

fn expanded(substitution: &str, captures: &regex::Captures<'_>) -> String {
    let mut text = String::new();
    let mut characters = substitution.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit.to_digit(10).map_or(0, |digit| digit as usize);
                text.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            other => text.extend(other),
        }
    }
    text
}
