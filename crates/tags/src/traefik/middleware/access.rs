//! Middlewares that refuse requests by what they are: answers before the route's own.

use serde::Deserialize;

use super::Draft;
use crate::router::{Action, Before, Rule};
use crate::traefik::rule;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct IpAllowList {
    source_range: Vec<String>,
    ip_strategy: Option<IpStrategy>,
    reject_status_code: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IpStrategy {
    depth: i64,
    #[serde(rename = "excludedIPs")]
    excluded_ips: Vec<String>,
    #[serde(rename = "ipv6Subnet")]
    ipv6_subnet: Option<i64>,
}

pub(super) fn ip_allow_list(name: &str, options: &IpAllowList, draft: &mut Draft<'_>) {
    if options.source_range.is_empty() {
        return draft.forbid(format!("middleware {name}: it has no sourceRange"));
    }
    let strategy = options.ip_strategy.as_ref();
    if strategy.is_some_and(|by| by.depth != 0 || !by.excluded_ips.is_empty() || by.ipv6_subnet.is_some()) {
        let why = format!("middleware {name}: ipStrategy cannot be built");
        let hint = "only the address of the connection is looked at; leave ipStrategy out";
        return draft.close(403, why, Some(hint));
    }
    let ranges: Result<Vec<_>, _> = options.source_range.iter().map(|text| rule::range(text)).collect();
    match (ranges, status(options.reject_status_code)) {
        (Ok(ranges), Some(status)) => {
            let action = Action::Respond { status, body: "Forbidden".to_owned() };
            draft.before.push(Before { when: Rule::ClientIp(ranges).negated(), action });
        }
        (Err(why), _) => draft.forbid(format!("middleware {name}: {why}")),
        (_, None) => draft.forbid(format!(
            "middleware {name}: rejectStatusCode {} is no status from 400 to 599",
            options.reject_status_code
        )),
    }
}

fn status(code: i64) -> Option<u16> {
    match code {
        0 => Some(403),
        code => u16::try_from(code).ok().filter(|code| (400..600).contains(code)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EncodedCharacters {
    allow_encoded_slash: bool,
    allow_encoded_back_slash: bool,
    allow_encoded_null_character: bool,
    allow_encoded_semicolon: bool,
    allow_encoded_percent: bool,
    allow_encoded_question_mark: bool,
    allow_encoded_hash: bool,
}

/// Paths with an encoded character that is not allowed are bad requests.
pub(super) fn encoded_characters(options: &EncodedCharacters, draft: &mut Draft<'_>) {
    // Of these, rules see what is not reserved decoded.
    let refused: Vec<&str> = [
        (options.allow_encoded_slash, "%2[fF]"),
        (options.allow_encoded_back_slash, r"\\"),
        (options.allow_encoded_null_character, r"\x00"),
        (options.allow_encoded_semicolon, "%3[bB]"),
        (options.allow_encoded_percent, "%25"),
        (options.allow_encoded_question_mark, "%3[fF]"),
        (options.allow_encoded_hash, "%23"),
    ]
    .into_iter()
    .filter_map(|(allowed, pattern)| (!allowed).then_some(pattern))
    .collect();
    if !refused.is_empty() {
        let when = Rule::PathRegexp(refused.join("|"));
        let action = Action::Respond { status: 400, body: "Bad Request".to_owned() };
        draft.before.push(Before { when, action });
    }
}

/// The certificate is not told, and neither is one that a client makes up.
pub(super) fn pass_tls_client_cert(name: &str, draft: &mut Draft<'_>) {
    draft.headers.remove_request("X-Forwarded-Tls-Client-Cert");
    draft.headers.remove_request("X-Forwarded-Tls-Client-Cert-Info");
    draft.warn(format!(
        "middleware {name}: passTLSClientCert cannot be built; its headers never reach the service"
    ));
}
