//! Bad links: cut, half-open, and the signs of life that tell them.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::conformance::{Follower, Harness as _, document, key};
use biplane_store::{Precondition, Store, StoreError, StoreExt as _};
use biplane_store_etcd::EtcdOptions;
use biplane_testkit::{Etcd, FaultProxy, eventually};
use tokio::time::Instant;

use crate::harness::{Own, ROOT, Shared, connect, names, put};

const PATIENCE: Duration = Duration::from_secs(20);

/// Short deadlines. Pings stay as they are: etcd refuses them more often.
fn impatient(options: EtcdOptions) -> EtcdOptions {
    EtcdOptions {
        liveness: Duration::from_millis(1500),
        call_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        ..options
    }
}

fn open(options: EtcdOptions) -> Arc<dyn Store> {
    Arc::new(connect(options))
}

#[tokio::test]
async fn a_half_open_link_ends_the_watch() {
    let shared = Shared::new().await;
    let store = open(impatient(shared.options()));
    let mut follower = Follower::start(&store).await;
    shared.link.blackhole();
    let began = Instant::now();
    let told = follower.until_end().await;
    assert!(told.is_empty(), "{told:?}");
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    shared.link.heal();
    eventually("the store", PATIENCE, async || Ok(store.list().await.map(drop)?)).await;
}

#[tokio::test]
async fn a_silent_watch_lives_on_its_own_questions() {
    let shared = Shared::new().await;
    let store = open(impatient(shared.options()));
    let mut follower = Follower::start(&store).await;
    // Writes of others move the revision, so that each sign of life is told.
    let first = follower.revision;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        shared.etcd().put("beside", "1").await.expect("written");
        let revision = follower.revision;
        follower.until("a sign of life", |seen| seen.revision > revision).await;
    }
    assert!(follower.revision > first);
    assert!(follower.objects.is_empty());
}

#[tokio::test]
async fn a_head_that_others_moved_is_reached_at_once() {
    let shared = Shared::new().await;
    shared.write(vec![(key("a"), document(&key("a"), "1"))]).await;
    let mut follower = Follower::start(&shared.store()).await;
    for step in 0..3 {
        if step == 2 {
            shared.remove(key("a")).await;
        } else {
            shared.etcd().put("beside", "1").await.expect("written");
        }
        let began = Instant::now();
        let head = shared.store.head().await.expect("the store says where it is");
        follower.until("the head", |seen| seen.revision >= head).await;
        // Without being asked, a silent watch speaks every five seconds.
        assert!(began.elapsed() < Duration::from_secs(2), "step {step}: {:?}", began.elapsed());
    }
    assert!(follower.objects.is_empty());
}

#[tokio::test]
async fn a_half_open_member_is_left_for_the_next_one() {
    let own = Own::start(Etcd::builder()).await;
    let link = FaultProxy::start(own.etcd.address(0));
    let endpoints = [format!("http://{}", link.address()), format!("http://{}", own.etcd.address(0))];
    let store = open(impatient(EtcdOptions::new(endpoints).root(ROOT)));
    let mut follower = Follower::start(&store).await;
    link.blackhole();
    let began = Instant::now();
    store
        .put(key("a"), document(&key("a"), "1"), Precondition::Any)
        .await
        .expect("the other member takes it");
    assert_eq!(names(&store).await, ["a"]);
    follower.until_end().await;
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let mut follower = Follower::start(&store).await;
    own.put("a", "3").await;
    follower.until_note(&key("a"), "3").await;
}

#[tokio::test]
async fn a_write_after_a_pause_goes_to_a_member_that_answers() {
    let own = Own::start(Etcd::builder()).await;
    let link = FaultProxy::start(own.etcd.address(0));
    let endpoints = [format!("http://{}", link.address()), format!("http://{}", own.etcd.address(0))];
    let store = open(impatient(EtcdOptions::new(endpoints).root(ROOT)));
    link.cut();
    let records = store.records().expect("there is room");
    let write = vec![biplane_store::RecordWrite::put("status/a", "1")];
    records.write(write, None).await.expect("nothing was sent to the first member");
    store.put(key("a"), document(&key("a"), "1"), Precondition::Any).await.expect("written");
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_is_the_same_store() {
    let mut own = Own::start(Etcd::builder()).await;
    let store = own.store();
    own.put("a", "1").await;
    let mut follower = Follower::start(&store).await;
    own.etcd.kill(0);
    follower.until_end().await;
    let error = store.list().await.expect_err("nobody is there");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("endpoint health")), "{error:?}");
    own.etcd.start_again(0);
    own.etcd.ready().await;
    eventually("the store", PATIENCE, async || Ok(store.list().await.map(drop)?)).await;
    let mut follower = Follower::start(&store).await;
    put(&own.etcd, ROOT, "b", "1").await;
    follower.until_note(&key("b"), "1").await;
    assert!(follower.has_note(&key("a"), "1"));
}

#[tokio::test]
async fn a_slow_reader_is_not_taken_for_a_dead_link() {
    use futures::StreamExt as _;
    let shared = Shared::new().await;
    let store = open(impatient(shared.options()));
    let listing = store.list().await.expect("the store lists");
    let mut watch = store.watch(listing.revision).await.expect("the store can be watched");
    shared.write(vec![(key("a"), document(&key("a"), "1"))]).await;
    let first = watch.next().await.expect("the watch goes on").expect("the watch works");
    // Nobody looks at the watch for longer than a link may be silent.
    tokio::time::sleep(Duration::from_secs(3)).await;
    shared.write(vec![(key("b"), document(&key("b"), "1"))]).await;
    let second = watch.next().await.expect("the watch goes on").expect("the watch works");
    assert_ne!(first, second);
}
