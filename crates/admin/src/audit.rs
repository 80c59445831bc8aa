//! A line in the log for each change and each attempt at one: who, what, from which revision to which, and how it
//! ended. Target `audit`. Names and numbers only: no message and no value out of a document.

use biplane_admin_api::resources::{Accepted, Action, ApplyResult, ChangeResult, Name};
use biplane_admin_api::{Problem, ProblemKind};
use biplane_core::key::ObjectKey;
use tracing::info;

/// What became of a change of resources; of a dry run nothing is said.
pub(crate) fn applied(who: &str, what: &str, dry_run: bool, result: &Result<ApplyResult, Problem>) {
    match result {
        _ if dry_run => {}
        Err(problem) => failed(who, what, problem),
        Ok(result) => {
            for change in &result.changes {
                changed(who, change, result.revision);
            }
            if result.changes.is_empty() {
                info!(target: "audit", who, what, after = result.revision, outcome = "nothing to do");
            }
        }
    }
}

/// Removals that were held back were carried out, or not.
pub(crate) fn accepted(who: &str, source: &str, result: &Result<Accepted, Problem>) {
    let what = format!("accept {source:?}");
    match result {
        Ok(accepted) => {
            info!(target: "audit", who, what, removals = accepted.removals, outcome = "done");
        }
        Err(problem) => failed(who, &what, problem),
    }
}

/// A source of secrets was told to read again, or not.
pub(crate) fn refreshed(who: &str, source: &str, result: &Result<(), Problem>) {
    let what = format!("refresh {source:?}");
    match result {
        Ok(()) => info!(target: "audit", who, what, outcome = "done"),
        Err(problem) => failed(who, &what, problem),
    }
}

/// A store was marked, or not.
pub(crate) fn initialized(who: &str, result: &Result<String, Problem>) {
    match result {
        Ok(identity) => info!(target: "audit", who, what = "init", identity, outcome = "done"),
        Err(problem) => failed(who, "init", problem),
    }
}

/// Somebody asked for what it may not do.
pub(crate) fn denied(who: &str, what: &str, problem: &Problem) {
    failed(who, what, problem);
}

fn changed(who: &str, change: &ChangeResult, revision: u64) {
    let outcome = match change.action {
        Action::Unchanged => return,
        Action::Created => "created",
        Action::Changed => "changed",
        Action::Deleted => "deleted",
        Action::Pruned => "pruned",
    };
    let what = object(&change.key);
    info!(target: "audit", who, what, before = change.before, after = revision, outcome);
}

fn failed(who: &str, what: &str, problem: &Problem) {
    let object = problem.object.as_ref().map(object);
    info!(target: "audit", who, what, object, found = problem.found, outcome = outcome(problem.kind));
}

/// A name that a caller made up may hold anything.
fn object(name: &Name) -> String {
    ObjectKey::from(name).to_string().chars().filter(|c| !c.is_control()).collect()
}

const fn outcome(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::BadRequest | ProblemKind::TooLarge => "bad request",
        ProblemKind::Unauthenticated => "unauthenticated",
        ProblemKind::Forbidden => "forbidden",
        ProblemKind::NotFound => "not found",
        ProblemKind::ReadOnly => "read only",
        ProblemKind::Conflict => "conflict",
        ProblemKind::Invalid => "invalid",
        ProblemKind::Unavailable => "unavailable",
        ProblemKind::Internal => "internal",
    }
}
