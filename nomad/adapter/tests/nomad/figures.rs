//! What it costs, and how long it takes.

use std::time::{Duration, Instant};

use biplane_source::EndpointSource as _;
use biplane_testkit::Request;
use biplane_testkit::nomad::{Job, Update};
use futures::StreamExt as _;

use crate::harness::{PATIENCE, World, unchecked, until_usable, watch};

#[tokio::test]
async fn a_change_of_one_service_of_many_costs_a_few_requests() {
    let world = World::new().await;
    for number in 0..5 {
        world.up(&unchecked(world.job(&format!("web-{number}")))).await;
    }
    let source = world.source();
    let mut watches: Vec<_> = (0..5).map(|number| watch(&source, &format!("web-{number}"))).collect();
    for watch in &mut watches {
        until_usable(watch, 1).await;
    }
    let before = source.counters();
    let job = Job { count: 2, ..unchecked(world.job("web-0")) };
    world.up(&job).await;
    until_usable(&mut watches[0], 2).await;
    let after = source.counters();
    let (requests, reads) = (after["requests"] - before["requests"], after["reads"] - before["reads"]);
    eprintln!("one more instance of one of five services: {requests} requests in {reads} readings");
    // A reading is two questions, and one more for a new version of its job; a start tells several things.
    assert!(requests <= 3 * reads && reads <= 8, "{requests} requests in {reads} readings");
}

#[tokio::test]
async fn an_instance_is_told_soon_after_its_check_passes_though_its_deployment_takes_longer() {
    let world = World::new().await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    let update = Some(Update { min_healthy_time: 30, ..Update::default() });
    let job = Job { update, ..world.job("web") };
    let started = Instant::now();
    let at = *world.up(&job).await.first().expect("one");
    let passes = async {
        // The first check that finds it well is its first answer, or comes a second later.
        while Request::get("localhost", "/health").send_to(at).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let told = async {
        until_usable(&mut watch, 1).await;
        Instant::now()
    };
    let both = Box::pin(async { tokio::join!(passes, told) });
    let (answers, told) = tokio::time::timeout(PATIENCE, both).await.expect("both in time");
    let late = told.saturating_duration_since(answers);
    eprintln!("job run to listing {:?}; first answer to listing {late:?}", told - started);
    assert!(late < Duration::from_secs(3), "{late:?} after it has answered");

    let failed = Instant::now();
    world.nomad().set_well(at, false).expect("changed");
    until_usable(&mut watch, 0).await;
    eprintln!("sick to listing {:?}, of which up to 1 s is the check's and up to 1 s ours", failed.elapsed());
    assert!(failed.elapsed() < Duration::from_secs(5));
    drop(watch.next());
}
