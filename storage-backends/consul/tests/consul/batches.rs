//! Batches of several transactions whose writer dies, or is disturbed in the middle.

use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::scalars::Timestamp;
use biplane_store::conformance::{Harness as _, document};
use biplane_store::manifest::Manifest;
use biplane_store::{Author, Batch, FaultKind, Precondition, Store, StoreError, layout};
use biplane_testkit::fault_proxy::{Answer, Matcher};
use biplane_testkit::{FaultProxy, eventually, throughout};

use crate::harness::{Marked, connect, options};

/// More than three transactions' worth.
const MANY: usize = 200;

/// Slow enough to see the transactions one by one.
const SLOW: Duration = Duration::from_millis(100);

fn object(n: usize) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, format!("team-{}", n % 3), format!("u{n:03}"))
}

fn batch(note: &str) -> Batch {
    let put = |batch: Batch, n| batch.put(object(n), document(&object(n), note), Precondition::Any);
    (0..MANY).fold(Batch::new(), put).by(Author { name: "ci".into(), message: String::new() })
}

/// A store behind a slow link, and the proxy.
fn slow(harness: &Marked) -> (Arc<dyn Store>, FaultProxy) {
    let proxy = FaultProxy::http(harness.server.consul.address());
    let store = connect(options(proxy.address(), &harness.root));
    proxy.delay(SLOW);
    (store, proxy)
}

