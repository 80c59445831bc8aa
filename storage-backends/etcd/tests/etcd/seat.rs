//! The leader's seat when its holder cannot reach etcd.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::{RecordWrite, Records, Store as _, StoreError};
use biplane_store_etcd::EtcdOptions;
use tokio::time::{Instant, timeout};

use crate::harness::{Shared, connect};

const PATIENCE: Duration = Duration::from_secs(30);

const LEASE: Duration = Duration::from_secs(6);

fn records(options: EtcdOptions) -> Arc<dyn Records> {
    connect(options).records().expect("there is room")
}

/// A lease that a test can wait for, and a busy machine does not miss.
fn short(options: EtcdOptions) -> EtcdOptions {
    EtcdOptions { lease: LEASE, ..options }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_knows_before_another_one_leads() {
    let shared = Shared::new().await;
    let near = records(short(
        EtcdOptions::new([format!("http://{}", shared.etcd().address(0))]).root(&*shared.root),
    ));
    let far = records(short(shared.options()));
    let mut seat = far.campaign("far").await.expect("a seat");
    let fence = seat.fence();
    let next = tokio::spawn({
        let near = near.clone();
        async move { near.campaign("near").await.map(|seat| (seat, Instant::now())) }
    });
    // It keeps the seat for longer than a lease lives.
    assert!(timeout(LEASE + LEASE / 3, seat.lost()).await.is_err(), "nothing is wrong yet");
    assert!(!next.is_finished(), "somebody leads");
    shared.link.blackhole();
    let error = timeout(PATIENCE, seat.lost()).await.expect("it learns of it");
    let known = Instant::now();
    assert!(matches!(error, StoreError::Deposed { .. }), "{error:?}");
    let (mut next, led) = timeout(PATIENCE, next).await.expect("in time").expect("no panic").expect("a seat");
    assert!(known < led, "two led for {:?}", known - led);
    assert!(next.fence().term > fence.term);
    shared.link.heal();
    let write = || vec![RecordWrite::put("status/a", "1")];
    let refused = near.write(write(), Some(&fence)).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    near.write(write(), Some(&next.fence())).await.expect("it leads");
    assert!(timeout(Duration::from_secs(1), next.lost()).await.is_err(), "it still leads");
    next.resign().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_somebody_removes_is_lost() {
    let shared = Shared::new().await;
    let records = records(short(shared.options()));
    let mut seat = records.campaign("me").await.expect("a seat");
    shared.etcd().delete(&format!("{}/meta/leader", shared.root)).await.expect("deleted");
    let error = timeout(PATIENCE, seat.lost()).await.expect("it learns of it");
    assert!(matches!(error, StoreError::Deposed { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_is_dropped_is_free_at_once() {
    let shared = Shared::new().await;
    let records = records(shared.options());
    drop(records.campaign("first").await.expect("a seat"));
    let second = timeout(Duration::from_secs(5), records.campaign("second")).await;
    second.expect("sooner than the lease ends").expect("a seat").resign().await;
}
