//! How requests of a route are treated. An option that cannot be read is reported and left out.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Written};
use super::matching::absolute;
use super::{cors, headers, scalar};

/// What is tried again unless a tag says otherwise: nothing that an upstream may have acted on.
const RETRY_ON: &str = "connect-failure,refused-stream";

/// The fields of core's `RouteOptions`.
pub(super) fn read(draft: &Draft<'_>, fault: &mut dyn FnMut(String, &str)) -> Map<String, Value> {
    let mut options = Map::new();
    for name in ["timeout", "idleTimeout"] {
        value(draft, name, fault, |written| scalar::span(&written.value).map(|span| json!(span)))
            .map(|value| options.insert(name.to_owned(), value));
    }
    value(draft, "hostRewrite", fault, |written| Ok(json!(written.value)))
        .map(|value| options.insert("hostRewrite".to_owned(), value));
    if value(draft, "websocket", fault, |written| scalar::flag(&written.value)) == Some(true) {
        options.insert("upgrades".to_owned(), json!([{ "websocket": {} }]));
    }
    value(draft, "sticky", fault, cookie).map(|value| options.insert("lbHash".to_owned(), value));
    rewrite(draft, fault, &mut options);
    retries(draft, fault).map(|value| options.insert("retries".to_owned(), value));
    headers::manipulation(draft, fault).map(|value| options.insert("headerManipulation".to_owned(), value));
    cors::policy(draft, fault).map(|value| options.insert("cors".to_owned(), value));
    options
}

/// The value of an option, unless it is missing or cannot be read.
fn value<T>(
    draft: &Draft<'_>,
    name: &str,
    fault: &mut dyn FnMut(String, &str),
    read: impl FnOnce(&Written) -> Result<T, String>,
) -> Option<T> {
    let written = draft.get(name)?;
    read(written).map_err(|why| fault(why, &written.tag)).ok()
}

/// A session cookie that Envoy makes, and hashes.
fn cookie(written: &Written) -> Result<Value, String> {
    if written.value.is_empty()
        || !written.value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        return Err(format!("{:?} is no name of a cookie", written.value));
    }
    let cookie = json!({ "name": written.value, "ttl": "0s", "path": "/" });
    Ok(json!({ "hashPolicies": [{ "cookie": cookie }] }))
}

fn retries(draft: &Draft<'_>, fault: &mut dyn FnMut(String, &str)) -> Option<Value> {
    let count: Option<u32> = value(draft, "retries", fault, |written| scalar::whole(&written.value));
    let retry_on = value(draft, "retries.retryOn", fault, |written| Ok(written.value.clone()));
    let per_try = value(draft, "retries.perTryTimeout", fault, |written| {
        scalar::span(&written.value).map(str::to_owned)
    });
    if count.is_none() && retry_on.is_none() && per_try.is_none() || count == Some(0) {
        return None;
    }
    let mut retries = json!({ "retryOn": retry_on.unwrap_or_else(|| RETRY_ON.to_owned()) });
    if let Some(count) = count {
        retries["numRetries"] = json!(count);
    }
    if let Some(span) = per_try {
        retries["perTryTimeout"] = json!(span);
    }
    Some(retries)
}

/// What the upstream sees of the path. Both forms look at the start of the path, so that they hold for every path
/// that the route matches.
fn rewrite(draft: &Draft<'_>, fault: &mut dyn FnMut(String, &str), options: &mut Map<String, Value>) {
    let strip =
        value(draft, "stripPrefix", fault, |written| stripped(draft, &written.value)).unwrap_or_default();
    let replace = value(draft, "prefixRewrite", fault, |written| {
        let matched = matched(draft);
        if matched.is_empty() {
            return Err(
                "prefixRewrite replaces what path, prefix or exact match, and there is none".to_owned()
            );
        }
        absolute(&written.value).map(|path| (matched, path))
    });
    let rewrite = match replace {
        Some((matched, path)) => replaced(&matched, &path),
        None if !strip.is_empty() => without(&strip),
        None => return,
    };
    options.insert("regexRewrite".to_owned(), rewrite);
}

/// `true`: what path and prefix match; otherwise the prefixes themselves.
fn stripped(draft: &Draft<'_>, value: &str) -> Result<Vec<String>, String> {
    match scalar::flag(value) {
        Ok(false) => Ok(Vec::new()),
        Ok(true) => {
            let matched = matched(draft);
            if matched.is_empty() {
                Err("there is no path and no prefix to strip".to_owned())
            } else {
                Ok(matched)
            }
        }
        Err(_) => scalar::list(value)?.into_iter().map(absolute).collect(),
    }
}

/// The paths that the route matches by their start or as a whole.
fn matched(draft: &Draft<'_>) -> Vec<String> {
    let written = ["path", "prefix", "exact"].into_iter().filter_map(|name| draft.get(name));
    let paths = written.filter_map(|written| scalar::list(&written.value).ok()).flatten();
    paths.map(|path| path.trim_end_matches('/').to_owned()).collect()
}

/// `/api/users` to `/users`, `/api` to `/`.
fn without(prefixes: &[String]) -> Value {
    json!({ "pattern": { "regex": format!("^(?:{})/*", alternatives(prefixes)) }, "substitution": "/" })
}

/// `/api/users` to `/v2/users`, `/api` to `/v2`.
fn replaced(prefixes: &[String], path: &str) -> Value {
    let path = path.trim_end_matches('/').replace('\\', r"\\");
    if path.is_empty() {
        return without(prefixes);
    }
    json!({ "pattern": { "regex": format!("^(?:{})", alternatives(prefixes)) }, "substitution": path })
}

/// The longest first: a regex takes the first alternative that matches.
fn alternatives(prefixes: &[String]) -> String {
    let mut prefixes: Vec<_> =
        prefixes.iter().map(|prefix| regex_syntax::escape(prefix.trim_end_matches('/'))).collect();
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
    prefixes.join("|")
}
