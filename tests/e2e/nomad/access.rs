//! Two namespaces, a token that loses one of them, a stream of events that is cut: what cannot be read keeps what it
//! had, and the rest goes on.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Request, throughout};
use serde_json::Value;

use super::world::{
    Plan, World, allow, careful, command, healths, tags_for, unique, until, until_answer, until_healthy,
    until_source,
};
use crate::harness::status;

const OTHER: &str = "other.example.com";

/// A job in each of two namespaces, with a host of its own.
async fn two_namespaces() -> (World, Job, Job) {
    let other = unique("other");
    let world = World::of(Plan { more_namespaces: vec![other.clone()], ..Plan::quick() }).await;
    let kept = world.job("web");
    let lost = Job { namespace: other, tags: tags_for(OTHER, &[]), ..Job::new("web") };
    world.run(&lost).await;
    world.up(&kept).await;
    until_answer(&world.site, &Request::get(OTHER, "/"), "the other's answer", |answer| answer.status == 200)
        .await;
    (world, kept, lost)
}

#[tokio::test]
async fn namespace_that_the_token_loses_keeps_its_endpoints_and_the_other_goes_on() {
    let (world, kept, lost) = two_namespaces().await;
    let biplane = &world.site.biplane;
    let load = world.load();
    allow(world.nomad(), &lost.namespace, false).await;
    let source = until_source(biplane, "denied").await;
    let said = |field: &str| source[field].as_str().unwrap_or_default().to_owned();
    assert!(said("lastError").contains(&lost.namespace), "{source:#}");
    assert!(said("hint").contains("read-job"), "{source:#}");
    let upstream = |status: &Value, words: &str| {
        let all = status::list(status, "reports");
        all.iter().any(|report| {
            report["object"]
                .as_str()
                .is_some_and(|object| object.starts_with("Upstream") && object.contains(&lost.namespace))
                && report["message"].as_str().is_some_and(|message| message.contains(words))
        })
    };
    status::until(biplane, "a finding about the upstream", |status| {
        upstream(status, "what is known stays in use")
    })
    .await;
    let shown = command(biplane, &["get", "endpoints", "-o", "json"]).await;
    assert!(shown.stdout.contains("\"failed\""), "{shown:?}");

    // The one that can be read follows its job.
    world.run(&Job { count: 2, ..kept.clone() }).await;
    until_healthy(&world.site, &kept, 2).await;
    throughout("answers of both", Duration::from_secs(2), async || {
        for host in [super::world::HOST, OTHER] {
            let answer = Request::get(host, "/").send(world.site.port).await?;
            ensure!(answer.status == 200, "{host}: {}", answer.status);
        }
        Ok(())
    })
    .await;

    allow(world.nomad(), &lost.namespace, true).await;
    until_source(biplane, "complete").await;
    world.run(&Job { count: 2, ..lost.clone() }).await;
    until_healthy(&world.site, &lost, 2).await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn allocation_that_moves_while_the_link_is_cut_is_followed_when_it_heals() {
    let world = World::of(Plan::quick()).await;
    // While Biplane hears nothing the one that stays must be enough.
    let job = Job { count: 2, update: careful(0), ..world.job("web") };
    let before = world.up(&job).await;
    let (moved, allocation) = before.first_key_value().expect("two");
    world.link.cut();
    until_source(&world.site.biplane, "failed").await;
    world.nomad().stop_allocation(allocation, &world.namespace).await.expect("stopped");
    let after = super::world::registered_without(world.nomad(), &job, allocation).await;
    let fresh = after.keys().find(|place| !before.contains_key(*place)).expect("another one");
    let known = healths(&world.site, &job).await.expect("clusters");
    assert!(known.len() == 2 && known.contains_key(&moved.to_string()), "what was known is kept: {known:?}");

    world.link.heal();
    until_source(&world.site.biplane, "complete").await;
    world.until_healthy(&job, 2).await;
    let id = &after[fresh];
    until(&world.site, "an answer of the new one", |answer| answer.text().starts_with(id.as_str())).await;
    let found = healths(&world.site, &job).await.expect("clusters");
    assert!(!found.contains_key(&moved.to_string()), "{found:?}");
}

/// Events that are lost between two connections are made up for by a look at everything.
#[tokio::test]
async fn stream_of_events_that_is_reset_costs_nothing() {
    let world = World::of(Plan::quick()).await;
    let job = Job { count: 2, shutdown_delay: 3, update: careful(0), ..world.job("web") };
    world.up(&job).await;
    let load = world.load();
    for _ in 0..2 {
        world.link.reset();
        let more = Job { count: 3, ..job.clone() };
        world.run(&more).await;
        world.until_healthy(&more, 3).await;
        world.link.reset();
        world.run(&job).await;
        world.registered(&job, 2).await;
        world.until_healthy(&job, 2).await;
    }
    let report = load.stop();
    println!("twice up and down, with a reset each: {report}");
    report.assert_clean();
}
