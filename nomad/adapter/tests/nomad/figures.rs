//! What it costs, and how long it takes.

use std::time::{Duration, Instant};

use biplane_nomad::NomadOptions;
use biplane_source::EndpointSource as _;
use biplane_testkit::Request;
use biplane_testkit::fault_proxy::Seen;
use biplane_testkit::nomad::{Job, Update};
use futures::StreamExt as _;
use tokio::time::sleep;

use crate::harness::{PATIENCE, World, connect, unchecked, until_usable, watch};

#[tokio::test]
async fn a_change_of_one_service_of_many_costs_a_few_requests() {
    let world = World::new().await;
    for number in 0..5 {
        world.up(&unchecked(world.job(&format!("web-{number}")))).await;
    }
    // Nobody looks at everything meanwhile only because it is time to.
    let source = connect(NomadOptions { refresh: Duration::from_hours(1), ..world.options() });
    let mut watches: Vec<_> = (0..5).map(|number| watch(&source, &format!("web-{number}"))).collect();
    for watch in &mut watches {
        until_usable(watch, 1).await;
    }
    let (began, before) = (Instant::now(), source.counters());
    let job = Job { count: 2, ..unchecked(world.job("web-0")) };
    world.up(&job).await;
    until_usable(&mut watches[0], 2).await;
    let after = source.counters();
    let [requests, reads, events] = ["requests", "reads", "events"].map(|word| after[word] - before[word]);
    eprintln!(
        "one more instance of one of five services: {requests} requests in {reads} readings for {events} events"
    );
    let asked: Vec<_> = world.link.seen().into_iter().filter(|seen| seen.at >= began).collect();
    let others = asked.iter().filter(|seen| seen.target.contains("web-") && !seen.target.contains("web-0"));
    assert_eq!(
        others.collect::<Vec<_>>(),
        Vec::<&Seen>::new(),
        "services that have not changed are left alone"
    );
    // A reading is two questions, and one more for a new version of its job; a start tells several things, which are read
    // together if they come together.
    assert!(
        requests <= 3 * reads && reads <= events,
        "{requests} requests in {reads} readings for {events} events"
    );
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
            sleep(Duration::from_millis(5)).await;
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

/// Ten jobs with 50 services each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_services_take_one_stream_few_connections_and_no_reading_while_nothing_changes() {
    const REFRESH: Duration = Duration::from_secs(4);
    let world = World::alone().await;
    let name = |job: usize, number: usize| format!("web-{job}-{number}");
    for number in 0..10 {
        let mut names = (0..50).map(|service| name(number, service));
        let service = names.next().expect("fifty");
        let job = Job { service, also: names.collect(), ..unchecked(world.job(&format!("job-{number}"))) };
        world.up(&job).await;
    }
    let started = Instant::now();
    let source = connect(NomadOptions { refresh: REFRESH, ..world.options() });
    let names = (0..10).flat_map(|job| (0..50).map(move |number| name(job, number)));
    let mut watches: Vec<_> = names.map(|name| watch(&source, &name)).collect();
    for watch in &mut watches {
        until_usable(watch, 1).await;
    }
    let (took, requests) = (started.elapsed(), source.counters()["requests"]);
    let connections = world.link.connections();
    eprintln!("500 services known after {took:?}: {requests} requests, {connections} connections");
    // So many questions at a time, half as many that go on to nodes, and the stream. A client goes on opening a connection
    // when another one has become free meanwhile: one more each, at most.
    assert!(connections <= 2 * (16 + 8 + 1), "{connections} connections");

    let rounds = async |count: u32| {
        let before = source.counters();
        sleep(REFRESH * count).await;
        let after = source.counters();
        (after["requests"] - before["requests"], after["reads"] - before["reads"])
    };
    // Whatever is still to be read is, by the end of the next round.
    rounds(1).await;
    let (requests, reads) = rounds(2).await;
    eprintln!("while nothing changes: {requests} requests and {reads} readings in 2 rounds");
    assert!(requests <= 4 * 3 && reads == 0, "{requests} requests and {reads} readings in 2 rounds");

    let (before, changed) = (source.counters(), Instant::now());
    world.nomad().stop(&unchecked(world.job("job-7")), false).await.expect("stopped");
    for watch in &mut watches[7 * 50..8 * 50] {
        until_usable(watch, 0).await;
    }
    let (took, requests) = (changed.elapsed(), source.counters()["requests"] - before["requests"]);
    eprintln!("a job with 50 of them stops: told after {took:?}, with {requests} requests");
}
