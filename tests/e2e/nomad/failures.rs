//! Instances that are not well, and jobs that stop: clients get what is left, 503 while there is nothing, and 404 only
//! when the job has been gone for a while.

use std::time::{Duration, Instant};

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Load, eventually, throughout};

use super::world::{BUSY, PATIENCE, Plan, World, careful, request, until};

/// What Biplane keeps the routes of a job for that is gone: ten seconds, less what a slow machine takes to look.
const GRACE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn instance_whose_check_fails_leaves_and_comes_back_without_a_failed_request() {
    let world = World::of(Plan::quick()).await;
    let job = Job { count: 2, update: careful(0), ..world.job("web") };
    let instances = world.up(&job).await;
    let (place, sick) = instances.first_key_value().expect("two");
    let load = world.load();
    world.nomad().set_well(*place, false).expect("written");
    let since = Instant::now();
    world.until_healthy(&job, 1).await;
    println!("a check fails -> the endpoint is out of Envoy: {:?}", since.elapsed());
    for _ in 0..20 {
        let answer = world.site.ask(&request()).await;
        assert!(answer.status == 200 && !answer.text().starts_with(sick.as_str()), "{}", answer.text());
    }
    world.nomad().set_well(*place, true).expect("written");
    let since = Instant::now();
    until(&world.site, "an answer of the one that is well again", |answer| {
        answer.text().starts_with(sick.as_str())
    })
    .await;
    println!("a check passes again -> it answers: {:?}", since.elapsed());
    load.stop().assert_clean();
}

#[tokio::test]
async fn job_whose_checks_all_fail_answers_503_and_keeps_its_route() {
    let world = World::of(Plan::quick()).await;
    let job = Job { update: careful(0), ..world.job("web") };
    let instances = world.up(&job).await;
    let place = instances.into_keys().next().expect("one");
    world.nomad().set_well(place, false).expect("written");
    until(&world.site, "no healthy endpoint", |answer| answer.status == 503).await;
    throughout("503", Duration::from_secs(2), async || {
        let answer = request().send(world.site.port).await?;
        ensure!(answer.status == 503, "{}", answer.status);
        Ok(())
    })
    .await;
    world.nomad().set_well(place, true).expect("written");
    until(&world.site, "an answer", |answer| answer.status == 200).await;
}

#[tokio::test]
async fn job_that_is_stopped_answers_503_for_the_grace_and_404_after_it() {
    let world = World::of(Plan::quick()).await;
    let job = world.job("web");
    world.up(&job).await;
    world.nomad().stop(&job, true).await.expect("stopped");
    until(&world.site, "no endpoint", |answer| answer.status == 503).await;
    let since = Instant::now();
    let statuses = eventually("the end of the route", PATIENCE, async || {
        let answer = request().send(world.site.port).await?;
        ensure!(answer.status != 503, "{}", answer.status);
        Ok(answer.status)
    })
    .await;
    let held = since.elapsed();
    println!("a job stops -> its route goes after {held:?}");
    assert_eq!(statuses, 404);
    assert!(held > GRACE, "the route went after {held:?}");
}

#[tokio::test]
async fn job_that_comes_back_within_the_grace_has_never_lost_its_route() {
    let world = World::of(Plan::quick()).await;
    let job = world.job("web");
    world.up(&job).await;
    let rate = biplane_testkit::load::Rate { per_second: 200, ..BUSY };
    let load = Load::start(world.site.port, vec![request()], rate);
    world.nomad().stop(&job, true).await.expect("stopped");
    until(&world.site, "no endpoint", |answer| answer.status == 503).await;
    world.run(&job).await;
    until(&world.site, "an answer", |answer| answer.status == 200).await;
    let report = load.stop();
    println!("a job stopped and run again: {report}");
    assert!(!report.statuses.contains_key(&404), "{report}");
}
