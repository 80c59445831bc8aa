//! The testkit's Nomad: what every test of the Nomad source relies on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::http::Method;
use biplane_testkit::nomad::{Check, Job};
use biplane_testkit::{Authority, Nomad, Request, TempDir, eventually};

const PATIENCE: Duration = Duration::from_mins(1);

async fn instances(nomad: &Nomad, job: &Job, count: usize) -> BTreeSet<SocketAddr> {
    eventually("instances", PATIENCE, async || {
        let found = nomad.instances(&job.namespace, &job.service).await?;
        ensure!(found.len() == count, "{found:?}");
        for at in found.keys() {
            let answer = Request::get("localhost", "/health").send_to(*at).await?;
            ensure!(answer.status == 200, "{}", answer.status);
        }
        Ok(found.into_keys().collect())
    })
    .await
}

/// Whether any process works below the folder.
fn is_worked_in(folder: &Path) -> bool {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let cwds = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok());
    cwds.into_iter().any(|cwd| cwd.starts_with(folder))
}

#[tokio::test]
async fn an_instance_is_registered_and_its_check_follows_what_a_test_wants() {
    let directory = TempDir::new("nomad");
    let nomad = Nomad::start(&directory).await;
    nomad.namespace("team").await.expect("made");
    let job = Job { namespace: "team".into(), count: 2, ..Job::new("web") };
    nomad.run(&job).await.expect("run");
    let places = instances(&nomad, &job, 2).await;
    let sick = *places.first().expect("two");
    let allocation = nomad.instances("team", "web").await.expect("listed")[&sick].clone();
    let status = async || {
        let path = format!("/v1/client/allocation/{allocation}/checks?namespace=team");
        let checks = nomad.json(&path).await?;
        let checks: Vec<_> = checks.as_object().into_iter().flat_map(|all| all.values()).collect();
        ensure!(checks.len() == 1, "{checks:?}");
        Ok(checks[0]["Status"].as_str().unwrap_or_default().to_owned())
    };
    for (well, expected) in [(false, "failure"), (true, "success")] {
        nomad.set_well(sick, well).expect("changed");
        eventually("the check", PATIENCE, async || {
            let status = status().await?;
            ensure!(status == expected, "{status}");
            Ok(())
        })
        .await;
    }
    let folder = nomad.folder().to_owned();
    drop(nomad);
    assert!(!is_worked_in(&folder), "a task has survived its agent");
}

#[tokio::test]
async fn tasks_outlive_an_agent_that_is_killed_and_end_when_it_forgets_them() {
    let directory = TempDir::new("nomad");
    let mut nomad = Nomad::start(&directory).await;
    let job = Job { check: Check::None, ..Job::new("web") };
    nomad.run(&job).await.expect("run");
    let places = instances(&nomad, &job, 1).await;
    let at = *places.first().expect("one");
    nomad.kill();
    let answer = Request::get("localhost", "/").send_to(at).await.expect("the task goes on");
    assert!(answer.text().ends_with(" 1"), "{}", answer.text());
    nomad.start_again().await;
    assert_eq!(nomad.json("/v1/job/web").await.expect("it is known")["Status"], "running");
    nomad.kill();
    nomad.wipe();
    assert!(Request::get("localhost", "/").send_to(at).await.is_err());
    nomad.start_again().await;
    assert!(nomad.instances("default", "web").await.expect("listed").is_empty());
}

#[tokio::test]
async fn a_token_sees_what_its_policy_allows_over_tls() {
    let directory = TempDir::new("nomad");
    let authority = Authority::new("nomad authority");
    let nomad = Nomad::builder().acl(true).mutual_tls(&authority).start(&directory).await;
    let read = r#"namespace "default" { capabilities = ["read-job"] }"#;
    nomad.acl_policy("reader", read).await.expect("made");
    let token = nomad.acl_token(&["reader"]).await.expect("made");
    let status = async |path: &str, token: Option<&str>| {
        nomad.call_as(token, Method::GET, path).await.expect("an answer").status
    };
    assert_eq!(status("/v1/services", Some(&token.secret)).await, 200);
    assert_eq!(status("/v1/services?namespace=other", Some(&token.secret)).await, 403);
    assert_eq!(status("/v1/services", None).await, 403);
    nomad.acl_token_delete(&token).await.expect("deleted");
    assert_eq!(status("/v1/services", Some(&token.secret)).await, 403);
}
