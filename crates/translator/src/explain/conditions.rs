//! What a matcher asks besides the path: headers, query parameters, the client.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::filter_state_matcher::Matcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{AddressMatcher, FilterStateMatcher, StringMatcher};
use regex::bytes::RegexBuilder;

use super::{Judgement, Miss, Request, words};
use crate::route::client_ip;

/// Every condition holds, or the first that does not; what is not known counts only where nothing else fails.
pub(super) fn judge(matcher: &RouteMatch, request: &Request) -> Judgement {
    let headers = matcher.headers.iter().map(|header| of_header(header, request));
    let parameters = matcher.query_parameters.iter().map(|parameter| of_parameter(parameter, request));
    let client = matcher.filter_state.iter().map(|state| of_state(state, request));
    let mut open = None;
    for judgement in headers.chain(parameters).chain([of_tls(matcher, request)]).chain(client) {
        match judgement {
            Judgement::Matches => {}
            Judgement::Not(miss) => return Judgement::Not(miss),
            unknown @ Judgement::Unknown(_) => drop(open.get_or_insert(unknown)),
        }
    }
    open.unwrap_or(Judgement::Matches)
}

fn holds(fits: bool, why: impl FnOnce() -> String) -> Judgement {
    if fits { Judgement::Matches } else { Judgement::Not(Miss { why: why(), near: true }) }
}

/// Envoy compares no value with a header that is absent: such a condition fails, inverted or not.
fn of_header(header: &HeaderMatcher, request: &Request) -> Judgement {
    let name = header.name.to_ascii_lowercase();
    let value = value_of(&name, request);
    let what = if name == ":method" { "method".to_owned() } else { format!("header {name}") };
    let inverted = header.invert_match;
    match &header.header_match_specifier {
        Some(HeaderMatchSpecifier::PresentMatch(true)) => {
            holds(value.is_some() != inverted, || presence(&what, value.is_some()))
        }
        Some(HeaderMatchSpecifier::StringMatch(wanted)) => {
            let Some(value) = value else { return holds(false, || presence(&what, false)) };
            match takes(wanted, &value) {
                Ok(fits) => holds(fits != inverted, || mismatch(&what, &value, wanted, inverted)),
                Err(why) => Judgement::Unknown(why),
            }
        }
        _ => Judgement::Unknown(format!("its condition on the {what} is not known here")),
    }
}

/// Several headers of one name are one list to Envoy.
fn value_of(name: &str, request: &Request) -> Option<String> {
    match name {
        ":method" => Some(request.method.clone()),
        ":authority" | "host" => Some(request.authority.clone()),
        ":path" => Some(request.path.clone()),
        // Envoy writes these itself, over what a client says.
        ":scheme" | "x-forwarded-proto" => Some(if request.tls { "https" } else { "http" }.to_owned()),
        _ => {
            let values = request.headers.iter().filter(|(known, _)| known == name);
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| values.join(","))
        }
    }
}

/// Of several parameters of one name the first counts, as it is written.
fn of_parameter(parameter: &QueryParameterMatcher, request: &Request) -> Judgement {
    let pairs = request.query().unwrap_or_default().split('&');
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = pairs.find(|(name, _)| *name == parameter.name).map(|(_, value)| value);
    let what = format!("query parameter {}", parameter.name);
    match &parameter.query_parameter_match_specifier {
        Some(QueryParameterMatchSpecifier::PresentMatch(true)) => {
            holds(value.is_some(), || presence(&what, false))
        }
        Some(QueryParameterMatchSpecifier::StringMatch(wanted)) => {
            let Some(value) = value else { return holds(false, || presence(&what, false)) };
            match takes(wanted, value) {
                Ok(fits) => holds(fits, || mismatch(&what, value, wanted, false)),
                Err(why) => Judgement::Unknown(why),
            }
        }
        _ => Judgement::Unknown(format!("its condition on the {what} is not known here")),
    }
}

fn of_tls(matcher: &RouteMatch, request: &Request) -> Judgement {
    let Some(tls) = &matcher.tls_context else { return Judgement::Matches };
    if tls.validated.is_some() {
        return Judgement::Unknown("its condition on certificates is not known here".to_owned());
    }
    let wanted = tls.presented.as_ref().is_none_or(|presented| presented.value == request.certificate);
    holds(wanted, || "it is for clients that have shown a certificate".to_owned())
}

fn of_state(state: &FilterStateMatcher, request: &Request) -> Judgement {
    match &state.matcher {
        Some(Matcher::AddressMatch(addresses)) if state.key == client_ip::KEY => {
            of_client(addresses, request)
        }
        _ => Judgement::Unknown(format!("its condition on {} is not known here", state.key)),
    }
}

fn of_client(addresses: &AddressMatcher, request: &Request) -> Judgement {
    let Some(client) = request.client_ip else {
        return Judgement::Unknown("it depends on the client's address, which is not known".to_owned());
    };
    let client = client.to_canonical();
    let is_in = addresses.ranges.iter().any(|range| {
        let bits = range.prefix_len.as_ref().map_or(0, |bits| bits.value);
        range.address_prefix.parse().is_ok_and(|network| contains(network, bits, client))
    });
    holds(is_in != addresses.invert_match, || {
        let not = if addresses.invert_match { "" } else { "not " };
        format!("client {client} is {not}in {}", words::ranges(addresses))
    })
}

fn contains(network: IpAddr, bits: u32, client: IpAddr) -> bool {
    match (network, client) {
        (IpAddr::V4(network), IpAddr::V4(client)) => {
            u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0) & (network.to_bits() ^ client.to_bits()) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(client)) => {
            u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0) & (network.to_bits() ^ client.to_bits())
                == 0
        }
        _ => false,
    }
}

fn presence(what: &str, is_there: bool) -> String {
    format!("{what} is {}", if is_there { "there" } else { "absent" })
}

fn mismatch(what: &str, value: &str, wanted: &StringMatcher, inverted: bool) -> String {
    let wanted = words::pattern(wanted);
    if inverted { format!("{what} is {wanted}") } else { format!("{what} is {value:?}, not {wanted}") }
}

fn takes(wanted: &StringMatcher, value: &str) -> Result<bool, String> {
    match &wanted.match_pattern {
        Some(MatchPattern::Exact(exact)) if wanted.ignore_case => Ok(value.eq_ignore_ascii_case(exact)),
        Some(MatchPattern::Exact(exact)) => Ok(value == exact),
        Some(MatchPattern::SafeRegex(regex)) => full_match(&regex.regex, value),
        _ => Err("its way to compare text is not known here".to_owned()),
    }
}

/// Whether all of `text` matches, as RE2 would have it: `\d`, `\w` and `\s` are of ASCII.
pub(super) fn full_match(regex: &str, text: &str) -> Result<bool, String> {
    let whole = RegexBuilder::new(&format!(r"\A(?:{regex})\z")).unicode(false).build();
    let whole = whole.or_else(|_| RegexBuilder::new(&format!(r"\A(?:{regex})\z")).build());
    whole
        .map(|whole| whole.is_match(text.as_bytes()))
        .map_err(|_| format!("the regex {regex} can only be judged by Envoy"))
}
