//! A control plane without Envoys: a driver, an engine, and a leader.

use std::sync::Arc;
use std::time::Duration;

use biplane_store::{Driver, DriverOptions, MemoryStore, Records, RevisionScope, SourceEvent, Store};
use biplane_xds::Fleets;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::guard::{Guard, Memory, Rules};
use crate::hold::Holds;
use crate::leader::{Board, Feed, Leader, run};
use crate::run_loop::Activity;
use crate::shared::SharedEngine;

/// One replica.
pub(super) struct Replica {
    pub(super) name: Arc<str>,
    pub(super) engine: SharedEngine,
    pub(super) board: Board,
    shutdown: CancellationToken,
    events: mpsc::Sender<SourceEvent>,
    tasks: Vec<JoinHandle<()>>,
}

impl Replica {
    pub(super) fn start(store: &MemoryStore, name: &str) -> Self {
        Self::start_on(Arc::new(store.clone()), name)
    }

    pub(super) fn start_on(store: Arc<dyn Store>, name: &str) -> Self {
        let records = store.records().expect("a memory store has records");
        Self::start_beside(store, records, name)
    }

    /// With records that are not quite the store's.
    pub(super) fn start_beside(store: Arc<dyn Store>, records: Arc<dyn Records>, name: &str) -> Self {
        let source = store.describe().name;
        let rules = Rules { sentinel: true, revisions: RevisionScope::Store, ..Rules::default() };
        let guard = Guard::new(&source, rules, Memory::default());
        let holds = Holds::new(Duration::ZERO);
        let engine = SharedEngine::new(Engine::guarded(Fleets::new(), holds, guard, Vec::new()));
        let activity = watch::Sender::<Activity>::default();
        let (shutdown, board, name): (_, _, Arc<str>) =
            (CancellationToken::new(), Board::default(), name.into());
        let leader = Leader {
            source: source.into(),
            records,
            engine: engine.clone(),
            activity: activity.subscribe(),
            feed: Arc::new(Feed::default()),
            board: board.clone(),
            name: name.clone(),
        };
        let (events, received) = mpsc::channel(16);
        let driver = Driver::new(store, DriverOptions::local(), events.clone());
        let tasks = vec![
            tokio::spawn(driver.run()),
            tokio::spawn(feed(engine.clone(), leader.feed.clone(), activity, received)),
        ];
        let leading = run(leader, shutdown.clone());
        let leading = tokio::spawn(async { leading.await.expect("a leader ends only when told to") });
        let tasks = [vec![leading], tasks].into_iter().flatten().collect();
        Self { name, engine, board, shutdown, events, tasks }
    }

    /// Tells it something of the store that the driver would not.
    pub(super) async fn tell(&self, event: SourceEvent) {
        self.events.send(event).await.expect("a replica listens");
    }

    /// Stops in good order.
    pub(super) async fn stop(mut self) {
        self.shutdown.cancel();
        self.tasks.remove(0).await.expect("a leader does not panic");
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn feed(
    engine: SharedEngine,
    feed: Arc<Feed>,
    activity: watch::Sender<Activity>,
    mut events: mpsc::Receiver<SourceEvent>,
) {
    while let Some(event) = events.recv().await {
        feed.note(&event);
        // A leader that is at work already must not take an event for seen that the engine has not.
        yield_now().await;
        engine.lock().on_event(event, Instant::now());
        feed.tell();
        let readings = engine.lock().store().readings;
        activity.send_modify(|activity| {
            *activity = Activity { transactions: activity.transactions + 1, readings, ..*activity };
        });
    }
}

/// Waits for something, in the tests' own time.
pub(super) async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is().await {
        assert!(began.elapsed() < Duration::from_mins(10), "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
