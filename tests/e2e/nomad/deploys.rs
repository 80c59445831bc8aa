//! New versions and instances that stop, under traffic: nobody who asks may notice.

use anyhow::ensure;
use biplane_testkit::eventually;
use biplane_testkit::nomad::Job;

use super::world::{PATIENCE, Plan, World, careful, healths, losses, until, version};

/// A job as a careful team has it: out of the catalog two seconds before it ends.
fn steady(world: &World) -> Job {
    Job { count: 2, shutdown_delay: 2, kill_timeout: 5, update: careful(0), ..world.job("web") }
}

#[tokio::test]
async fn long_rolling_deploy_fails_no_request_and_removes_nothing_from_envoy() {
    let world = World::of(Plan::quick()).await;
    let job = steady(&world);
    world.up(&job).await;
    let before = losses(&world.site).await;
    let asked = world.link.requests();
    let load = world.load();
    for number in 1..=2 {
        let next = Job { version: format!("{}", number + 1), ..job.clone() };
        world.run(&next).await;
        world.until_version(&next, number).await;
        let wanted = next.version.clone();
        until(&world.site, "the new version", |answer| version(answer).as_ref() == Some(&wanted)).await;
    }
    let report = load.stop();
    println!("two rolling deploys: {report}");
    println!("requests to Nomad: {} for two deploys of two instances", world.link.requests() - asked);
    report.assert_clean();
    assert_eq!(losses(&world.site).await, before);
}

#[tokio::test]
async fn instance_that_is_stopped_drains_and_is_gone_without_a_failed_request() {
    let world = World::of(Plan::quick()).await;
    // It leaves the catalog when it ends: until then it is there, and drains.
    let job = Job { count: 2, stubborn: true, kill_timeout: 3, update: careful(0), ..world.job("web") };
    let instances = world.up(&job).await;
    let (place, allocation) = instances.first_key_value().expect("two");
    let before = losses(&world.site).await;
    let load = world.load();
    world.nomad().stop_allocation(allocation, &world.namespace).await.expect("stopped");
    eventually("an endpoint that drains", PATIENCE, async || {
        let found = healths(&world.site, &job).await?;
        ensure!(found.get(&place.to_string()).is_some_and(|health| health == "DRAINING"), "{found:?}");
        Ok(())
    })
    .await;
    eventually("an endpoint that is gone, and one in its place", PATIENCE, async || {
        let found = healths(&world.site, &job).await?;
        let healthy = found.values().filter(|health| *health == "HEALTHY").count();
        ensure!(found.len() == 2 && healthy == 2 && !found.contains_key(&place.to_string()), "{found:?}");
        Ok(())
    })
    .await;
    let report = load.stop();
    println!("one of two instances stopped: {report}");
    report.assert_clean();
    assert_eq!(losses(&world.site).await, before);
}
