//! Servers that die, lose everything, or come back with an older state.

use biplane_store::conformance::{Follower, Harness as _, document, key};
use biplane_store::sentinel::Sentinel;
use biplane_store::{Store, StoreError};
use biplane_store_consul::Tuning;
use biplane_testkit::{Consul, TempDir};

use crate::harness::{Marked, connect, options, tuning};
use std::sync::Arc;

/// A root in a Consul of the test's own.
async fn marked(consul: &Consul) -> Arc<dyn Store> {
    let mark = Sentinel::new().encode();
    consul.kv_put("own/config/_store", mark).await.expect("a write");
    connect(options(consul.address(), "own"))
}

async fn put(consul: &Consul, name: &str, note: &str) {
    let path = format!("own/config/VirtualService/default/{name}");
    consul.kv_put(&path, document(&key(name), note)).await.expect("a write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_everything_is_not_an_empty_store() {
    let directory = TempDir::new("consul-lost");
    let mut consul = Consul::start(&directory).await;
    let store = marked(&consul).await;
    put(&consul, "a", "1").await;
    let mut follower = Follower::start(&store).await;
    consul.kill();
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
    assert!(matches!(store.list().await, Err(StoreError::Unavailable { .. })));
    consul.start_again().await;
    let error = store.list().await.expect_err("it is empty now");
    assert!(matches!(error, StoreError::Unmarked { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_started_again_is_read_as_it_was() {
    let directory = TempDir::new("consul-killed");
    let mut consul = Consul::builder().server_with_data(true).start(&directory).await;
    let store = marked(&consul).await;
    put(&consul, "a", "1").await;
    let before = store.list().await.expect("it is up");
    let mut follower = Follower::start(&store).await;
    consul.kill();
    follower.until_end().await;
    consul.start_again().await;
    let after = store.list().await.expect("it is up again");
    assert_eq!((after.identity, &after.items), (before.identity, &before.items));
    assert!(after.revision >= before.revision, "{} after {}", after.revision, before.revision);
    let mut follower = Follower::start(&store).await;
    put(&consul, "a", "2").await;
    follower.until_note(&key("a"), "\"2\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_ends_the_watch_and_lists_at_a_lower_revision() {
    for tuning in [tuning(), Tuning { whole_bytes: 0, ..tuning() }] {
        let directory = TempDir::new("consul-backup");
        let consul = Consul::builder().server_with_data(true).start(&directory).await;
        marked(&consul).await;
        let store = connect(options(consul.address(), "own").tuning(tuning));
        put(&consul, "a", "1").await;
        put(&consul, "b", "1").await;
        let backup = consul.snapshot_save().await.expect("a backup");
        put(&consul, "a", "2").await;
        put(&consul, "c", "1").await;
        let mut follower = Follower::start(&store).await;
        let before = follower.revision;
        consul.snapshot_restore(&backup).await.expect("a restoration");
        let told = follower.until_end().await;
        assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
        let after = store.list().await.expect("it is up");
        assert!(after.revision < before, "{} after {before}", after.revision);
        assert_eq!(after.items.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_agent_that_goes_and_comes_is_used_again() {
    let directory = TempDir::new("consul-agent");
    let mut consul = Consul::builder().client_agent(true).start(&directory).await;
    let store = marked(&consul).await;
    put(&consul, "a", "1").await;
    let mut follower = Follower::start(&store).await;
    consul.kill_agent();
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    assert!(matches!(store.list().await, Err(StoreError::Unavailable { .. })));
    put(&consul, "a", "2").await;
    consul.start_agent_again().await;
    let mut follower = Follower::start(&store).await;
    assert!(follower.has_note(&key("a"), "\"2\""));
    // Behind an agent the server may go, and its leader with it.
    consul.kill();
    follower.until_end().await;
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_beside_the_store_do_not_move_its_listing() {
    let harness = Marked::new().await;
    harness.put_service("a", "1").await;
    let before = harness.store().list().await.expect("the store lists");
    harness.server.consul.kv_put(&format!("{}-beside/a", harness.root), "1").await.expect("a write");
    assert_eq!(harness.store().list().await.expect("the store lists"), before);
    harness.put_service("a", "2").await;
    assert!(harness.store().list().await.expect("the store lists").revision > before.revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_the_newest_key_hides_no_later_change() {
    for harness in [Marked::new().await, Marked::in_parts().await] {
        harness.put_service("a", "1").await;
        harness.put_service("newest", "1").await;
        let mut follower = harness.follow().await;
        harness.remove(key("newest")).await;
        follower.until("the deletion", |seen| seen.objects.len() == 1).await;
        harness.put_service("a", "2").await;
        follower.until_note(&key("a"), "\"2\"").await;
    }
}
