//! What checks and deployments make of an instance.

use std::collections::BTreeMap;

use super::*;
use crate::api::Registration;

fn registration(owner: &str) -> Registration {
    let json = format!(
        r#"{{"ID":"_nomad-task-a1-{owner}-web-http","ServiceName":"web","JobID":"j","AllocID":"a1","Port":1}}"#
    );
    serde_json::from_str(&json).expect("a registration")
}

/// `desired`, `client`, the states of tasks, the deployment's verdict.
fn allocation(desired: &str, client: &str, tasks: &[(&str, &str)], verdict: Option<bool>) -> Allocation {
    let states: BTreeMap<_, _> =
        tasks.iter().map(|(name, state)| (*name, serde_json::json!({ "State": state }))).collect();
    let json = serde_json::json!({
        "ID": "a1", "JobID": "j", "TaskGroup": "group", "DesiredStatus": desired, "ClientStatus": client,
        "TaskStates": states, "DeploymentStatus": { "Healthy": verdict, "Canary": false },
    });
    serde_json::from_value(json).expect("an allocation")
}

fn results(statuses: &[&str]) -> Vec<CheckResult> {
    let result = |status: &&str| CheckResult {
        status: (*status).to_owned(),
        service: "web".into(),
        task: String::new(),
        timestamp: 1000,
    };
    statuses.iter().map(result).collect()
}

const RUNNING: &[(&str, &str)] = &[("main", "running")];

#[test]
fn what_is_to_stop_drains_while_it_runs_and_is_sick_after() {
    let spec = Spec::with(&[("web", true)], &["main"]);
    let checks = results(&["success"]);
    for (desired, client, expected) in [
        ("stop", "running", Health::Draining),
        ("evict", "running", Health::Draining),
        ("stop", "complete", Health::Unhealthy),
        ("run", "pending", Health::Unhealthy),
        ("run", "lost", Health::Unhealthy),
        ("run", "unknown", Health::Unhealthy),
        ("run", "running", Health::Healthy),
    ] {
        let allocation = allocation(desired, client, RUNNING, None);
        let checks = Checks::Known(&checks);
        let health = judge(&registration("group-group"), Some(&allocation), Some(&spec), checks, None);
        assert_eq!(health, expected, "{desired} {client}");
    }
    let orphan = judge(&registration("group-group"), None, None, Checks::Unknown, Some(Health::Healthy));
    assert_eq!(orphan, Health::Unhealthy);
}

#[test]
fn checks_go_before_the_deployment_and_that_before_nothing() {
    let spec = Spec::with(&[("web", true)], &["main"]);
    for (statuses, verdict, before, expected) in [
        (Some(&["success", "success"][..]), None, None, Health::Healthy),
        (Some(&["success", "failure"]), Some(true), Some(Health::Healthy), Health::Unhealthy),
        (Some(&["success"]), Some(false), None, Health::Healthy),
        (Some(&["pending", "success"]), None, None, Health::Unhealthy),
        (Some(&["pending"]), None, Some(Health::Healthy), Health::Healthy),
        (Some(&["pending"]), Some(true), None, Health::Healthy),
        (Some(&[]), None, None, Health::Unhealthy),
        (None, Some(true), None, Health::Healthy),
        (None, Some(false), None, Health::Unhealthy),
        (None, None, None, Health::Unhealthy),
        (None, Some(true), Some(Health::Unhealthy), Health::Unhealthy),
    ] {
        let results = statuses.map(results);
        let checks = results.as_deref().map_or(Checks::Unknown, Checks::Known);
        let allocation = allocation("run", "running", RUNNING, verdict);
        let health = judge(&registration("group-group"), Some(&allocation), Some(&spec), checks, before);
        assert_eq!(health, expected, "{statuses:?} {verdict:?} {before:?}");
    }
    let system = Spec { is_deployed: false, ..spec };
    let allocation = allocation("run", "running", RUNNING, None);
    let health = judge(&registration("group-group"), Some(&allocation), Some(&system), Checks::Unknown, None);
    assert_eq!(health, Health::Unknown, "nobody will ever judge it");
}

