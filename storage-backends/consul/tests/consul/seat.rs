//! The leader's seat on a bad day.

use std::time::{Duration, Instant};

use biplane_store::StoreError;
use biplane_store::conformance::Harness as _;
use biplane_store_consul::Tuning;

use crate::harness::{Marked, tuning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_cannot_renew_gives_up_before_its_session_can_end() {
    let tuning = Tuning { session_ttl: Duration::from_secs(10), ..tuning() };
    let harness = Marked::tuned(tuning).await;
    let records = harness.store().records().expect("a place");
    let mut seat = records.campaign("cut off").await.expect("nobody leads");
    let began = Instant::now();
    harness.proxy.cut();
    let error = seat.lost().await;
    assert!(matches!(error, StoreError::Unavailable { .. } | StoreError::Deposed { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?} of 10 s", began.elapsed());
    harness.proxy.heal();
    // Its session may live on for a while; others wait for it.
    drop(seat);
    let others = harness.replica().await.records().expect("a place");
    let next = tokio::time::timeout(Duration::from_mins(1), others.campaign("next")).await;
    next.expect("the seat is free in time").expect("nobody leads").resign().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_who_loses_patience_leaves_no_session_behind() {
    let harness = Marked::new().await;
    let records = harness.store().records().expect("a place");
    let seat = records.campaign("first").await.expect("nobody leads");
    let waiting = tokio::time::timeout(Duration::from_millis(300), records.campaign("impatient")).await;
    assert!(waiting.is_err(), "somebody leads");
    let sessions = async || {
        let list = harness.server.consul.get("/v1/session/list").await?.json()?;
        let left = list.as_array().map_or(0, |list| {
            list.iter()
                .filter(|session| session["Name"].as_str().is_some_and(|name| name.ends_with("impatient")))
                .count()
        });
        anyhow::ensure!(left == 0, "{left} sessions are left");
        Ok(())
    };
    biplane_testkit::eventually("its session's end", Duration::from_secs(10), sessions).await;
    seat.resign().await;
}

/// Consul does not wake each query whose key is deleted by a shorter prefix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_is_deleted_with_others_is_taken_within_a_sessions_time() {
    let tuning = Tuning { session_ttl: Duration::from_secs(10), ..tuning() };
    let harness = Marked::tuned(tuning).await;
    let records = harness.store().records().expect("a place");
    let seat = records.campaign("first").await.expect("nobody leads");
    let others = harness.replica().await.records().expect("a place");
    let waiting = tokio::spawn(async move { others.campaign("next").await });
    let sessions = async || {
        let list = harness.server.consul.get("/v1/session/list").await?;
        anyhow::ensure!(list.text().contains("biplane leader next"), "it does not stand yet");
        Ok(())
    };
    biplane_testkit::eventually("its session", Duration::from_secs(10), sessions).await;
    harness.server.consul.kv_delete_prefix(&format!("{}/", harness.root)).await.expect("a deletion");
    let next = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the seat is free");
    next.expect("no panic").expect("nobody leads").resign().await;
    drop(seat);
}
