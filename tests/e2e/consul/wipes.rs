//! Keys that vanish: a development agent that starts empty, a prefix that is deleted, a single key.

use anyhow::ensure;
use biplane_testkit::throughout;

use super::served::{Served, init};
use crate::etcd::served::ROOT;
use crate::etcd::world::name;
use crate::harness::{CALM, ports_open};

/// A development agent that was killed and started again, with nothing in it.
async fn empty_again(hosts: usize) -> Served {
    let mut served = Served::start(hosts).await;
    let witness = served.witness().await;
    served.consul.kill();
    let source = served.until_state("failed").await;
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("agent")), "{source:#}");
    served.stays().await;
    served.consul.start_again().await;
    let source = served.until_state("unmarked").await;
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("biplane init")), "{source:#}");
    served.stays().await;
    witness.has_seen_nothing(&served).await;
    served
}

#[tokio::test]
async fn agent_that_starts_empty_removes_nothing_and_is_followed_once_it_is_filled_and_marked() {
    let mut served = empty_again(20).await;
    let witness = served.witness().await;
    served.write_everything().await;
    throughout("no trust in what has no mark", CALM, async || {
        let status = crate::harness::status::fetch(&served.site.biplane).await?;
        ensure!(status["sources"][0]["state"] == "unmarked", "{:#}", status["sources"]);
        Ok(())
    })
    .await;
    init(&served.url).await;
    let source = served.until_state("complete").await;
    assert_eq!(source["held"], serde_json::json!([]), "{source:#}");
    served.edit(0..5).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn agent_that_starts_empty_and_is_marked_first_is_held_until_it_is_filled() {
    let mut served = empty_again(20).await;
    let witness = served.witness().await;
    init(&served.url).await;
    // The gateway, two upstreams and all hosts.
    let source = served.until_held(23).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("another store")), "{source:#}");
    served.stays().await;
    served.write_everything().await;
    served.until_held(0).await;
    served.until_state("complete").await;
    served.edit(0..5).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn single_deletions_pass_at_once() {
    let mut served = Served::start(20).await;
    let removed = served.world.remove([17, 18, 19]);
    let witness = served.witness().await;
    for key in removed {
        served.consul.kv_delete(&key).await.expect("Consul takes deletions");
        served.until_state("complete").await;
    }
    served.live().await;
    served.until_held(0).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn deleted_tree_is_held_while_edits_flow_until_it_is_accepted() {
    let mut served = Served::start(20).await;
    let witness = served.witness().await;
    let tree = format!("{ROOT}/config/VirtualService/");
    served.consul.kv_delete_prefix(&tree).await.expect("Consul takes deletions");
    let source = served.until_held(20).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("20 of 20")), "{source:#}");
    served.stays().await;
    let check = served.command(&["check"]).await;
    assert_eq!(check.code, 8, "{check:?}");
    assert!(check.stdout.contains("biplane source accept"), "{check:?}");
    served.edit([40, 5]).await;
    served.until_held(19).await;
    witness.has_seen_nothing(&served).await;

    served.accept().await;
    served.world.remove((0..20).filter(|number| *number != 5));
    served.live().await;
    served.until_held(0).await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn whole_store_that_is_wiped_stays_in_use_and_one_that_is_put_back_is_followed() {
    let mut served = Served::start(20).await;
    let witness = served.witness().await;
    served.consul.kv_delete_prefix(&format!("{ROOT}/")).await.expect("Consul takes deletions");
    served.until_state("unmarked").await;
    served.stays().await;
    served.write_everything().await;
    init(&served.url).await;
    served.until_state("complete").await;
    served.edit(0..5).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn wiped_store_is_emptied_when_an_operator_accepts_it_and_is_a_store_like_any_other() {
    let mut served = Served::start(20).await;
    served.consul.kv_delete_prefix(&format!("{ROOT}/")).await.expect("Consul takes deletions");
    served.until_state("unmarked").await;
    served.stays().await;
    served.accept().await;
    served.until_state("complete").await;
    served.site.until_stat("listener_manager.total_listeners_active", |active| active == 0).await;
    served.write_everything().await;
    ports_open(&[served.site.port]).await;
    served.edit(0..5).await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn what_is_deleted_straight_in_consul_by_the_command_needs_no_second_word() {
    let mut served = Served::start(20).await;
    let names: Vec<_> = (2..20).map(name).collect();
    let arguments: Vec<_> = ["delete", "vs"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let output = served.straight(&arguments).await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.remove(2..20);
    served.live().await;
    served.until_held(0).await;
    served.until_state("complete").await;
}
