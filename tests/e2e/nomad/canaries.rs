//! Canaries: their share, their own route, and both ways that they can end.

use biplane_testkit::Request;
use biplane_testkit::http::Method;
use biplane_testkit::nomad::Job;

use super::world::{HOST, Plan, World, careful, losses, request, tags, until, until_answer, version};

/// A job whose next version begins with one canary.
fn job(world: &World, canary_tags: &[&str]) -> Job {
    let canary_tags = tags(canary_tags);
    Job { count: 2, shutdown_delay: 2, kill_timeout: 5, canary_tags, update: careful(1), ..world.job("web") }
}

/// How many of a hundred answers are of this version; all must be answers.
async fn share(world: &World, wanted: &str) -> usize {
    let mut found = 0;
    for _ in 0..100 {
        let answer = world.site.ask(&request()).await;
        let version = version(&answer).unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
        found += usize::from(version == wanted);
    }
    found
}

#[tokio::test]
async fn long_canary_gets_its_weight_and_is_promoted_without_a_failed_request() {
    let world = World::of(Plan::quick()).await;
    let job = job(&world, &["biplane.weight=20"]);
    world.up(&job).await;
    let before = losses(&world.site).await;
    let load = world.load();
    let next = Job { version: "2".into(), ..job.clone() };
    world.run(&next).await;
    until(&world.site, "an answer of the canary", |answer| version(answer).as_deref() == Some("2")).await;
    let canaries = share(&world, "2").await;
    assert!((5..=40).contains(&canaries), "{canaries} of 100, where 20 are due");
    promote(&world, &next).await;
    world.until_version(&next, 1).await;
    until(&world.site, "no weight any more", |answer| version(answer).as_deref() == Some("2")).await;
    assert_eq!(share(&world, "2").await, 100);
    let report = load.stop();
    println!("a canary of 20 %, {canaries} of 100, promoted: {report}");
    report.assert_clean();
    let lost = losses(&world.site).await;
    println!("Envoy before {before}, after {lost}");
    assert_eq!(refused(&lost), refused(&before));
}

#[tokio::test]
async fn long_canary_that_fails_goes_and_the_route_stays() {
    let world = World::of(Plan::quick()).await;
    let job = job(&world, &["biplane.weight=50"]);
    world.up(&job).await;
    let load = world.load();
    let next = Job { version: "2".into(), ..job.clone() };
    world.run(&next).await;
    until(&world.site, "an answer of the canary", |answer| version(answer).as_deref() == Some("2")).await;
    fail(&world, &next).await;
    world.registered(&job, 2).await;
    world.until_healthy(&job, 2).await;
    assert_eq!(share(&world, "1").await, 100, "nothing is left of the canary");
    let report = load.stop();
    println!("a canary that failed: {report}");
    report.assert_clean();
}

#[tokio::test]
async fn long_canary_with_a_route_of_its_own_gets_those_requests_and_no_others() {
    let world = World::of(Plan::quick()).await;
    let job = job(&world, &["biplane.headers.x-canary=1"]);
    world.up(&job).await;
    let load = world.load();
    let next = Job { version: "2".into(), ..job.clone() };
    world.run(&next).await;
    let marked = Request::get(HOST, "/").header("x-canary", "1");
    until_answer(&world.site, &marked, "the canary", |answer| version(answer).as_deref() == Some("2")).await;
    assert_eq!(share(&world, "2").await, 0, "the others keep all other requests");
    for _ in 0..20 {
        assert_eq!(version(&world.site.ask(&marked).await).as_deref(), Some("2"));
    }
    promote(&world, &next).await;
    world.until_version(&next, 1).await;
    assert_eq!(share(&world, "2").await, 100);
    let report = load.stop();
    println!("a canary with a route of its own, promoted: {report}");
    report.assert_clean();
}

/// Nomad takes a promotion once the canary has been well for a while.
async fn promote(world: &World, job: &Job) {
    biplane_testkit::eventually("a promotion", super::world::PATIENCE, async || {
        world.nomad().promote(job).await
    })
    .await;
}

/// The operator gives the deployment up: Nomad stops its canaries.
async fn fail(world: &World, job: &Job) {
    let path = format!("/v1/job/{}/deployment?namespace={}", job.id, job.namespace);
    let deployment = world.nomad().json(&path).await.expect("a deployment");
    let id = deployment["ID"].as_str().expect("it has an id");
    let path = format!("/v1/deployment/fail/{id}?namespace={}", job.namespace);
    world.nomad().call(Method::PUT, &path, "").await.expect("failed");
}

/// Updates that Envoy has refused, by name.
fn refused(losses: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    let all = losses.as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(name, _)| name.ends_with("update_rejected")).collect()
}
