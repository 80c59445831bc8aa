//! Deployments as they happen: new versions, canaries, restarts, drains, failures.

use std::time::Duration;

use biplane_core::resources::upstream::discovery::{Canaries, NomadUpstream};
use biplane_nomad::NomadSource;
use biplane_source::{Endpoint, EndpointSource as _, Health, Instance, Listing, Watch};
use biplane_testkit::nomad::{Job, Update};
use biplane_testkit::{Request, eventually};
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::harness::{
    PATIENCE, World, complete, connect, instances, next, place, request, service, unchecked, until,
    until_usable, usable, watch,
};

/// Every listing up to the one that is wanted; each must have something that serves.
async fn never_without(
    watch: &mut Watch<Vec<Endpoint>>,
    what: &str,
    is_wanted: impl Fn(&[Endpoint]) -> bool,
) -> Vec<Endpoint> {
    let told = until(watch, what, |told| matches!(told, Listing::Complete(found) if is_wanted(found))).await;
    let told: Vec<_> = told.into_iter().map(complete).collect();
    let empty = told.iter().find(|found| usable(found).is_empty());
    assert_eq!(empty, None, "there is nothing that serves");
    told.into_iter().next_back().expect("what was waited for")
}

fn are_of(found: &[Endpoint], allocations: &[String]) -> bool {
    let usable = found.iter().filter(|one| one.health.is_usable());
    usable.clone().count() == allocations.len()
        && usable.into_iter().all(|one| allocations.iter().any(|id| one.id.starts_with(id)))
}

