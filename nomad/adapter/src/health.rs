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
    if !allocation.runs() || !tasks_run(registration, allocation, spec) {
        return Health::Unhealthy;
    }
    match outcome(&registration.service_name, spec, checks) {
        Outcome::Fail => Health::Unhealthy,
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

fn outcome(service: &str, spec: Option<&Spec>, checks: Checks<'_>) -> Outcome {
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
            (all, "success") => all,
            _ => Outcome::Pending,
        }),
    }
}

/// Whether what the service stands for is running: its task, or all of its group that serve.
fn tasks_run(registration: &Registration, allocation: &Allocation, spec: Option<&Spec>) -> bool {
    if let Some(task) = own_task(registration, allocation) {
        return allocation.task_states.get(task).is_some_and(|state| state.state == "running");
    }
    let serves = |name: &str| spec.is_none_or(|spec| spec.tasks.contains(name));
    allocation.task_states.iter().filter(|(name, _)| serves(name)).all(|(_, state)| {
        match state.state.as_str() {
            "running" => true,
            // A task that has done its work is no fault; one that has not begun holds the others up.
            "dead" => !state.failed,
            _ => spec.is_none(),
        }
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
