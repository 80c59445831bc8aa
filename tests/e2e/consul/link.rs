//! Consul is there but does not answer, or answers that it cannot: Biplane waits its time and comes back.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::{Consul, FaultProxy, throughout};
use serde_json::Value;

use super::served::{Served, url};
use crate::etcd::served::options;
use crate::harness::{Tree, status};

/// How soon everything must be live when Consul goes on.
const SOON: Duration = Duration::from_secs(5);

/// A server that answers nobody is noticed when the next look is not answered: 10 s until there is one, 10 s for it.
const NOTICED: Duration = Duration::from_secs(40);

/// Consul answers everything with a refusal for a while.
async fn refused(answer: Answer, words: &[&str], most: u64) {
    let (link, mut served) = Served::behind_a_link(20).await;
    let witness = served.witness().await;
    link.answer(Matcher::any(), answer, ALWAYS);
    link.reset();
    let source = served.until_state("failed").await;
    for word in words {
        assert!(source["lastError"].as_str().is_some_and(|error| error.contains(word)), "{source:#}");
    }
    let before = served.world.remember();
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    let after = served.world.remember();
    served.world.go_back(before);
    served.stays().await;
    calmer_than(&link, most).await;
    served.world.go_back(after);
    link.heal();
    served.live().await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

/// Whoever is refused asks less and less.
async fn calmer_than(link: &FaultProxy, most: u64) {
    let before = link.requests();
    throughout("fewer and fewer requests", Duration::from_secs(4), async || {
        let asked = link.requests() - before;
        ensure!(asked <= most, "{asked} requests: {:#?}", link.seen().split_off(usize::try_from(before)?));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn rate_limit_is_respected_and_costs_nothing() {
    let answer = Answer::status(429).header("retry-after", "2");
    let answer =
        answer.body("Your IP is issuing too many concurrent connections, please rate limit your calls\n");
    refused(answer, &["rate limit"], 8).await;
}

#[tokio::test]
async fn server_without_a_leader_is_waited_for_and_costs_nothing() {
    refused(Answer::status(500).body("No cluster leader"), &["knows no leader"], 16).await;
}

#[tokio::test]
async fn answers_that_nobody_vouches_for_are_failures() {
    let (link, mut served) = Served::behind_a_link(20).await;
    let witness = served.witness().await;
    // An empty list with status 200, as servers have given it that had just lost their leader.
    let empty = Answer::status(200)
        .header("x-consul-index", "99999")
        .header("x-consul-knownleader", "false")
        .header("x-consul-lastcontact", "0")
        .header("content-type", "application/json")
        .body("[]");
    link.answer(Matcher::path("/v1/kv/"), empty, ALWAYS);
    link.reset();
    let source = served.until_state("failed").await;
    assert!(source["lastError"].as_str().is_some_and(|error| error.contains("leader")), "{source:#}");
    served.stays().await;
    link.heal();
    served.edit(0..5).await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn server_that_stands_still_costs_nothing_and_is_followed_at_once() {
    let mut served = Served::start(20).await;
    let witness = served.witness().await;
    served.consul.pause().await;
    throughout("the world as it was", Duration::from_secs(3), async || {
        served.world.check(served.site.port).await
    })
    .await;
    served.consul.resume();
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.world.live(&[served.site.port], SOON).await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn long_server_that_stands_still_is_told_and_followed_when_it_goes_on() {
    let mut served = Served::start(20).await;
    let witness = served.witness().await;
    served.consul.pause().await;
    let source = until_failed(&served).await;
    assert!(
        source["lastError"].as_str().is_some_and(|error| error.contains("has not answered")),
        "{source:#}"
    );
    served.stays().await;
    served.consul.resume();
    served.consul.ready().await;
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.world.live(&[served.site.port], SOON).await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

/// Waits longer than others do.
async fn until_failed(served: &Served) -> Value {
    biplane_testkit::eventually("a source that has failed", NOTICED, async || {
        let status = status::fetch(&served.site.biplane).await?;
        ensure!(status["sources"][0]["state"] == "failed", "{:#}", status["sources"]);
        Ok(status["sources"][0].clone())
    })
    .await
}

/// A server with an agent in front, to which Biplane goes.
async fn behind_an_agent() -> Served {
    let tree = Tree::new();
    let consul = Consul::builder().client_agent(true).start(&tree.directory).await;
    let options = options(&url(consul.address()));
    Served::on(tree, consul, &options, 20).await
}

#[tokio::test]
async fn agent_that_is_killed_and_started_again_costs_nothing() {
    let mut served = behind_an_agent().await;
    let witness = served.witness().await;
    served.consul.kill_agent();
    let source = served.until_state("failed").await;
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("agent")), "{source:#}");
    let before = served.world.remember();
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    let after = served.world.remember();
    served.world.go_back(before);
    served.stays().await;
    served.consul.start_agent_again().await;
    served.world.go_back(after);
    served.live().await;
    served.until_state("complete").await;
    served.edit(3..8).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn agent_that_stands_still_costs_nothing() {
    let mut served = behind_an_agent().await;
    let witness = served.witness().await;
    served.consul.agent().pause().await;
    let before = served.world.remember();
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    let after = served.world.remember();
    served.world.go_back(before);
    served.stays().await;
    served.consul.agent().resume();
    served.world.go_back(after);
    served.world.live(&[served.site.port], SOON).await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn server_that_is_restarted_behind_its_agent_costs_nothing() {
    let tree = Tree::new();
    let consul = Consul::builder().server_with_data(true).client_agent(true).start(&tree.directory).await;
    let options = options(&url(consul.address()));
    let mut served = Served::on(tree, consul, &options, 20).await;
    let witness = served.witness().await;
    for round in 0..2 {
        served.consul.kill();
        served.stays().await;
        served.consul.start_again().await;
        served.edit([round, round + 1]).await;
    }
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}
