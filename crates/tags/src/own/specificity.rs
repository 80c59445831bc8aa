//! How important a route is that tells no priority: the longer path first, an exact one before others, then by the
//! number of further conditions, then by how narrow the host is.

use crate::router::{Priority, Rule};

/// What one step of a written priority weighs: more than any rule.
const WRITTEN: i64 = 1_000_000_000;
const PATH: i64 = 10_000;
const EXACT: i64 = 5_000;
const CONDITION: i64 = 10;

/// The priority of a rule, and what was written on top.
pub(super) fn priority(rule: &Rule, written: i32) -> Priority {
    Priority(i64::from(written) * WRITTEN + of(rule).min(WRITTEN / 2))
}

fn of(rule: &Rule) -> i64 {
    match rule {
        Rule::And(parts) => parts.iter().map(of).sum(),
        Rule::Or(parts) => {
            let most = parts.iter().map(of).max().unwrap_or_default();
            // `path=/api` is `/api` or what is below it: no more exact than `prefix=/api`.
            let has_prefix = parts.iter().any(|part| matches!(part, Rule::PathPrefix(_)));
            if has_prefix { most / PATH * PATH } else { most }
        }
        Rule::Path(path) => length(path) * PATH + EXACT,
        // `/api/` of `path=/api` must not outrank `/api` of another route for its slash.
        Rule::PathPrefix(path) => length(path.trim_end_matches('/')) * PATH,
        Rule::PathRegexp(pattern) => length(pattern) * PATH,
        Rule::Host(host) if host == "*" => 0,
        Rule::Host(host) if !host.starts_with('*') => 3,
        Rule::Host(_) | Rule::HostSuffix(_) => 2,
        Rule::HostRegexp(_) => 1,
        Rule::Not(_)
        | Rule::Method(_)
        | Rule::Header { .. }
        | Rule::HeaderRegexp { .. }
        | Rule::HeaderLine { .. }
        | Rule::Query { .. }
        | Rule::QueryRegexp { .. }
        | Rule::ClientIp(_) => CONDITION,
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX / PATH).min(20_000)
}