#[test]
fn without_checks_it_is_well_when_its_tasks_run_unless_its_deployment_has_found_otherwise() {
    let spec = Spec::with(&[("web", false)], &["main", "log"]);
    let both = |main, log| vec![("main", main), ("log", log), ("clean", "pending")];
    for (owner, tasks, verdict, expected) in [
        ("group-group", both("running", "running"), None, Health::Healthy),
        ("group-group", both("running", "running"), Some(false), Health::Unhealthy),
        ("group-group", both("running", "pending"), None, Health::Unhealthy),
        ("main", both("running", "pending"), None, Health::Healthy),
        ("log", both("running", "pending"), None, Health::Unhealthy),
        ("group-group", both("running", "dead"), None, Health::Healthy),
    ] {
        let allocation = allocation("run", "running", &tasks, verdict);
        let health = judge(&registration(owner), Some(&allocation), Some(&spec), Checks::Known(&[]), None);
        assert_eq!(health, expected, "{owner} {tasks:?} {verdict:?}");
    }
}

#[test]
fn a_check_that_passed_before_its_task_was_restarted_does_not_count() {
    let spec = Spec::with(&[("web", true)], &["main"]);
    let two = Spec::with(&[("web", true)], &["main", "log"]);
    let passed = results(&["success"]);
    for (last_restart, spec, expected) in [
        ("0001-01-01T00:00:00Z", &spec, Health::Healthy),
        ("1970-01-01T00:16:39.9Z", &spec, Health::Healthy),
        ("1970-01-01T00:16:40.1Z", &spec, Health::Unhealthy),
        ("1970-01-01T00:20:00Z", &spec, Health::Unhealthy),
        ("1970-01-01T00:20:00Z", &two, Health::Healthy),
    ] {
        let mut allocation = allocation("run", "running", RUNNING, Some(true));
        let json = serde_json::json!({ "State": "running", "LastRestart": last_restart });
        allocation.task_states.insert("main".into(), serde_json::from_value(json).expect("a state"));
        let checks = Checks::Known(&passed);
        let before = Some(Health::Healthy);
        let health = judge(&registration("group-group"), Some(&allocation), Some(spec), checks, before);
        assert_eq!(health, expected, "{last_restart} {spec:?}");
    }
}

#[test]
fn a_task_that_accompanies_others_takes_no_checked_service_down() {
    let spec = Spec::with(&[("web", true)], &["main", "other"]);
    let tasks = [("main", "running"), ("other", "pending"), ("sidecar", "pending")];
    let allocation = allocation("run", "running", &tasks, None);
    let health = |statuses: &[&str]| {
        let results = results(statuses);
        judge(&registration("group-group"), Some(&allocation), Some(&spec), Checks::Known(&results), None)
    };
    assert_eq!(health(&["success"]), Health::Healthy);
    assert_eq!(health(&["failure"]), Health::Unhealthy);
}

#[test]
fn a_service_whose_name_is_a_pattern_in_its_job_is_judged_by_the_results() {
    let spec = Spec::with(&[("${NOMAD_JOB_NAME}", true)], &["main"]);
    let allocation = allocation("run", "running", RUNNING, None);
    let health = |checks: &[CheckResult]| {
        judge(&registration("group-group"), Some(&allocation), Some(&spec), Checks::Known(checks), None)
    };
    assert_eq!(health(&results(&["failure"])), Health::Unhealthy);
    assert_eq!(health(&results(&["success"])), Health::Healthy);
    assert_eq!(health(&[]), Health::Healthy, "none of the checks is its own");
}

#[test]
fn a_port_has_the_label_that_it_was_registered_under() {
    assert_eq!(port_label(&registration("group-group")), "http");
    let dashed = Registration { id: "_nomad-task-a1-task-a-web-my-port".into(), ..registration("x") };
    assert_eq!(port_label(&dashed), "my-port");
    let bare = Registration { id: "_nomad-task-a1-task-web-".into(), ..registration("x") };
    assert_eq!(port_label(&bare), "");
}
