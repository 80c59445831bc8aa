//! The driver's rules, on paused time: the clock jumps to the next timer whenever all is idle.

use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::conformance::{document, key};
use biplane_store::faulty::{Cut, Faults, Mode};
use biplane_store::{
    Change, Driver, DriverOptions, FaultyStore, Listing, MemoryStore, Precondition, SourceEvent, Store as _,
    StoreError, StoreExt as _, StoreMetrics,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A driver at work on a store that breaks on demand.
struct Line {
    content: MemoryStore,
    faults: Arc<Faults>,
    events: mpsc::Receiver<SourceEvent>,
    metrics: Arc<StoreMetrics>,
    driver: JoinHandle<()>,
}

impl Line {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(prepare: impl FnOnce(&Faults)) -> Self {
        let content = MemoryStore::new("driver");
        let store = FaultyStore::new(Arc::new(content.clone()));
        let faults = store.faults();
        prepare(&faults);
        let (sender, events) = mpsc::channel(8);
        let driver = Driver::new(Arc::new(store), DriverOptions::remote(), sender);
        let metrics = driver.metrics();
        Self { content, faults, events, metrics, driver: tokio::spawn(driver.run()) }
    }

    async fn put(&self, name: &str, note: &str) {
        let value = document(&key(name), note);
        self.content.put(key(name), value, Precondition::Any).await.expect("memory takes any write");
    }

    async fn next(&mut self) -> SourceEvent {
        let hour = Duration::from_hours(1);
        timeout(hour, self.events.recv()).await.expect("an event within the hour").expect("the driver runs")
    }

    async fn complete(&mut self) -> Vec<ObjectKey> {
        match self.next().await {
            SourceEvent::Complete(Listing { items, .. }) => {
                items.into_iter().map(|object| object.key).collect()
            }
            other => panic!("expected Complete, got {other:?}"),
        }
    }

    async fn changes(&mut self) -> Vec<ObjectKey> {
        match self.next().await {
            SourceEvent::Changes(changes) => changes.changes.iter().map(Change::key).cloned().collect(),
            other => panic!("expected Changes, got {other:?}"),
        }
    }

    async fn failed(&mut self) -> (StoreError, Instant) {
        match self.next().await {
            SourceEvent::Failed { error, since } => (error, since),
            other => panic!("expected Failed, got {other:?}"),
        }
    }
}

fn down() -> StoreError {
    StoreError::unavailable("the server is down")
}

#[tokio::test(start_paused = true)]
async fn a_listing_comes_first_and_changes_follow() {
    let mut line = Line::start();
    assert_eq!(line.complete().await, []);
    line.put("a", "1").await;
    assert_eq!(line.changes().await, [key("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_listed_is_failed_and_never_empty() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(down())));
    assert_eq!(line.failed().await.0, down());
    line.put("a", "1").await;
    line.faults.heal();
    assert_eq!(line.complete().await, [key("a")]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_once_per_reason_and_since_the_first() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(down())));
    let (_, first) = line.failed().await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(line.events.try_recv().is_err(), "the same reason is not told again");
    line.faults.on_list(Mode::Fail(StoreError::denied("the token was revoked")));
    let (error, since) = line.failed().await;
    assert_eq!((error, since), (StoreError::denied("the token was revoked"), first));
}

#[tokio::test(start_paused = true)]
async fn attempts_go_on_for_ever_at_the_capped_pace() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(down())));
    line.failed().await;
    tokio::time::sleep(Duration::from_hours(24)).await;
    let before = line.faults.lists();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let attempts = line.faults.lists() - before;
    assert!((240..=480).contains(&attempts), "one attempt every 7.5 to 15 s, not {attempts} an hour");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_fails_at_its_deadline() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Hang));
    let begun = Instant::now();
    let (error, _) = line.failed().await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_cannot_be_opened_is_replaced_by_listing() {
    let mut line = Line::start_with(|faults| faults.on_watch(Mode::Hang));
    assert_eq!(line.complete().await, []);
    line.put("a", "1").await;
    assert_eq!(line.complete().await, [key("a")]);
    assert!(line.metrics.snapshot().watch_failures_total > 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_of_a_healthy_store_is_no_failure() {
    for cut in [Cut::End, Cut::Fail(down()), Cut::Resync] {
        let mut line = Line::start();
        line.complete().await;
        line.put("a", "1").await;
        line.changes().await;
        line.faults.cut(cut);
        assert_eq!(line.complete().await, [key("a")]);
        line.put("b", "1").await;
        assert_eq!(line.changes().await, [key("b")]);
    }
}

#[tokio::test(start_paused = true)]
async fn compacted_history_is_made_good_by_a_listing() {
    let mut line = Line::start_with(|faults| faults.on_watch(Mode::Fail(down())));
    line.complete().await;
    line.put("a", "1").await;
    line.content.compact();
    line.faults.heal();
    assert_eq!(line.complete().await, [key("a")]);
    assert_eq!(line.metrics.snapshot().list_failures_total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_found_by_the_audit_and_counted() {
    let mut line = Line::start();
    line.complete().await;
    line.faults.swallow(1);
    line.put("lost", "1").await;
    assert_eq!(line.complete().await, [key("lost")]);
    assert_eq!(line.metrics.snapshot().resync_drift_total, 1);
}

#[tokio::test(start_paused = true)]
async fn audits_of_a_healthy_store_are_silent_and_count_no_drift() {
    let mut line = Line::start();
    line.complete().await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    line.put("a", "1").await;
    assert_eq!(line.changes().await, [key("a")]);
    let metrics = line.metrics.snapshot();
    assert_eq!(metrics.resync_drift_total, 0);
    assert!(metrics.lists_total > 10, "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_behind_a_silent_watch_is_noticed_by_the_audit() {
    let mut line = Line::start();
    line.complete().await;
    line.faults.on_list(Mode::Fail(down()));
    assert_eq!(line.failed().await.0, down());
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_slows_the_driver_and_loses_nothing() {
    let mut line = Line::start();
    line.complete().await;
    let names: Vec<_> = (0..50).map(|n| format!("n{n:02}")).collect();
    for name in &names {
        line.put(name, "1").await;
    }
    for name in &names {
        assert_eq!(line.changes().await, [key(name)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_when_nobody_listens() {
    let mut line = Line::start();
    line.complete().await;
    drop(line.events);
    line.driver.await.expect("the driver ends by itself");
    assert_eq!(line.content.list().await.expect("memory lists").items, []);
}
