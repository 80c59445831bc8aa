//! Middlewares that send clients elsewhere: answers before the route's own.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Draft, PathRewrite};
use crate::router::{Action, Before, Rule};
use crate::traefik::redirect_url;

#[expect(clippy::struct_field_names, reason = "Traefik's names")]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Scheme {
    scheme: String,
    port: String,
    permanent: bool,
}

#[expect(clippy::struct_field_names, reason = "Traefik's names")]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Regex {
    regex: String,
    replacement: String,
    permanent: bool,
}

pub(super) fn scheme(name: &str, options: &Scheme, draft: &mut Draft<'_>) {
    let port = match options.port.parse::<u16>() {
        _ if options.port.is_empty() => None,
        Ok(port) if port > 0 => Some(port).filter(|port| *port != 443),
        _ => return draft.break_off(format!("middleware {name}: {:?} is no port", options.port)),
    };
    match options.scheme.to_lowercase().as_str() {
        "" => draft.break_off(format!("middleware {name}: redirectScheme has no scheme")),
        "https" => redirect_plain(None, port, !options.permanent, draft),
        other => draft
            .warn(format!("middleware {name}: a redirect to {other} is left out; only https can be built")),
    }
}

/// `sslRedirect` of the `headers` middleware.
pub(super) fn to_https(temporary: bool, host: Option<&str>, draft: &mut Draft<'_>) {
    redirect_plain(host.filter(|host| !host.is_empty()), None, temporary, draft);
}

fn redirect_plain(host: Option<&str>, port: Option<u16>, temporary: bool, draft: &mut Draft<'_>) {
    let mut redirect = Map::new();
    redirect.insert("httpsRedirect".to_owned(), json!(true));
    if let Some(host) = host {
        redirect.insert("hostRedirect".to_owned(), json!(host));
    }
    if let Some(port) = port {
        redirect.insert("portRedirect".to_owned(), json!(port));
    }
    let plain = Rule::Header { name: ":scheme".to_owned(), value: "http".to_owned() };
    push(&plain, &redirect, temporary, draft);
}

/// Requests by GET get 301 or 302, the others 308 or 307: so their method stays.
fn push(when: &Rule, redirect: &Map<String, Value>, temporary: bool, draft: &mut Draft<'_>) {
    let with = |code: &str| {
        let mut redirect = redirect.clone();
        redirect.insert("responseCode".to_owned(), json!(code));
        Action::Redirect(redirect)
    };
    let (get, other) =
        if temporary { ("FOUND", "TEMPORARY_REDIRECT") } else { ("MOVED_PERMANENTLY", "PERMANENT_REDIRECT") };
    let by_get = Rule::And(vec![when.clone(), Rule::Method("GET".to_owned())]);
    draft.before.push(Before { when: by_get, action: with(get) });
    draft.before.push(Before { when: when.clone(), action: with(other) });
}

pub(super) fn regex(name: &str, options: &Regex, draft: &mut Draft<'_>) {
    let hint = "write a VirtualService with a redirectAction for this host";
    if draft.path != PathRewrite::Unchanged {
        let why = format!("middleware {name}: redirectRegex behind a change of the path cannot be built");
        return draft.close(503, why, Some(hint));
    }
    let mut hosts = BTreeSet::new();
    exact_hosts(draft.rule, &mut hosts);
    match redirect_url::build(&options.regex, &options.replacement, &hosts) {
        Ok(redirects) => {
            for redirect in redirects {
                push(&redirect.when, &redirect.action, !options.permanent, draft);
            }
        }
        Err(why) => {
            let why = format!("middleware {name}: redirectRegex cannot be built: {why}");
            draft.close(503, why, Some(hint));
        }
    }
}

/// The hosts that a rule names, one by one.
fn exact_hosts(rule: &Rule, hosts: &mut BTreeSet<String>) {
    match rule {
        Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|rule| exact_hosts(rule, hosts)),
        Rule::Host(host) if !host.starts_with('*') => {
            hosts.insert(host.clone());
        }
        _ => {}
    }
}