/// Waits until the first of the batch's transactions is there.
async fn begun(harness: &Marked, note: &str) {
    let path = harness.raw(&object(0));
    eventually("the first transaction", Duration::from_secs(20), async || {
        let value = harness.server.consul.kv_get(&path).await?;
        anyhow::ensure!(value.is_some_and(|value| value.contains(note)), "not yet");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies_in_the_middle_is_waited_for_and_told_and_the_next_one_finishes() {
    let harness = Marked::new().await;
    harness.store().commit(batch("old")).await.expect("a batch");
    let mut follower = harness.follow().await;
    let (store, _proxy) = slow(&harness);
    let writer = tokio::spawn(async move { store.commit(batch("new")).await });
    begun(&harness, "new").await;
    writer.abort();
    follower.until("the unfinished batch", |seen| !seen.faults.is_empty()).await;
    assert_eq!(follower.faults[0].kind, FaultKind::Unfinished);
    assert!(follower.faults[0].message.contains("ci"), "{}", follower.faults[0]);
    let half = follower.objects.values().filter(|object| contains(&object.value, "new")).count();
    assert!(half > 0 && half < MANY, "{half} of {MANY}");
    harness.store().commit(batch("newer")).await.expect("the next one takes over");
    follower.until_note(&object(0), "newer").await;
    assert!(follower.objects.values().all(|object| contains(&object.value, "newer")));
    assert_eq!(follower.faults, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_fails_in_the_middle_takes_back_what_came_before() {
    let harness = Marked::new().await;
    harness.store().commit(batch("old")).await.expect("a batch");
    let before = harness.store().list().await.expect("the store lists");
    let mut follower = harness.follow().await;
    let (store, proxy) = slow(&harness);
    let writer = tokio::spawn(async move { store.commit(batch("new")).await });
    begun(&harness, "new").await;
    let broken = Answer::status(500).body("disk full");
    proxy.answer(Matcher::path("/v1/txn").method(http::Method::PUT), broken, 1);
    let error = writer.await.expect("no panic").expect_err("one of its transactions failed");
    assert!(
        matches!(&error, StoreError::Unavailable { message, .. } if message.contains("disk full")),
        "{error:?}"
    );
    let after = harness.store().list().await.expect("the store lists");
    let values = |listing: &biplane_store::Listing| -> Vec<_> {
        listing.items.iter().map(|object| (object.key.clone(), object.value.clone())).collect()
    };
    assert_eq!(values(&after), values(&before));
    assert_eq!(after.faults, []);
    harness.put_service("marker", "1").await;
    follower.until("the marker", |seen| seen.objects.len() == MANY + 1).await;
    let told = follower.told.iter().flat_map(|told| &told.changes);
    let new = told.filter(
        |change| matches!(change, biplane_store::Change::Put(object) if contains(&object.value, "\"new\"")),
    );
    assert_eq!(new.count(), 0, "half of a batch was told");
}

/// Takes away the answer to the transaction that writes this object.
async fn lose_the_answer(proxy: &FaultProxy, harness: &Marked, n: usize) {
    let path = harness.raw(&object(n));
    eventually("the transaction", Duration::from_secs(20), async || {
        let value = harness.server.consul.kv_get(&path).await?;
        anyhow::ensure!(value.is_some_and(|value| value.contains("new")), "not yet");
        Ok(())
    })
    .await;
    proxy.reset();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_last_answer_is_lost_has_succeeded() {
    let harness = Marked::new().await;
    harness.store().commit(batch("old")).await.expect("a batch");
    let (store, proxy) = slow(&harness);
    let writer = tokio::spawn(async move { store.commit(batch("new")).await });
    lose_the_answer(&proxy, &harness, MANY - 1).await;
    let revision = writer.await.expect("no panic").expect("all of it is there");
    let after = harness.store().list().await.expect("the store lists");
    assert!(after.items.iter().all(|object| contains(&object.value, "new")), "it was half undone");
    assert_eq!((after.items.len(), after.faults), (MANY, Vec::new()));
    assert_eq!(after.items.iter().map(|object| object.revision).max(), Some(revision));
}

/// Connections that lay idle fail one by one, each with the request that finds it so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_last_answer_is_lost_has_succeeded_though_the_next_answers_are_lost_as_well() {
    let harness = Marked::new().await;
    let (store, proxy) = slow(&harness);
    let writer = tokio::spawn(async move { store.commit(batch("new")).await });
    let manifest = Matcher::path(&format!("/v1/kv/{}/config/{}", harness.root, layout::MANIFEST))
        .method(http::Method::GET);
    begun(&harness, "new").await;
    proxy.answer(manifest, Answer::status(500).body("not now"), 3);
    lose_the_answer(&proxy, &harness, MANY - 1).await;
    writer.await.expect("no panic").expect("all of it is there");
    assert_eq!(proxy.counters().answered, 3, "somebody has asked for the manifest");
    let after = harness.store().list().await.expect("the store lists");
    assert!(after.items.iter().all(|object| contains(&object.value, "new")), "it was half undone");
    assert_eq!((after.items.len(), after.faults), (MANY, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_loses_an_answer_in_the_middle_is_put_back_with_what_nobody_knows_of() {
    for before in [None, Some("old")] {
        let harness = Marked::new().await;
        if let Some(note) = before {
            harness.store().commit(batch(note)).await.expect("a batch");
        }
        let (store, proxy) = slow(&harness);
        let writer = tokio::spawn(async move { store.commit(batch("new")).await });
        lose_the_answer(&proxy, &harness, 100).await;
        let error = writer.await.expect("no panic").expect_err("an answer was lost");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let after = harness.store().list().await.expect("the store lists");
        let new = after.items.iter().filter(|object| contains(&object.value, "new")).count();
        assert_eq!((new, after.items.len()), (0, before.map_or(0, |_| MANY)), "{before:?}");
        assert_eq!(after.faults, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_write_in_the_middle_is_a_conflict_and_is_kept() {
    let harness = Marked::new().await;
    harness.store().commit(batch("old")).await.expect("a batch");
    let listing = harness.store().list().await.expect("the store lists");
    let last = object(MANY - 1);
    let mut batch = batch("new");
    let found = listing.items.iter().find(|object| object.key == last).expect("it was written");
    batch.operations[MANY - 1].precondition = Precondition::At(found.revision);
    let (store, _proxy) = slow(&harness);
    let writer = tokio::spawn(async move { store.commit(batch).await });
    begun(&harness, "new").await;
    harness.write(vec![(last.clone(), document(&last, "theirs"))]).await;
    let error = writer.await.expect("no panic").expect_err("somebody was quicker");
    assert!(matches!(&error, StoreError::Conflict { key, found: Some(_) } if *key == last), "{error:?}");
    let after = harness.store().list().await.expect("the store lists");
    let notes = |note: &str| after.items.iter().filter(|object| contains(&object.value, note)).count();
    assert_eq!((notes("old"), notes("theirs"), notes("new")), (MANY - 1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_go_with_a_batch_all_the_same() {
    let harness = Marked::new().await;
    let mut follower = harness.follow().await;
    let large = |n| document(&object(n), &"x".repeat(450 * 1024));
    let batch = (0..3).fold(Batch::new(), |batch, n| batch.put(object(n), large(n), Precondition::Absent));
    let revision = harness.store().commit(batch).await.expect("a batch of large values");
    follower.until("all three", |seen| seen.objects.len() == 3).await;
    assert!(follower.revision >= revision);
    assert_eq!(follower.told.iter().filter(|told| !told.changes.is_empty()).count(), 1, "one by one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_are_not_written_when_the_turn_is_somebody_elses() {
    let harness = Marked::new().await;
    let large = |n| document(&object(n), &format!("new{}", "x".repeat(300 * 1024)));
    let batch = (0..4).fold(Batch::new(), |batch, n| batch.put(object(n), large(n), Precondition::Any));
    let (store, _proxy) = slow(&harness);
    let theirs = Manifest::open(&batch);
    let writer = tokio::spawn(async move { store.commit(batch).await });
    begun(&harness, "new").await;
    harness.leave_batch_open(theirs).await;
    let error = writer.await.expect("no panic").expect_err("somebody has taken over");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let last = harness.server.consul.kv_get(&harness.raw(&object(3))).await.expect("an answer");
    assert_eq!(last, None, "written in somebody else's turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_write_waits_for_an_open_batch() {
    let harness = Marked::new().await;
    harness.leave_batch_open(Manifest::open(&batch("theirs"))).await;
    let (store, path) = (harness.store(), harness.raw(&object(0)));
    let put = batch("ours").operations.remove(0);
    let single = Batch { operations: vec![put], ..Batch::new() };
    let writer = tokio::spawn(async move { store.commit(single).await });
    throughout("nothing is written between its steps", Duration::from_secs(1), async || {
        anyhow::ensure!(harness.server.consul.kv_get(&path).await?.is_none());
        Ok(())
    })
    .await;
    harness.delete(layout::MANIFEST).await;
    writer.await.expect("no panic").expect("it is our turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_loses_its_mark_in_the_middle_of_a_write_is_not_written() {
    let harness = Marked::new().await;
    let (store, proxy) = slow(&harness);
    let put = batch("ours").operations.remove(0);
    let single = Batch { operations: vec![put], ..Batch::new() };
    let writer = tokio::spawn(async move { store.commit(single).await });
    // The mark has been read by then, and the transaction is not on its way yet.
    eventually("a look at the manifest", Duration::from_secs(10), async || {
        anyhow::ensure!(proxy.seen().iter().any(|seen| seen.target.contains(layout::MANIFEST)));
        Ok(())
    })
    .await;
    harness.delete(layout::SENTINEL).await;
    let error = writer.await.expect("no panic").expect_err("nothing marks it any more");
    assert!(matches!(error, StoreError::Unmarked { .. }), "{error:?}");
    let path = harness.raw(&object(0));
    assert_eq!(harness.server.consul.kv_get(&path).await.expect("an answer"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_writer_whose_clock_is_behind_is_waited_for_all_the_same() {
    let harness = Marked::new().await;
    let now = Manifest::open(&batch("theirs"));
    let behind = Timestamp(now.at.0 - 60);
    harness.leave_batch_open(Manifest { at: behind, ..now }).await;
    let listed = tokio::time::timeout(Duration::from_secs(2), harness.store().list()).await;
    assert!(listed.is_err(), "half a batch was listed: {listed:?}");
    harness.delete(layout::MANIFEST).await;
    harness.store().list().await.expect("nothing is under way");
}

fn contains(value: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(value).contains(text)
}
