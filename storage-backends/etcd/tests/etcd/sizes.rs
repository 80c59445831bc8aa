//! What is larger than one answer or one transaction, and an etcd that is full.

use std::sync::Arc;

use biplane_store::conformance::{Follower, Harness as _, document, key};
use biplane_store::{Author, Batch, Precondition, Store, StoreError, StoreExt as _};
use biplane_store_etcd::EtcdOptions;
use biplane_testkit::{Etcd, eventually};

use crate::harness::{Own, ROOT, Shared, connect, names, service};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test]
async fn more_keys_than_one_page_are_listed_at_one_revision() {
    let shared = Shared::new().await;
    // Small ones first, so that a page that is long for them is large for the others.
    let note = |n: usize| "x".repeat(if n < 1500 { 1 } else { 8 * 1024 });
    let entries: Vec<_> = (0..2500).map(|n| service(&shared.root, &format!("n{n:04}"), &note(n))).collect();
    for entries in entries.chunks(100) {
        shared.etcd().put_many(entries).await.expect("written");
    }
    let names = names(&shared.store()).await;
    let expected: Vec<_> = (0..2500).map(|n| format!("n{n:04}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn more_than_four_mebibytes_are_listed_and_watched() {
    let shared = Shared::new().await;
    let store = shared.store();
    let mut follower = Follower::start(&store).await;
    let large = |name: &str| document(&key(name), &"x".repeat(450 * 1024));
    let put = |batch: Batch, name: &str| batch.put(key(name), large(name), Precondition::Absent);
    let names: Vec<_> = (0..14).map(|n| format!("n{n:02}")).collect();
    let batch = names.iter().fold(Batch::new(), |batch, name| put(batch, name));
    let from = follower.revision;
    store.commit(batch).await.expect("more than one transaction takes");
    follower.until("all of it", |seen| seen.objects.len() == names.len()).await;
    let telling = follower.told.iter().filter(|told| !told.changes.is_empty()).count();
    assert_eq!(telling, 1, "one batch is one change");
    assert_eq!(store.list().await.expect("6 MiB in one page").items.len(), names.len());
    // Everything in one answer to a watch that has to catch up.
    let mut watch = store.watch(from).await.expect("the store can be watched");
    let event = futures::StreamExt::next(&mut watch).await.expect("it goes on");
    let Ok(biplane_store::WatchEvent::Changes(changes)) = event else { panic!("no history was lost") };
    assert_eq!(changes.changes.len(), names.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_objects_of_a_batch_that_failed_are_put_back() {
    let shared = Shared::new().await;
    let store = shared.store();
    let batch = |note: &str| {
        let value = |name: &str| document(&key(name), &format!("{note}{}", "x".repeat(450 * 1024)));
        let put = |batch: Batch, n: usize| {
            let name = format!("n{n:02}");
            batch.put(key(&name), value(&name), Precondition::Any)
        };
        (0..20).fold(Batch::new(), put)
    };
    store.commit(batch("old")).await.expect("written");
    let before = store.list().await.expect("the store lists");
    let mut changing = batch("new");
    changing.operations[19].precondition = Precondition::At(before.items[19].revision);
    // Slow enough for a hand to come between.
    shared.link.throttle(6 << 20);
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.commit(changing).await }
    });
    let (first, last) = (service(&shared.root, "n00", "").0, service(&shared.root, "n19", "theirs"));
    eventually("the first step", PATIENCE, async || {
        let value = shared.etcd().get(&first).await?;
        anyhow::ensure!(value.is_some_and(|value| value.contains("newx")), "nothing is written yet");
        Ok(())
    })
    .await;
    shared.etcd().put(&last.0, &last.1).await.expect("written");
    let error = writing.await.expect("no panic").expect_err("the last object is another one now");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    shared.link.heal();
    let after = store.list().await.expect("the store lists");
    for (one, other) in before.items[..19].iter().zip(&after.items) {
        assert!(one.value == other.value, "{} is not what it was", one.key);
    }
}

#[tokio::test]
async fn an_etcd_that_takes_less_says_how_to_tell_us() {
    let own = Own::start(Etcd::builder().arguments(["--max-txn-ops=16"])).await;
    let put = |batch: Batch, n: usize| {
        let key = key(&format!("n{n:02}"));
        batch.put(key.clone(), document(&key, "1"), Precondition::Any)
    };
    let batch = (0..40).fold(Batch::new(), put);
    let error = own.store().commit(batch.clone()).await.expect_err("too many");
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("maxTxnOps")), "{error:?}");
    let store: Arc<dyn Store> = Arc::new(connect(EtcdOptions { max_operations: 16, ..own.options() }));
    let author = Author { name: "ann".to_owned(), message: String::new() };
    store.commit(batch.by(author)).await.expect("in four steps");
    assert_eq!(names(&store).await.len(), 40);
}

#[tokio::test]
async fn a_full_etcd_is_read_and_says_what_to_do() {
    let own = Own::start(Etcd::builder().quota_bytes(16 << 20)).await;
    let store = own.store();
    own.put("a", "1").await;
    let mut follower = Follower::start(&store).await;
    let filler = "x".repeat(1 << 20);
    eventually("the quota's end", PATIENCE, async || {
        let answer = own.etcd.ctl_with(["put", "fill"], &filler).await;
        anyhow::ensure!(answer.stderr.contains("database space exceeded"), "{answer:?}");
        Ok(())
    })
    .await;
    let value = document(&key("b"), "1");
    let error = store.put(key("b"), value.clone(), Precondition::Any).await.expect_err("no room");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("NOSPACE"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("alarm disarm")), "{error:?}");
    assert_eq!(names(&store).await, ["a"], "what is there is served");
    own.etcd.delete("fill").await.expect("deleting needs no room");
    own.etcd.compact_to_head().await.expect("compacted");
    own.etcd.defragment().await.expect("defragmented");
    own.etcd.alarm_disarm().await.expect("disarmed");
    store.put(key("b"), value, Precondition::Any).await.expect("there is room again");
    follower.until_note(&key("b"), "1").await;
    assert_eq!(own.etcd.get(&format!("{ROOT}/config/VirtualService/default/c")).await.expect("read"), None);
}