#[tokio::test]
async fn what_has_not_passed_its_check_yet_gets_nothing_while_what_it_replaces_serves() {
    let world = World::new().await;
    let job = Job { count: 2, ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    let old = until_usable(&mut watch, 2).await;
    let next_version = Job { version: "2".into(), slow_start: 2, ..job.clone() };
    world.run(&next_version).await;
    let mut seen_unhealthy = false;
    let told = until(&mut watch, "the new version alone", |told| {
        let Listing::Complete(found) = told else { return false };
        assert!(!usable(found).is_empty(), "nothing serves: {found:?}");
        seen_unhealthy |= found.iter().any(|one| one.health == Health::Unhealthy);
        let is_old = |one: &Endpoint| old.iter().any(|old| old.id == one.id);
        seen_unhealthy && found.len() == 2 && usable(found).len() == 2 && !found.iter().any(is_old)
    })
    .await;
    let last = complete(told.into_iter().next_back().expect("the last"));
    for endpoint in last {
        let answer = Request::get("localhost", "/").send_to(place(&endpoint)).await.expect("it serves");
        let text = answer.text();
        let (allocation, version) = text.split_once(' ').expect("its name");
        assert!(endpoint.id.starts_with(allocation) && version == "2", "{text} at {endpoint:?}");
        assert_eq!((endpoint.locality.region.as_str(), endpoint.locality.zone.as_str()), ("global", "dc1"));
    }
}

#[tokio::test]
async fn the_last_instance_serves_for_as_long_as_it_runs() {
    let world = World::new().await;
    let job = Job { stubborn: true, kill_timeout: 3, ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    let old = until_usable(&mut watch, 1).await.remove(0);
    // Nomad starts the new one when the old one has stopped.
    world.run(&Job { version: "2".into(), ..job }).await;
    let is_gone = |found: &[Endpoint]| !found.iter().any(|one| one.id == old.id);
    let told =
        until(&mut watch, "its end", |told| matches!(told, Listing::Complete(found) if is_gone(found))).await;
    let (_, before) = told.split_last().expect("its end");
    let is_told =
        |told: &Listing<Vec<Endpoint>>| matches!(told, Listing::Complete(found) if found.contains(&old));
    assert!(before.iter().all(is_told), "{before:?}");
    until_usable(&mut watch, 1).await;
}

#[tokio::test]
async fn what_is_told_to_stop_drains_until_it_has_stopped() {
    let world = World::new().await;
    let job = Job { count: 2, stubborn: true, kill_timeout: 4, ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    let both = until_usable(&mut watch, 2).await;
    let stopped = both[0].id.split(':').next().expect("an allocation").to_owned();
    world.nomad().stop_allocation(&stopped, &world.namespace).await.expect("stopped");
    let draining =
        |found: &[Endpoint]| found.iter().any(|one| one.id == both[0].id && one.health == Health::Draining);
    never_without(&mut watch, "one that drains", draining).await;
    let gone = |found: &[Endpoint]| !found.iter().any(|one| one.id == both[0].id) && usable(found).len() == 2;
    never_without(&mut watch, "its end, and the one in its place", gone).await;
}

#[tokio::test]
async fn a_restart_one_by_one_never_leaves_nothing_to_serve() {
    let world = World::new().await;
    // Slow enough for its absence to be seen.
    let job = Job { count: 3, slow_start: 2, ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    let all = until_usable(&mut watch, 3).await;
    for endpoint in &all {
        let id = endpoint.id.split(':').next().expect("an allocation");
        world.nomad().restart_allocation(id, &world.namespace).await.expect("restarted");
        let back = |found: &[Endpoint]| usable(found).len() == 3;
        let fewer = |found: &[Endpoint]| usable(found).len() < 3;
        never_without(&mut watch, "its absence", fewer).await;
        never_without(&mut watch, "its return", back).await;
    }
}

#[tokio::test]
async fn canaries_carry_their_own_tags_until_they_are_promoted() {
    let world = World::new().await;
    let update = Some(Update { canary: 1, ..Update::default() });
    let tags = vec!["live".to_owned()];
    let job = Job { count: 2, tags, canary_tags: vec!["next".to_owned()], update, ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut all = instances(&source, &world, "web");
    let healthy =
        |found: &[Instance]| found.iter().filter(|one| one.endpoint.health == Health::Healthy).count();
    let is_told = |count: usize, canaries: usize| {
        move |told: &Listing<Vec<Instance>>| {
            let Listing::Complete(found) = told else { return false };
            healthy(found) == count && found.iter().filter(|one| one.canary).count() == canaries
        }
    };
    until(&mut all, "two instances", is_told(2, 0)).await;
    world.run(&Job { version: "2".into(), ..job.clone() }).await;
    let told = until(&mut all, "a canary", is_told(3, 1)).await;
    let found = complete(told.into_iter().next_back().expect("the last"));
    let (canary, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.canary);
    assert_eq!(canary[0].tags, ["next"]);
    assert!(others.iter().all(|one| one.tags == ["live"] && one.version < canary[0].version), "{others:?}");

    let upstream = |canaries| NomadUpstream {
        canaries: Some(canaries),
        subset_tags: vec!["live".into(), "next".into()],
        ..service("web")
    };
    let mut only = source.watch(&request(upstream(Canaries::Only)));
    let only = until_usable(&mut only, 1).await;
    assert_eq!((only[0].metadata["tag_live"].as_str(), only[0].metadata["tag_next"].as_str()), ("0", "1"));
    until_usable(&mut source.watch(&request(upstream(Canaries::Exclude))), 2).await;

    eventually("a promotion", PATIENCE, async || world.nomad().promote(&job).await).await;
    let told = until(&mut all, "the promotion", |told| {
        let Listing::Complete(found) = told else { return false };
        found.len() == 2 && healthy(found) == 2 && found.iter().all(|one| !one.canary && one.tags == ["live"])
    })
    .await;
    assert!(
        told.iter().all(|told| matches!(told, Listing::Complete(found) if healthy(found) > 0)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_service_without_checks_is_well_as_soon_as_its_task_runs_and_a_port_can_be_set() {
    let world = World::new().await;
    let source = world.source();
    let upstream = NomadUpstream { port: Some(9000), ..service("web") };
    let mut watch = source.watch(&request(upstream));
    assert_eq!(complete(next(&mut watch).await), []);
    let update = Some(Update { min_healthy_time: 30, ..Update::default() });
    world.up(&Job { update, ..unchecked(world.job("web")) }).await;
    let found = until_usable(&mut watch, 1).await;
    assert_eq!((found[0].health, found[0].port.get()), (Health::Healthy, 9000));
}

#[tokio::test]
async fn an_address_that_is_a_name_is_looked_up() {
    let world = World::new().await;
    let job = Job { address: Some("localhost".into()), ..unchecked(world.job("web")) };
    world.up(&job).await;
    let found = until_usable(&mut watch(&world.source(), "web"), 1).await;
    assert!(found[0].address.is_loopback());
    let bad = Job { address: Some("no.such.name.invalid".into()), ..unchecked(world.job("bad")) };
    world.run(&bad).await;
    let source = connect(world.options());
    let mut bad = watch(&source, "bad");
    let told = until(&mut bad, "a failure", |told| matches!(told, Listing::Failed(_))).await;
    let Some(Listing::Failed(error)) = told.last() else { unreachable!("waited for") };
    assert!(error.message.contains("no.such.name.invalid"), "{error}");
    until_usable(&mut watch(&source, "web"), 1).await;
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_for_checks_leaves_the_word_to_the_deployment() {
    use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
    let world = World::http().await;
    let job = world.job("web");
    world.up(&job).await;
    world.link.answer(Matcher::path("/v1/client/"), Answer::status(404).body("No path to node"), ALWAYS);
    let source = world.source();
    let found = until_usable(&mut watch(&source, "web"), 1).await;
    assert!(are_of(
        &found,
        &[world.nomad().running(&job).await.expect("listed").into_keys().next().expect("one")]
    ));
    tokio::time::timeout(Duration::from_secs(5), async {
        while world.link.counters().answered == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it was asked");
}

/// What somebody sends who knows the places from the listing alone: one request after the other, in turn.
async fn follow(source: NomadSource, mut stop: oneshot::Receiver<()>) -> (u64, Vec<String>) {
    let mut watch = watch(&source, "web");
    let mut places = Vec::new();
    let (mut sent, mut failures) = (0, Vec::new());
    loop {
        while let Some(listing) = watch.next().now_or_never().flatten() {
            places = usable(&complete(listing)).into_iter().collect();
        }
        if !matches!(stop.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return (sent, failures);
        }
        if places.is_empty() {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        let at = places[usize::try_from(sent).expect("a count") % places.len()];
        sent += 1;
        match Request::get("localhost", "/").send_to(at).await {
            Ok(answer) if answer.status == 200 => {}
            other => failures.push(format!("{at}: {other:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_the_listing_loses_no_request_to_a_rolling_deploy_nor_to_a_canary() {
    let world = World::new().await;
    let update = Update { min_healthy_time: 1, ..Update::default() };
    let job = Job { count: 3, shutdown_delay: 1, update: Some(update), ..world.job("web") };
    world.up(&job).await;
    let source = world.source();
    let mut all = watch(&source, "web");
    until_usable(&mut all, 3).await;
    let (stop, stopped) = oneshot::channel();
    let follower = tokio::spawn(follow(source.clone(), stopped));
    let old = world.nomad().running(&job).await.expect("listed");
    world.run(&Job { version: "2".into(), ..job.clone() }).await;
    let are_new = |found: &[Endpoint]| {
        usable(found).len() == 3 && !found.iter().any(|one| old.keys().any(|old| one.id.starts_with(old)))
    };
    never_without(&mut all, "the new version", are_new).await;
    let canary = Some(Update { canary: 1, ..update });
    let third = Job { version: "3".into(), update: canary, ..job };
    world.run(&third).await;
    never_without(&mut all, "a canary", |found| usable(found).len() == 4).await;
    eventually("a promotion", PATIENCE, async || world.nomad().promote(&third).await).await;
    never_without(&mut all, "the end of it", |found| found.len() == 3 && usable(found).len() == 3).await;
    stop.send(()).expect("it follows");
    let (sent, failures) = follower.await.expect("it ends");
    eprintln!("{sent} requests during a rolling deploy and a canary of three instances");
    assert!(failures.is_empty() && sent > 100, "{} of {sent} failed: {failures:#?}", failures.len());
}
