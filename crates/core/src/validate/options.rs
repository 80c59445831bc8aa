//! Options of routes and virtual hosts.

use super::{Validator, action, auth, headers, text};
use crate::options::cors::Cors;
use crate::options::lb_hash::HashPolicy;
use crate::options::rewrite::Pattern;
use crate::options::{LbHash, OptionsConfigRefs, Retries, RouteOptions, Upgrade, VirtualHostOptions};
use crate::path::Trail;
use crate::suggest::nearest;

/// Envoy's retry conditions, those of gRPC included.
const RETRY_ON: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(super) fn route_options(v: &mut Validator<'_, '_>, options: &RouteOptions, at: &Trail<'_>) {
    let paths = [
        ("prefixRewrite", options.prefix_rewrite.is_some()),
        ("regexRewrite", options.regex_rewrite.is_some()),
    ];
    v.at_most_one(at, "the new path", &paths);
    if let Some(path) = &options.prefix_rewrite {
        action::rewritten_path(v, path, &at.field("prefixRewrite"));
    }
    if let Some(rewrite) = &options.regex_rewrite {
        regex_rewrite(v, &rewrite.pattern, &rewrite.substitution, &at.field("regexRewrite"));
    }
    host_rewrites(v, options, at);
    if let Some(retries) = &options.retries {
        retry_policy(v, retries, &at.field("retries"));
    }
    if let Some(manipulation) = &options.header_manipulation {
        headers::manipulation(v, manipulation, &at.field("headerManipulation"));
    }
    if let Some(policy) = &options.cors {
        cors(v, policy, &at.field("cors"));
    }
    if let Some(hash) = &options.lb_hash {
        hash_policies(v, hash, &at.field("lbHash"));
    }
    upgrades(v, &options.upgrades, &at.field("upgrades"));
    auth::options(v, options.basic_auth.as_ref(), options.api_key_auth.as_ref(), at);
}

pub(super) fn virtual_host_options(v: &mut Validator<'_, '_>, options: &VirtualHostOptions, at: &Trail<'_>) {
    if let Some(retries) = &options.retries {
        retry_policy(v, retries, &at.field("retries"));
    }
    if let Some(manipulation) = &options.header_manipulation {
        headers::manipulation(v, manipulation, &at.field("headerManipulation"));
    }
    if let Some(policy) = &options.cors {
        cors(v, policy, &at.field("cors"));
    }
    auth::options(v, options.basic_auth.as_ref(), options.api_key_auth.as_ref(), at);
}

pub(super) fn references(v: &mut Validator<'_, '_>, references: &OptionsConfigRefs, at: &Trail<'_>) {
    let at = at.field("delegateOptions");
    for (index, reference) in references.delegate_options.iter().enumerate() {
        v.reference(reference, &at.index(index));
    }
}

fn host_rewrites(v: &mut Validator<'_, '_>, options: &RouteOptions, at: &Trail<'_>) {
    let hosts = [
        ("hostRewrite", options.host_rewrite.is_some()),
        ("autoHostRewrite", options.auto_host_rewrite == Some(true)),
        ("hostRewritePathRegex", options.host_rewrite_path_regex.is_some()),
        ("hostRewriteHeader", options.host_rewrite_header.is_some()),
    ];
    v.at_most_one(at, "the new host", &hosts);
    if let Some(host) = &options.host_rewrite {
        headers::value(v, host, &at.field("hostRewrite"));
    }
    if let Some(rewrite) = &options.host_rewrite_path_regex {
        regex_rewrite(v, &rewrite.pattern, &rewrite.substitution, &at.field("hostRewritePathRegex"));
    }
    if let Some(header) = &options.host_rewrite_header {
        headers::name(v, header, &at.field("hostRewriteHeader"));
    }
}

/// A regex and its replacement, which may name only groups that the regex has.
pub(super) fn regex_rewrite(
    v: &mut Validator<'_, '_>,
    pattern: &Pattern,
    substitution: &str,
    at: &Trail<'_>,
) {
    let (pattern_at, substitution_at) = (at.field("pattern"), at.field("substitution"));
    if pattern.regex.is_empty() {
        v.missing(&pattern_at.field("regex"), "the regex is missing", "write pattern: {regex: ...}");
        return;
    }
    match crate::regex::groups(&pattern.regex) {
        Err(error) => v.regex_error(&error, &pattern_at.field("regex")),
        Ok(groups) => {
            if let Err(error) = crate::regex::check_substitution(substitution, groups) {
                v.error(&substitution_at, error.to_string());
            }
        }
    }
    headers::value(v, substitution, &substitution_at);
}

