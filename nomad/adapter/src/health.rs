//! Whether an instance should get requests. Pure.
//!
//! Nomad's catalog knows nothing of health: an instance is in it from before its tasks have started until after they were
//! told to stop. What is known is put together from the allocation, its tasks, its deployment and its node's checks:
//!
//! ```text
//!  to stop, and still running ────────────────▶ Draining
//!  not running, or a task is not ─────────────▶ Unhealthy
//!  checks: one fails ─────────────────────────▶ Unhealthy        what is known now goes before
//!          all pass ──────────────────────────▶ Healthy          what a deployment has found once
//!  checks not known: the deployment's verdict ▶ Healthy, Unhealthy; none yet: Unhealthy; none ever: Unknown
//!  no checks: the tasks run ──────────────────▶ Healthy, unless the deployment has found otherwise
//! ```
//!
//! A check that has passed before its task was restarted says nothing of the task as it is now.

use biplane_source::Health;

use crate::api::{Allocation, CheckResult, Registration, Spec};

/// What is known of the checks of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks<'a> {
    /// Its node cannot be asked.
    Unknown,
    /// The last result of each.
    Known(&'a [CheckResult]),
}

/// What all checks of one service come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There are none.
    None,
    Pass,
    Fail,
    /// One of them has not run yet.
    Pending,
    /// One of them has not run since the task was restarted.
    Stale,
    Unknown,
}

/// The health of an instance. `before` is what its checks came to when they were last known: a node that restarts runs
/// them again, and says nothing meanwhile.
pub(crate) fn judge(
    registration: &Registration,
    allocation: Option<&Allocation>,
    spec: Option<&Spec>,
    checks: Checks<'_>,
    before: Option<Health>,
) -> Health {
    // A registration whose allocation is forgotten was left behind by its node.
    let Some(allocation) = allocation else { return Health::Unhealthy };
    if !allocation.is_wanted() {
        return if allocation.runs() { Health::Draining } else { Health::Unhealthy };
    }
    let outcome = outcome(&registration.service_name, allocation, spec, checks);
    if !allocation.runs() || !tasks_run(registration, allocation, spec, outcome) {
        return Health::Unhealthy;
    }
    match outcome {
        Outcome::Fail | Outcome::Stale => Health::Unhealthy,
        Outcome::None if allocation.verdict() == Some(false) => Health::Unhealthy,
        Outcome::Pass | Outcome::None => Health::Healthy,
        Outcome::Pending | Outcome::Unknown => assumed(allocation, spec, before),
    }
}

/// Without word of its checks.
fn assumed(allocation: &Allocation, spec: Option<&Spec>, before: Option<Health>) -> Health {
    match (before, allocation.verdict()) {
        (Some(before @ (Health::Healthy | Health::Unhealthy)), _) => before,
        (_, Some(true)) => Health::Healthy,
        (_, Some(false)) => Health::Unhealthy,
        // A deployment will judge it, and has not yet.
        (_, None) if spec.is_some_and(|spec| spec.is_deployed) => Health::Unhealthy,
        (_, None) => Health::Unknown,
    }
}

fn outcome(service: &str, allocation: &Allocation, spec: Option<&Spec>, checks: Checks<'_>) -> Outcome {
    let is_checked = spec.and_then(|spec| spec.is_checked(service));
    if is_checked == Some(false) {
        return Outcome::None;
    }
    let Checks::Known(results) = checks else {
        return if spec.is_some_and(|spec| !spec.has_checks()) { Outcome::None } else { Outcome::Unknown };
    };
    let mut of_service = results.iter().filter(|result| result.service == service).peekable();
    match of_service.peek() {
        // Its node has not begun.
        None if is_checked == Some(true) => Outcome::Pending,
        None => Outcome::None,
        Some(_) => of_service.fold(Outcome::Pass, |all, result| match (all, result.status.as_str()) {
            (Outcome::Fail, _) | (_, "failure") => Outcome::Fail,
            (_, "success") if is_stale(result, allocation, spec) => Outcome::Stale,
            (all, "success") => all,
            (Outcome::Stale, _) => Outcome::Stale,
            _ => Outcome::Pending,
        }),
    }
}

/// Whether a check ran before its task was restarted, as far as it is known whose it is.
pub(crate) fn is_stale(result: &CheckResult, allocation: &Allocation, spec: Option<&Spec>) -> bool {
    let task = if result.task.is_empty() { only_task(spec) } else { Some(result.task.as_str()) };
    let state = task.and_then(|task| allocation.task_states.get(task));
    state.is_some_and(|state| state.last_restart >= result.timestamp)
}

/// The main task of a group that has but one: its services can only be that one's.
fn only_task(spec: Option<&Spec>) -> Option<&str> {
    let mut tasks = spec?.tasks.iter();
    tasks.next().filter(|_| tasks.next().is_none()).map(String::as_str)
}

/// Whether what the service stands for is running: its task; where that is not known, all main tasks of its group, or
/// any of them if its checks tell the rest.
fn tasks_run(
    registration: &Registration,
    allocation: &Allocation,
    spec: Option<&Spec>,
    outcome: Outcome,
) -> bool {
    let own = own_task(registration, allocation).or_else(|| only_task(spec));
    if let Some(state) = own.and_then(|task| allocation.task_states.get(task)) {
        return state.state == "running";
    }
    let is_main = |name: &str| spec.is_none_or(|spec| spec.tasks.is_empty() || spec.tasks.contains(name));
    let mut main = allocation.task_states.iter().filter(|(name, _)| is_main(name)).map(|(_, state)| state);
    if outcome == Outcome::Pass || spec.is_none() {
        return main.any(|state| state.state == "running");
    }
    main.all(|state| match state.state.as_str() {
        "running" => true,
        // A task that has done its work is no fault; one that has not begun holds the others up.
        "dead" => !state.failed,
        _ => false,
    })
}

/// The task of a service that belongs to one: registrations are named after it, or after the group.
fn own_task<'a>(registration: &Registration, allocation: &'a Allocation) -> Option<&'a str> {
    let rest =
        registration.id.strip_prefix("_nomad-task-")?.strip_prefix(&*allocation.id)?.strip_prefix('-')?;
    let is_owner = |owner: &str| {
        rest.strip_prefix(owner)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_prefix(&*registration.service_name))
            .is_some_and(|rest| rest.starts_with('-'))
    };
    if is_owner(&format!("group-{}", allocation.task_group)) {
        return None;
    }
    allocation.task_states.keys().map(String::as_str).find(|task| is_owner(task))
}

/// The label of the port that was registered.
pub(crate) fn port_label(registration: &Registration) -> &str {
    let Registration { id, allocation, service_name, .. } = registration;
    let rest = id.strip_prefix("_nomad-task-").and_then(|rest| rest.strip_prefix(allocation.as_str()));
    let needle = format!("-{service_name}-");
    rest.and_then(|rest| rest.rfind(&needle).map(|at| &rest[at + needle.len()..])).unwrap_or_default()
}

#[cfg(test)]
mod tests;
