//! Three members: a leader that stands still, a majority that is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use biplane_store::conformance::{Follower, document, key};
use biplane_store::{Change, Precondition, Store, StoreError, StoreExt as _};
use biplane_testkit::{Etcd, eventually};

use crate::harness::{Own, connect, names};

const PATIENCE: Duration = Duration::from_secs(30);

async fn three() -> Own {
    Own::start(Etcd::builder().members(3)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_leader_stands_still_is_seen_once_and_in_order() {
    let mut own = three().await;
    let leader = own.etcd.leader().await.expect("a leader");
    // The watch is at a member that goes on.
    let other = (leader + 1) % 3;
    let mut endpoints = own.etcd.endpoints();
    endpoints.rotate_left(other);
    let options = biplane_store_etcd::EtcdOptions { endpoints, ..own.options() };
    let store: Arc<dyn Store> = Arc::new(connect(options));
    let mut follower = Follower::start(&store).await;
    own.put("a", "before").await;
    own.etcd.pause(leader).await;
    let mut written = Vec::new();
    for n in 0..10 {
        let value = document(&key("a"), &format!("n{n}"));
        let put = async || Ok(store.put(key("a"), value.clone(), Precondition::Any).await?);
        written.push(eventually("a write", PATIENCE, put).await);
    }
    follower.until_note(&key("a"), "n9").await;
    let told = follower.told.iter().flat_map(|told| &told.changes);
    let mut times: BTreeMap<_, usize> = BTreeMap::new();
    let mut revisions = Vec::new();
    for change in told {
        let Change::Put(object) = change else { panic!("nothing was deleted: {change:?}") };
        *times.entry(object.revision).or_default() += 1;
        revisions.push(object.revision);
    }
    assert!(revisions.is_sorted(), "{revisions:?}");
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    assert!(written.iter().all(|revision| times.contains_key(revision)), "{written:?} of {times:?}");
    own.etcd.resume(leader);
    own.etcd.ready().await;
    assert_eq!(names(&store).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_a_leader_is_no_store() {
    let mut own = three().await;
    own.put("a", "1").await;
    let options = biplane_store_etcd::EtcdOptions {
        endpoints: vec![own.etcd.endpoints().swap_remove(0)],
        call_timeout: Duration::from_secs(2),
        ..own.options()
    };
    let alone: Arc<dyn Store> = Arc::new(connect(options));
    let mut follower = Follower::start(&alone).await;
    own.etcd.kill(1);
    own.etcd.kill(2);
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
    let error = alone.list().await.expect_err("one of three knows nothing for sure");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    own.etcd.start_again(1);
    own.etcd.start_again(2);
    own.etcd.ready().await;
    eventually("the store", PATIENCE, async || Ok(alone.list().await.map(drop)?)).await;
    assert_eq!(names(&alone).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_gone_costs_one_call() {
    let mut own = three().await;
    let store = own.store();
    let mut follower = Follower::start(&store).await;
    own.etcd.kill(0);
    follower.until_end().await;
    eventually("a new leader, if the first one was it", PATIENCE, async || own.etcd.leader().await).await;
    eventually("the store", PATIENCE, async || Ok(store.list().await.map(drop)?)).await;
    let mut follower = Follower::start(&store).await;
    own.put("a", "1").await;
    follower.until_note(&key("a"), "1").await;
    store.put(key("b"), document(&key("b"), "1"), Precondition::Absent).await.expect("two are enough");
}
