//! Batches of several transactions that do not come to their end.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::conformance::{Follower, Harness as _, document, key};
use biplane_store::manifest::Manifest;
use biplane_store::{Author, Batch, FaultKind, Precondition, Store, StoreError, layout};
use biplane_store_etcd::EtcdOptions;
use biplane_testkit::eventually;

use crate::harness::{Shared, connect, names, service};

/// Objects of a batch: twenty steps of etcd's smallest transaction that we take.
const MANY: usize = 100;

const SOON: Duration = Duration::from_secs(10);

/// A writer of small steps over a slow link, so that there is a middle.
fn slow(shared: &Shared) -> Arc<dyn Store> {
    shared.link.delay(Duration::from_millis(35));
    Arc::new(connect(EtcdOptions { max_operations: 8, ..shared.options() }))
}

/// A reader over a link of its own, who also writes in small steps.
fn reader(shared: &Shared) -> Arc<dyn Store> {
    let endpoint = format!("http://{}", shared.etcd().address(0));
    let options = EtcdOptions::new([endpoint]).root(&*shared.root);
    Arc::new(connect(EtcdOptions { max_operations: 8, ..options }))
}

fn name(n: usize) -> String {
    format!("n{n:03}")
}

fn batch(note: &str, precondition: Precondition) -> Batch {
    let author = Author { name: "ci-job".to_owned(), message: String::new() };
    let put = |batch: Batch, n: usize| {
        let key = key(&name(n));
        batch.put(key.clone(), document(&key, note), precondition)
    };
    (0..MANY).fold(Batch::new(), put).by(author)
}

/// Waits until some of the batch is written.
async fn middle(shared: &Shared) {
    let first = service(&shared.root, &name(0), "new").0;
    eventually("the first step", SOON, async || {
        let value = shared.etcd().get(&first).await?;
        anyhow::ensure!(value.as_ref().is_some_and(|value| value.contains("\"new\"")), "{value:?}");
        Ok(())
    })
    .await;
}

