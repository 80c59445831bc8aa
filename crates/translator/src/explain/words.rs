//! Matchers in people's words.

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::filter_state_matcher::Matcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{AddressMatcher, StringMatcher};

use super::decode;

/// What an encoded `Route` matches: `prefix /users, method GET, header x-version "v1"`.
pub fn matcher(route: &[u8]) -> String {
    let matcher = decode(route).and_then(|route| route.r#match).unwrap_or_default();
    let headers = matcher.headers.iter().map(header);
    let parameters = matcher.query_parameters.iter().map(parameter);
    let tls = matcher.tls_context.iter().map(|_| "a client certificate".to_owned());
    let clients = matcher.filter_state.iter().map(|state| match &state.matcher {
        Some(Matcher::AddressMatch(addresses)) => {
            format!("client {}{}", not(addresses.invert_match), ranges(addresses))
        }
        _ => format!("{} in some way", state.key),
    });
    let parts = std::iter::once(path(&matcher)).chain(headers).chain(parameters).chain(tls).chain(clients);
    parts.collect::<Vec<_>>().join(", ")
}

fn path(matcher: &RouteMatch) -> String {
    let case = match &matcher.case_sensitive {
        Some(sensitive) if !sensitive.value => " in any case",
        _ => "",
    };
    match &matcher.path_specifier {
        Some(PathSpecifier::Prefix(text)) => format!("prefix {text}{case}"),
        Some(PathSpecifier::Path(text)) => format!("exact {text}{case}"),
        Some(PathSpecifier::SafeRegex(regex)) => format!("regex {}", regex.regex),
        Some(PathSpecifier::ConnectMatcher(_)) => "CONNECT".to_owned(),
        _ => "a path in some way".to_owned(),
    }
}

fn header(header: &HeaderMatcher) -> String {
    let what = if header.name == ":method" { "method".to_owned() } else { format!("header {}", header.name) };
    let not = not(header.invert_match);
    match &header.header_match_specifier {
        Some(HeaderMatchSpecifier::StringMatch(wanted)) => format!("{what} {not}{}", pattern(wanted)),
        _ if header.invert_match => format!("no {what}"),
        _ => what,
    }
}

fn parameter(parameter: &QueryParameterMatcher) -> String {
    let what = format!("query parameter {}", parameter.name);
    match &parameter.query_parameter_match_specifier {
        Some(QueryParameterMatchSpecifier::StringMatch(wanted)) => format!("{what} {}", pattern(wanted)),
        _ => what,
    }
}

const fn not(inverted: bool) -> &'static str {
    if inverted { "not " } else { "" }
}

/// What text is compared with.
pub(super) fn pattern(wanted: &StringMatcher) -> String {
    match &wanted.match_pattern {
        Some(MatchPattern::Exact(exact)) => format!("{exact:?}"),
        Some(MatchPattern::SafeRegex(regex)) => format!("regex {}", regex.regex),
        _ => "some text".to_owned(),
    }
}

/// The networks that clients are compared with.
pub(super) fn ranges(addresses: &AddressMatcher) -> String {
    let ranges = addresses.ranges.iter().map(|range| {
        let bits = range.prefix_len.as_ref().map_or(0, |bits| bits.value);
        format!("{}/{bits}", range.address_prefix)
    });
    ranges.collect::<Vec<_>>().join(", ")
}
