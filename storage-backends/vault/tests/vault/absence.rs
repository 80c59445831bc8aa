//! What is no absence: a missing mount, another engine, a replica that is behind, a page of something else.

use std::time::Duration;

use biplane_source::{Cause, Listing, SecretSource as _, SourceError};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use serde_json::json;

use crate::harness::{Reader, World, kv, kv_version, told, unique};

async fn refused(world: &World, request: biplane_source::SecretRequest) -> SourceError {
    world.source().read(&request).await.expect_err("that is no absence")
}

#[tokio::test]
async fn a_missing_mount_is_a_failure_and_not_an_absence() {
    let world = World::new().await;
    let mount = unique("nowhere");
    for request in [kv(&mount, "a"), kv_version(&mount, "a", 1), kv_version(&mount, "a", 2)] {
        let error = refused(&world, request).await;
        assert!(told(&error).contains(&mount) && error.hint.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn a_mount_that_goes_away_under_a_watch_is_a_failure() {
    for version in [1, 2] {
        let world = World::new().await;
        let (mount, store) = world.kv(version).await;
        store.write("a", &json!({ "n": "1" })).await.expect("a write");
        let source = world.source();
        let mut reader = Reader::new(&source, &kv(&mount, "a"));
        assert_eq!(reader.values().await["n"], "1");
        world.root().unmount(&mount).await.expect("its end");
        let error = reader.failure().await;
        assert!(told(&error).contains(&mount), "{error:?}");
    }
}

#[tokio::test]
async fn an_engine_of_another_kind_or_version_is_named() {
    let world = World::new().await;
    let pki = unique("pki");
    world.root().pki(&pki).mount().await.expect("an engine");
    let error = refused(&world, kv(&pki, "a")).await;
    assert!(error.cause == Cause::Invalid && error.message.contains(r#"type "pki""#), "{error:?}");
    let (one, _) = world.kv(1).await;
    let (two, _) = world.kv(2).await;
    for (mount, said, is) in [(one, 2, "version: 1"), (two, 1, "version: 2")] {
        let error = refused(&world, kv_version(&mount, "a", said)).await;
        assert!(told(&error).contains(is), "{error:?}");
    }
    let (mount, _) = world.kv(2).await;
    let error = refused(&world, kv(&format!("{mount}/below"), "a")).await;
    assert!(told(&error).contains(&format!("at {mount:?}")), "{error:?}");
}

#[tokio::test]
async fn a_page_of_something_else_is_no_answer() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    reader.values().await;
    for status in [200, 404] {
        let page = Answer { body: "<html>canary</html>".into(), ..Answer::status(status) };
        world.link.answer(Matcher::path(&format!("/v1/{mount}")), page, ALWAYS);
        let error = reader.failure().await;
        assert!(error.message.contains("something else than Vault"), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"));
        world.link.heal();
        assert_eq!(reader.values().await["n"], "1");
    }
}

/// What a replica answers that has not yet got the last write.
fn old(version: u64, created: &str) -> Answer {
    let metadata =
        json!({ "version": version, "created_time": created, "deletion_time": "", "destroyed": false });
    let body = json!({ "data": { "data": { "n": "old" }, "metadata": metadata } });
    Answer { body: body.to_string(), ..Answer::status(200) }
}

#[tokio::test]
async fn a_replica_that_is_behind_changes_nothing() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    for n in 1..=3 {
        store.write("a", &json!({ "n": n.to_string() })).await.expect("a write");
    }
    let source = world.source();
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    assert_eq!(reader.values().await["n"], "3");
    let metadata = json!({ "data": { "current_version": 2, "versions": { "2": { "deletion_time": "", "destroyed": false } } } });
    let behind = Answer { body: metadata.to_string(), ..Answer::status(200) };
    world.link.answer(Matcher::path(&format!("/v1/{mount}/metadata/a")), behind, ALWAYS);
    world.link.answer(Matcher::path(&format!("/v1/{mount}/data/a")), old(2, "2020-01-01T00:00:00Z"), ALWAYS);
    source.refresh();
    reader.silence(Duration::from_secs(2)).await;
    assert!(world.requests(&format!("{mount}/data/a")) >= 2, "the replica was asked");
    world.link.heal();
    store.write("a", &json!({ "n": "4" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "4");
}

#[tokio::test]
async fn a_replica_that_has_not_got_the_secret_yet_changes_nothing() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    reader.values().await;
    let nothing = Answer { body: r#"{"errors":[]}"#.into(), ..Answer::status(404) };
    for place in ["metadata", "data"] {
        world.link.answer(Matcher::path(&format!("/v1/{mount}/{place}/a")), nothing.clone(), 1);
    }
    source.refresh();
    reader.silence(Duration::from_secs(2)).await;
    store.purge("a").await.expect("its end");
    assert_eq!(reader.next().await, Listing::Complete(None));
}