async fn manifest(shared: &Shared) -> Manifest {
    let text = shared.etcd().get(&shared.at(layout::MANIFEST)).await.expect("read").expect("a manifest");
    Manifest::decode(text.as_bytes()).expect("a manifest")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies_in_the_middle_is_waited_for_and_then_told() {
    let shared = Shared::new().await;
    let reader = reader(&shared);
    reader.commit(batch("old", Precondition::Any)).await.expect("written");
    let mut follower = Follower::start(&reader).await;
    let writer = slow(&shared);
    let dying = tokio::spawn(async move { writer.commit(batch("new", Precondition::Any)).await });
    middle(&shared).await;
    dying.abort();
    assert!(dying.await.is_err_and(|error| error.is_cancelled()), "it was in the middle");
    assert!(manifest(&shared).await.open);
    // A listing shows what was before; a watch holds back.
    let listing = reader.list().await.expect("the store lists");
    let is_old = |value: &[u8]| String::from_utf8_lossy(value).contains("\"old\"");
    assert!(listing.items.iter().all(|object| is_old(&object.value)), "half of a batch is shown");
    assert!(listing.faults.is_empty(), "{:?}", listing.faults);
    let one = reader.get(&key(&name(0))).await.expect("read").expect("there");
    assert!(is_old(&one.value), "half of a batch is shown");
    follower.until("the unfinished batch", |seen| !seen.faults.is_empty()).await;
    let fault = &follower.faults[0];
    assert_eq!(fault.kind, FaultKind::Unfinished);
    assert!(fault.message.contains("ci-job") && fault.message.contains("100"), "{fault}");
    assert!(follower.has_note(&key(&name(0)), "\"new\""), "told with its fault");
    let listing = reader.list().await.expect("the store lists");
    assert_eq!(listing.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Unfinished]);
    // The next one finishes it.
    reader.commit(batch("newer", Precondition::Any)).await.expect("it takes over");
    follower.until("all of it", |seen| seen.faults.is_empty()).await;
    assert!((0..MANY).all(|n| follower.has_note(&key(&name(n)), "\"newer\"")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_that_breaks_in_the_middle_undoes_the_batch() {
    let shared = Shared::new().await;
    let reader = reader(&shared);
    let mut follower = Follower::start(&reader).await;
    let writer = slow(&shared);
    let writing = tokio::spawn(async move { writer.commit(batch("new", Precondition::Absent)).await });
    middle(&shared).await;
    // Somebody with etcdctl, who waits for nobody.
    let last = name(MANY - 1);
    let (path, value) = service(&shared.root, &last, "theirs");
    shared.etcd().put(&path, &value).await.expect("written");
    let error = writing.await.expect("no panic").expect_err("the last object is not absent any more");
    assert!(matches!(&error, StoreError::Conflict { key: guilty, .. } if *guilty == key(&last)), "{error:?}");
    assert!(!manifest(&shared).await.open);
    assert_eq!(names(&reader).await, std::slice::from_ref(&last));
    follower.until_note(&key(&last), "theirs").await;
    assert_eq!(follower.objects.len(), 1);
    let told: Vec<_> = follower.told.iter().flat_map(|told| &told.changes).map(|c| c.key().clone()).collect();
    assert_eq!(told, [key(&last)], "of what was undone nothing is told");
    let intents = shared.etcd().keys(&format!("{}/meta/intents/", shared.root)).await.expect("listed");
    assert_eq!(intents, [""; 0], "what did not happen was not meant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_undone_leaves_what_was_there() {
    let shared = Shared::new().await;
    let reader = reader(&shared);
    reader.commit(batch("old", Precondition::Any)).await.expect("written");
    let before = reader.list().await.expect("the store lists");
    let mut changing = batch("new", Precondition::Any);
    let last = &mut changing.operations[MANY - 1];
    last.precondition = Precondition::At(before.items[MANY - 1].revision);
    let writer = slow(&shared);
    let writing = tokio::spawn(async move { writer.commit(changing).await });
    middle(&shared).await;
    shared.write(vec![(key(&name(MANY - 1)), document(&key(&name(MANY - 1)), "theirs"))]).await;
    let error = writing.await.expect("no panic").expect_err("the last object is another one now");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    let after = reader.list().await.expect("the store lists");
    let values = |items: &[biplane_store::StoredObject]| {
        items.iter().map(|object| (object.key.clone(), object.value.clone())).collect::<Vec<_>>()
    };
    let all_but_last = MANY - 1;
    assert_eq!(values(&after.items[..all_but_last]), values(&before.items[..all_but_last]));
    assert!(after.faults.is_empty(), "{:?}", after.faults);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_breaks_in_the_middle_says_what_stands() {
    let shared = Shared::new().await;
    let reader = reader(&shared);
    let writer = slow(&shared);
    let writing = tokio::spawn(async move { writer.commit(batch("new", Precondition::Any)).await });
    middle(&shared).await;
    shared.link.cut();
    let error = writing.await.expect("no panic").expect_err("the link is cut");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("of the batch's 101 writes stand"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("again")), "{error:?}");
    assert_eq!(names(&reader).await, [""; 0], "nobody sees half of it");
    // The same batch again, once the first one is not waited for any more.
    reader.commit(batch("newer", Precondition::Any)).await.expect("it takes over");
    assert_eq!(names(&reader).await.len(), MANY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_write_waits_for_a_batch() {
    let shared = Shared::new().await;
    let reader = reader(&shared);
    let writer = slow(&shared);
    let writing = tokio::spawn(async move { writer.commit(batch("new", Precondition::Any)).await });
    middle(&shared).await;
    let small = Batch::new().put(key("z"), document(&key("z"), "1"), Precondition::Absent);
    let revision = reader.commit(small).await.expect("written");
    let batch = writing.await.expect("no panic").expect("written");
    assert!(batch < revision, "{batch} and then {revision}");
    assert_eq!(names(&reader).await.len(), MANY + 1, "what was told to be written is listed");
}
