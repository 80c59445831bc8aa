//! A team puts a tag on its job and is live: how soon, and what it costs Nomad.

use std::time::{Duration, Instant};

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Nomad, Request, eventually};

use super::world::{PATIENCE, World, healths, tags_for, until_answer};
use crate::harness::CALM;

/// From the check's first success to the first answer through Envoy.
const BAR: Duration = Duration::from_secs(2);

/// When the agent first said that the job's check passes.
async fn passes(nomad: &Nomad, job: &Job) -> Instant {
    eventually(&format!("a check of {} that passes", job.id), PATIENCE, async || {
        let running = nomad.running(job).await?;
        let allocation = running.keys().next().ok_or_else(|| anyhow::anyhow!("nothing runs"))?;
        let path = format!("/v1/client/allocation/{allocation}/checks?namespace={}", job.namespace);
        let checks = nomad.json(&path).await?;
        let passes =
            checks.as_object().is_some_and(|checks| checks.values().any(|one| one["Status"] == "success"));
        ensure!(passes, "{checks}");
        Ok(Instant::now())
    })
    .await
}

/// The routes that nobody has written are there when the first check passes. The settings are the default ones.
#[tokio::test]
async fn job_with_a_tag_answers_within_two_seconds_of_its_first_passed_check() {
    let world = World::start().await;
    let mut times = Vec::new();
    let mut costs = Vec::new();
    for number in 0..8 {
        let id = format!("web-{number}");
        let host = format!("{id}.example.com");
        let job = Job { tags: tags_for(&host, &[]), ..world.job(&id) };
        let request = Request::get(&host, "/");
        let before = world.link.requests();
        world.run(&job).await;
        let answers = async {
            until_answer(&world.site, &request, "the first answer", |answer| answer.status == 200).await;
            Instant::now()
        };
        let (passed, answered) = tokio::join!(passes(world.nomad(), &job), answers);
        times.push(answered.saturating_duration_since(passed));
        world.until_deployed(&job, "successful").await;
        costs.push(world.link.requests() - before);
        assert_eq!(healths(&world.site, &job).await.expect("clusters").len(), 1);
    }
    times.sort_unstable();
    costs.sort_unstable();
    let (first, middle, last) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("check passes -> first 200: min {first:?}, median {middle:?}, max {last:?}");
    println!("requests to Nomad for a new job: {costs:?}");
    assert!(last < BAR, "{times:?}");
}

/// Only the tags that ask for it expose a service; and what is not exposed is an upstream all the same.
#[tokio::test]
async fn job_without_the_tag_is_not_exposed_and_can_be_routed_to_by_name() {
    let world = World::start().await;
    let job = Job { tags: vec!["biplane.hosts=web.example.com".into()], ..world.job("hidden") };
    world.run(&job).await;
    world.registered(&job, 1).await;
    let name = format!("{}.hidden", world.namespace);
    eventually("an upstream of the service", PATIENCE, async || {
        let listed = super::world::command(&world.site.biplane, &["get", "us", "-o", "name"]).await;
        ensure!(listed.stdout.contains(&format!("Upstream/nomad/{name}")), "{listed:?}");
        Ok(())
    })
    .await;
    biplane_testkit::throughout("no route", CALM, async || {
        let answer = super::world::request().send(world.site.port).await?;
        ensure!(answer.status == 404, "{}", answer.status);
        Ok(())
    })
    .await;
    let route = format!(
        "- {{ matchers: [{{ prefix: / }}], routeAction: {{ single: {{ upstream: {{ name: {name}, namespace: nomad }} }} }} }}"
    );
    world.site.replace(&[crate::harness::resources::service_at("own", super::world::HOST, &route)]);
    super::world::until(&world.site, "an answer", |answer| answer.status == 200).await;
}
