//! The driver's rules, on paused time: the clock jumps to the next timer whenever all is idle.

use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::conformance::{document, key};
use biplane_store::faulty::{Cut, Faults, Mode};
use biplane_store::{
    Change, Driver, DriverHandle, DriverOptions, FaultyStore, Listing, MemoryStore, Precondition,
    SourceEvent, Store as _, StoreError, StoreExt as _, StoreMetrics,
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
    handle: DriverHandle,
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
        let (metrics, handle) = (driver.metrics(), driver.handle());
        Self { content, faults, events, metrics, handle, driver: tokio::spawn(driver.run()) }
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
    assert!((900..=1800).contains(&attempts), "one attempt every 2 to 4 s, not {attempts} an hour");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_soon_after_a_long_outage_is_replaced_at_once() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(down())));
    line.failed().await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    line.faults.heal();
    line.complete().await;
    line.put("a", "1").await;
    line.changes().await;
    let broke = Instant::now();
    line.faults.cut(Cut::Fail(down()));
    assert_eq!(line.complete().await, [key("a")]);
    assert!(broke.elapsed() <= Duration::from_millis(50), "{:?}", broke.elapsed());
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
async fn a_wiped_store_is_failed_with_its_reason_and_never_empty() {
    let mut line = Line::start();
    line.complete().await;
    line.put("a", "1").await;
    line.changes().await;
    line.content.wipe();
    let (error, _) = line.failed().await;
    assert!(matches!(error, StoreError::Unmarked { .. }), "{error:?}");
    line.content.init().await.expect("memory can be marked");
    assert_eq!(line.complete().await, [], "the one who marked it again said so");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_backwards_is_told_as_it_is() {
    let mut line = Line::start();
    line.complete().await;
    line.put("a", "1").await;
    line.changes().await;
    let backup = line.content.backup();
    line.put("b", "1").await;
    let SourceEvent::Changes(later) = line.next().await else { panic!("b was written") };
    line.content.restore(backup);
    let SourceEvent::Complete(earlier) = line.next().await else { panic!("the store was listed again") };
    assert!(earlier.revision < later.revision, "{} then {}", later.revision, earlier.revision);
    assert_eq!(earlier.items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_become_another_one_is_listed_again() {
    let mut line = Line::start();
    let SourceEvent::Complete(before) = line.next().await else { panic!("the store was listed") };
    line.content.wipe();
    line.content.init().await.expect("memory can be marked");
    let SourceEvent::Complete(after) = line.next().await else { panic!("the store was listed again") };
    assert_ne!(before.identity, after.identity);
}

#[tokio::test(start_paused = true)]
async fn a_relist_that_was_asked_for_does_not_wait() {
    let mut line = Line::start();
    line.complete().await;
    let begun = Instant::now();
    line.handle.relist();
    assert_eq!(line.complete().await, []);
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_relist_cuts_the_back_off_short() {
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(down())));
    line.failed().await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    line.faults.heal();
    let begun = Instant::now();
    line.handle.relist();
    line.complete().await;
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_to_be_left_alone_is() {
    let minute = Duration::from_mins(1);
    let busy = StoreError::busy("rate limit exceeded", minute);
    let mut line = Line::start_with(|faults| faults.on_list(Mode::Fail(busy)));
    let (error, _) = line.failed().await;
    assert_eq!(error.retry_after(), Some(minute));
    let begun = Instant::now();
    line.faults.heal();
    line.complete().await;
    assert!((60..67).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

/// A store's bad day must not become a storm: whatever fails, and at any time of the row of failures.
#[tokio::test(start_paused = true)]
async fn a_failing_store_is_listed_less_than_twice_a_second() {
    let bad_days: [fn(&Faults); 3] = [
        |faults| faults.on_list(Mode::Fail(down())),
        |faults| faults.on_watch(Mode::Fail(down())),
        |faults| faults.on_watch(Mode::Fail(StoreError::denied("revoked"))),
    ];
    for bad_day in bad_days {
        let line = Line::start_with(bad_day);
        let mut events = line.events;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        for _ in 0..30 {
            let before = line.faults.lists();
            tokio::time::sleep(Duration::from_secs(10)).await;
            let lists = line.faults.lists() - before;
            assert!(lists < 20, "{lists} lists in 10 s");
        }
    }
}

/// The same where the watch opens and breaks at once, each time.
#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_at_once_makes_no_storm_of_lists() {
    let line = Line::start();
    let (mut events, faults) = (line.events, line.faults.clone());
    tokio::spawn(async move {
        while events.recv().await.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            faults.cut(Cut::Resync);
        }
    });
    for _ in 0..30 {
        let before = line.faults.lists();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let lists = line.faults.lists() - before;
        assert!(lists < 20, "{lists} lists in 10 s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_without_changes_is_told() {
    let mut line = Line::start();
    line.complete().await;
    let revision = line.content.delete_raw("nothing/is/here");
    let SourceEvent::Changes(changes) = line.next().await else { panic!("somebody waits for {revision}") };
    assert_eq!((changes.revision, changes.changes.len()), (revision, 0));
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