fn retry_policy(v: &mut Validator<'_, '_>, retries: &Retries, at: &Trail<'_>) {
    for condition in retries.retry_on.split(',').map(str::trim).filter(|condition| !condition.is_empty()) {
        if RETRY_ON.contains(&condition) {
            continue;
        }
        let hint = match nearest(condition, RETRY_ON) {
            Some(known) => format!("did you mean {known:?}?"),
            None => format!("it is one of {}", RETRY_ON.join(", ")),
        };
        v.warning_hint(
            &at.field("retryOn"),
            format!("Envoy ignores the unknown condition {condition:?}"),
            hint,
        );
    }
    for (index, code) in retries.retriable_status_codes.iter().enumerate() {
        v.within(&at.field("retriableStatusCodes").index(index), Some(*code), 100, 599);
    }
    let Some(back_off) = &retries.retry_back_off else { return };
    let at = at.field("retryBackOff");
    match back_off.base_interval {
        None => v.missing(&at, "baseInterval is missing", "write baseInterval: 25ms"),
        Some(base) => {
            v.above_zero(&at.field("baseInterval"), Some(base));
            if back_off.max_interval.is_some_and(|most| most < base) {
                v.error(&at.field("maxInterval"), format!("must not be shorter than baseInterval, {base}"));
            }
        }
    }
    v.above_zero(&at.field("maxInterval"), back_off.max_interval);
}

fn cors(v: &mut Validator<'_, '_>, cors: &Cors, at: &Trail<'_>) {
    for (index, regex) in cors.allow_origin_regex.iter().enumerate() {
        v.regex(regex, &at.field("allowOriginRegex").index(index));
    }
    let lists = [
        ("allowMethods", &cors.allow_methods),
        ("allowHeaders", &cors.allow_headers),
        ("exposeHeaders", &cors.expose_headers),
    ];
    for (name, list) in lists {
        for (index, word) in list.iter().enumerate() {
            if !text::is_token(word.trim()) {
                v.error(
                    &at.field(name).index(index),
                    format!("{word:?} is no name that can stand in this header"),
                );
            }
        }
    }
    if let Some(age) = cors.max_age.as_deref().filter(|age| !is_age(age)) {
        v.error_hint(&at.field("maxAge"), format!("{age:?} is no number of seconds"), "write \"86400\"");
    }
}

/// Seconds, or a number with one of the units that Gloo's documentation uses.
fn is_age(age: &str) -> bool {
    let digits = age.strip_prefix('-').unwrap_or(age);
    let digits = digits.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or(digits);
    !digits.is_empty() && digits.len() <= 10 && digits.bytes().all(|b| b.is_ascii_digit())
}

fn hash_policies(v: &mut Validator<'_, '_>, hash: &LbHash, at: &Trail<'_>) {
    let at = at.field("hashPolicies");
    for (index, policy) in hash.hash_policies.iter().enumerate() {
        hash_policy(v, policy, &at.index(index));
    }
}

fn hash_policy(v: &mut Validator<'_, '_>, policy: &HashPolicy, at: &Trail<'_>) {
    let choices = [
        ("header", policy.header.is_some()),
        ("cookie", policy.cookie.is_some()),
        ("sourceIp", policy.source_ip.is_some()),
    ];
    v.exactly_one(at, "what to hash", &choices);
    if let Some(header) = &policy.header {
        headers::name(v, header, &at.field("header"));
    }
    if let Some(cookie) = &policy.cookie {
        let at = at.field("cookie");
        if cookie.name.is_empty() {
            v.missing(&at.field("name"), "the cookie has no name", "write name: ...");
        } else if !text::is_token(&cookie.name) {
            v.error(&at.field("name"), format!("{:?} is not a name that a cookie can have", cookie.name));
        }
        if cookie.path.as_deref().is_some_and(|path| path.contains([';', '\0', '\r', '\n'])) {
            v.error(&at.field("path"), "a character in it cannot stand in a cookie");
        }
    }
}

/// Envoy refuses two upgrades of one type; both forms of CONNECT are one type.
pub(super) fn upgrades(v: &mut Validator<'_, '_>, upgrades: &[Upgrade], at: &Trail<'_>) {
    let (mut websocket, mut connect) = (false, false);
    for (index, upgrade) in upgrades.iter().enumerate() {
        let at = at.index(index);
        let choices = [
            ("websocket", upgrade.websocket.is_some()),
            ("connect", upgrade.connect.is_some()),
            ("connectTerminate", upgrade.connect_terminate.is_some()),
        ];
        v.exactly_one(&at, "the protocol to upgrade to", &choices);
        let seen = if upgrade.websocket.is_some() { &mut websocket } else { &mut connect };
        if std::mem::replace(seen, true) {
            v.error_hint(&at, "Envoy refuses a second upgrade of the same type", "keep one of them");
        }
    }
}
