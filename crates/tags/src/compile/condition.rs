//! From a rule to a formula of conditions, with all negations pushed into them.

use ipnet::IpNet;

use super::header::{self, HeaderTest};
use super::host::HostTest;
use super::normal::Formula;
use super::path::{self, PathTest};
use super::{CompileError, query};
use crate::router::Rule;

/// A condition, and whether it has to hold or must not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Host(HostTest, bool),
    Path(PathTest, bool),
    Method(String, bool),
    Header(HeaderTest),
    Client(Vec<IpNet>, bool),
}

/// The formula of a rule or of its opposite.
pub(super) fn formula(rule: &Rule, negated: bool) -> Result<Formula<Condition>, CompileError> {
    let wanted = !negated;
    Ok(match rule {
        Rule::And(parts) => all(parts, negated, wanted)?,
        Rule::Or(parts) => all(parts, negated, negated)?,
        Rule::Not(inner) => formula(inner, wanted)?,
        Rule::Host(host) if host == "*" => decided(true, wanted),
        Rule::Host(host) => possible(HostTest::host(host), wanted, Condition::Host),
        Rule::HostSuffix(suffix) => Formula::Is(Condition::Host(HostTest::suffix(suffix), wanted)),
        Rule::HostRegexp(pattern) => {
            let test = HostTest::pattern(pattern).map_err(|why| part("HostRegexp", pattern, why))?;
            Formula::Is(Condition::Host(test, wanted))
        }
        Rule::Path(path) => possible(path::exact(path), wanted, Condition::Path),
        Rule::PathPrefix(path) => possible(path::prefix(path), wanted, Condition::Path),
        Rule::PathRegexp(pattern) => {
            let test = path::regex(pattern).map_err(|why| part("PathRegexp", pattern, why))?;
            Formula::Is(Condition::Path(test, wanted))
        }
        Rule::Method(method) => Formula::Is(Condition::Method(method.clone(), wanted)),
        Rule::Header { name, value } => of_header(name, header::equals(name, value), wanted),
        Rule::HeaderRegexp { name, pattern } => {
            let test = header::matches(name, pattern).map_err(|why| part("HeaderRegexp", pattern, why))?;
            of_header(name, test, wanted)
        }
        Rule::HeaderLine { name, pattern } => {
            biplane_core::regex::check(pattern)
                .map_err(|why| part("HeaderLine", pattern, why.to_string()))?;
            of_header(name, HeaderTest::regex(name, pattern.clone()), wanted)
        }
        Rule::Query { name, value } => always_there(query::equals(name, value.as_deref()), wanted),
        Rule::QueryRegexp { name, pattern } => {
            let test = query::matches(name, pattern).map_err(|why| part("QueryRegexp", pattern, why))?;
            always_there(test, wanted)
        }
        Rule::ClientIp(ranges) => Formula::Is(Condition::Client(ranges.clone(), wanted)),
    })
}

/// The parts joined; by De Morgan, `and` turns into `or` under a negation.
fn all(parts: &[Rule], negated: bool, conjunction: bool) -> Result<Formula<Condition>, CompileError> {
    let parts = parts.iter().map(|part| formula(part, negated)).collect::<Result<Vec<_>, _>>()?;
    Ok(if conjunction { Formula::And(parts) } else { Formula::Or(parts) })
}

fn decided(holds: bool, wanted: bool) -> Formula<Condition> {
    if holds == wanted { Formula::always() } else { Formula::never() }
}

/// A condition, or one that no request meets.
fn possible<T>(
    test: Option<T>,
    wanted: bool,
    condition: impl FnOnce(T, bool) -> Condition,
) -> Formula<Condition> {
    match test {
        Some(test) => Formula::Is(condition(test, wanted)),
        None => decided(false, wanted),
    }
}

/// A condition on a header that every request has.
fn always_there(test: HeaderTest, wanted: bool) -> Formula<Condition> {
    Formula::Is(Condition::Header(if wanted { test } else { test.inverted() }))
}

/// A condition on a header. Envoy's inverted matchers do not match where the header is missing.
fn of_header(name: &str, test: HeaderTest, wanted: bool) -> Formula<Condition> {
    // Go's servers take it out of the headers: a rule of Traefik's never sees it.
    if name.eq_ignore_ascii_case("host") {
        return decided(false, wanted);
    }
    if wanted || header::is_pseudo(name) {
        return always_there(test, wanted);
    }
    let absent = Formula::Is(Condition::Header(HeaderTest::absent(name)));
    Formula::Or(vec![absent, Formula::Is(Condition::Header(test.inverted()))])
}

fn part(matcher: &str, pattern: &str, why: String) -> CompileError {
    CompileError::Part { part: format!("{matcher}(`{pattern}`)"), why }
}
