//! From a rule to what Envoy can ask of a request.
//!
//! ```text
//! rule ─▶ formula of conditions ─▶ disjuncts ─▶ branches: tests of the host + one core matcher
//!         negations at the leaves               the table decides the tests for each domain
//! ```
//! A branch matches exactly the requests that its disjunct does. What cannot be said so is an error: never a wider
//! or a narrower match in silence.

mod client;
mod condition;
mod header;
mod host;
mod matcher;
mod normal;
mod path;
mod pattern;
mod query;
pub(crate) mod spelling;

pub(crate) use host::{Domain, Verdict};
pub(crate) use matcher::Matcher;

use condition::Condition;
use host::HostTest;

use crate::router::Rule;

/// The most branches that a rule may have. Each is a route of Envoy's on every domain that it can match.
const MAX_BRANCHES: usize = 128;

/// Why a rule cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    /// It has too many alternatives.
    #[error("the rule has more than {MAX_BRANCHES} alternatives when it is multiplied out")]
    TooMany,
    /// A part of it cannot be said to Envoy.
    #[error("{part}: {why}")]
    Part {
        /// The part, as a rule spells it.
        part: String,
        /// Why.
        why: String,
    },
}

/// One disjunct of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Branch {
    hosts: Vec<(HostTest, bool)>,
    matcher: Matcher,
}

/// The branches of a rule. None: it matches nothing.
pub(crate) fn compile(rule: &Rule) -> Result<Vec<Branch>, CompileError> {
    let formula = condition::formula(rule, false)?;
    let disjuncts = formula.disjuncts(MAX_BRANCHES).ok_or(CompileError::TooMany)?;
    Ok(disjuncts.into_iter().filter_map(branch).collect())
}

/// `None`: the conditions contradict each other.
fn branch(conditions: Vec<Condition>) -> Option<Branch> {
    let mut hosts = Vec::new();
    let mut matcher = matcher::Builder::default();
    for condition in conditions {
        match condition {
            Condition::Host(test, wanted) => hosts.push((test, wanted)),
            other => matcher.add(other)?,
        }
    }
    let branch = Branch { hosts, matcher: matcher.build()? };
    branch.is_possible().then_some(branch)
}

impl Branch {
    /// The domain that all its hosts are in, as narrow as can be told. It claims that one.
    pub(crate) fn claim(&self) -> Domain {
        self.bounds().max_by_key(Domain::narrowness).unwrap_or(Domain::Any)
    }

    /// What it asks on a domain, once the host is known to be in it; `None`: nothing in it can match.
    pub(crate) fn on(&self, domain: &Domain) -> Option<Matcher> {
        let mut matcher = self.matcher.clone();
        for (test, wanted) in &self.hosts {
            match test.on(domain, *wanted) {
                Verdict::Never => return None,
                Verdict::Always => {}
                Verdict::Ask(header) => matcher.ask(header),
            }
        }
        Some(matcher)
    }

    fn bounds(&self) -> impl Iterator<Item = Domain> {
        self.hosts.iter().filter(|(_, wanted)| *wanted).map(|(test, _)| test.bound())
    }

    /// Whether some host is in all that bound it, and is not excluded as a whole.
    fn is_possible(&self) -> bool {
        let claim = self.claim();
        self.bounds().all(|bound| bound.contains(&claim)) && self.on(&claim).is_some()
    }
}

#[cfg(test)]
mod tests;
