//! `retry`: tries that no answer came for.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Draft;
use crate::traefik::scalar;

#[expect(clippy::struct_field_names, reason = "Traefik's names")]
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Retry {
    attempts: i64,
    timeout: String,
    initial_interval: String,
    status: Vec<String>,
    disable_retry_on_network_error: bool,
    retry_non_idempotent_method: bool,
}

pub(super) fn apply(name: &str, options: &Retry, draft: &mut Draft<'_>) {
    let Some(tries) = u32::try_from(options.attempts - 1).ok().filter(|_| options.attempts > 0) else {
        return draft.warn(format!("middleware {name}: retry is left out, its attempts are not 1 or more"));
    };
    let Some(codes) = codes(&options.status) else {
        return draft.warn(format!(
            "middleware {name}: retry is left out, its status is no list such as 502,503-504"
        ));
    };
    if !options.timeout.is_empty() {
        draft.warn(format!("middleware {name}: the timeout of retry is left out"));
    }
    if tries == 0 {
        return;
    }
    // Conditions under which nothing has reached the service, so that every method may be tried again.
    let mut on = Vec::new();
    if !options.disable_retry_on_network_error {
        on.extend(["connect-failure", "refused-stream", "reset-before-request"]);
    }
    if !codes.is_empty() {
        on.push("retriable-status-codes");
        draft.retries_spare_unsafe_methods = !options.retry_non_idempotent_method;
    }
    if on.is_empty() {
        return;
    }
    let mut retries = Map::new();
    retries.insert("retryOn".to_owned(), json!(on.join(",")));
    retries.insert("numRetries".to_owned(), json!(tries));
    if !codes.is_empty() {
        retries.insert("retriableStatusCodes".to_owned(), json!(codes));
    }
    if let Ok(interval) = scalar::span(&options.initial_interval)
        && interval >= 1_000_000
    {
        // Traefik waits twice the first interval at most.
        let waits = json!({"baseInterval": seconds(interval), "maxInterval": seconds(2 * interval)});
        retries.insert("retryBackOff".to_owned(), waits);
    }
    draft.options.insert("retries".to_owned(), Value::Object(retries));
}

fn seconds(nanos: i64) -> String {
    let duration = std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
    biplane_core::scalars::Duration(duration).to_string()
}

/// The codes of `502,503-504`; `None`: malformed.
fn codes(ranges: &[String]) -> Option<BTreeSet<u16>> {
    let mut codes = BTreeSet::new();
    for range in ranges {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first < 100 || last > 599 || first > last {
            return None;
        }
        codes.extend(first..=last);
    }
    Some(codes)
}
