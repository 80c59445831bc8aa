//! Writes editions off the path: after a change, at most every few seconds, and once more at the end, so
//! that the next run knows until when its sources were followed.
//!
//! Invariant: while the newest edition is not on disk, an attempt to write it is at most [`PERIOD`] away.

use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::StoredObject;
use biplane_store::clock::now;
use imbl::OrdMap;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{SnapshotDirectory, SnapshotHealth, SourceRecord, Sources};
use crate::discovery::KeptByQuestion;
use crate::secrets::KeptSecret;
use crate::shared::SharedEngine;

/// The least time between two editions (design.md section 6, I2), and between two attempts at one.
const PERIOD: Duration = Duration::from_secs(5);

/// Follows `editions` until shutdown. A disk that fails is reported and tried again, whether or not
/// anything changes meanwhile: serving never depends on it.
pub async fn write_editions(
    directory: Arc<SnapshotDirectory>,
    engine: SharedEngine,
    source: Arc<str>,
    editions: watch::Receiver<u64>,
    health: SnapshotHealth,
    shutdown: CancellationToken,
) {
    let good = move || {
        let engine = engine.lock();
        let record =
            SourceRecord::new(engine.guard().memory(), engine.store().read_at(Instant::now(), now()));
        let (number, objects) = engine.good();
        let secrets = engine.secrets().kept();
        let endpoints = engine.discovery().kept().clone();
        let sources = Sources::from([(source.to_string(), record)]);
        Edition { number, sources, objects, secrets, endpoints }
    };
    let writer = Writer { directory, good, written: 0, health };
    writer.follow(editions, shutdown).await;
}

/// `good` gives what to write.
struct Writer<G> {
    directory: Arc<SnapshotDirectory>,
    good: G,
    written: u64,
    /// Remembers what was said last, so that a full disk is not reported every few seconds.
    health: SnapshotHealth,
}

/// What goes on disk.
#[derive(Debug)]
pub(crate) struct Edition {
    /// Changes with what follows.
    pub(crate) number: u64,
    /// What is known of the sources.
    pub(crate) sources: Sources,
    /// The good objects.
    pub(crate) objects: OrdMap<ObjectKey, StoredObject>,
    /// What is known of secrets beside their objects.
    pub(crate) secrets: Vec<KeptSecret>,
    /// Endpoints that were looked up.
    pub(crate) endpoints: KeptByQuestion,
}

impl<G: Fn() -> Edition> Writer<G> {
    async fn follow(mut self, mut editions: watch::Receiver<u64>, shutdown: CancellationToken) {
        while self.due(&mut editions, &shutdown).await {
            self.write(false).await;
            tokio::select! {
                () = sleep(PERIOD) => {},
                () = shutdown.cancelled() => {},
            }
        }
        self.write(true).await;
    }

    /// Waits for an edition that is not on disk; false when there will be none.
    async fn due(&self, editions: &mut watch::Receiver<u64>, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => false,
            newer = editions.wait_for(|edition| *edition > self.written) => newer.is_ok(),
        }
    }

    /// The last edition is written although only the time of its reading has changed.
    async fn write(&mut self, last: bool) {
        let Edition { number, sources, objects, secrets, endpoints } = (self.good)();
        if number == 0 || number == self.written && !last {
            return;
        }
        let directory = self.directory.clone();
        let write = move || {
            let now = now();
            let endpoints: Vec<_> = endpoints.values().filter(|kept| !kept.is_stale(now)).cloned().collect();
            directory.write(&sources, objects.values(), (&secrets, &endpoints))
        };
        match spawn_blocking(write).await {
            Ok(Ok(())) => self.succeeded(number),
            Ok(Err(error)) => self.failed(error.to_string()),
            Err(error) => self.failed(format!("the writer stopped: {error}")),
        }
    }

    fn succeeded(&mut self, edition: u64) {
        self.written = edition;
        if self.health.set(None) {
            info!("the last good configuration is kept on disk again");
        }
    }

    fn failed(&mut self, failure: String) {
        if self.health.set(Some(failure)) {
            error!(
                error = self.health.failure(),
                "the last good configuration cannot be kept on disk; trying on"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use biplane_core::key::Kind;
    use biplane_core::location::Location;
    use biplane_store::Revision;
    use bytes::Bytes;
    use tokio::task::JoinHandle;

    use super::*;

    /// A running writer of one object, the edition that is current, and the attempts made so far.
    struct Running {
        directory: Arc<SnapshotDirectory>,
        editions: watch::Sender<u64>,
        attempts: Arc<AtomicU64>,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    impl Running {
        fn start(state: &Path) -> Self {
            let directory = Arc::new(SnapshotDirectory::open(state, "file:///a", None).unwrap());
            let (editions, edition) = watch::channel(0);
            let attempts = Arc::new(AtomicU64::new(0));
            let (current, counter) = (edition.clone(), attempts.clone());
            let good = move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Edition {
                    number: *current.borrow(),
                    sources: Sources::default(),
                    objects: objects(),
                    secrets: Vec::new(),
                    endpoints: KeptByQuestion::new(),
                }
            };
            let writer =
                Writer { directory: directory.clone(), good, written: 0, health: SnapshotHealth::default() };
            let shutdown = CancellationToken::new();
            let task = tokio::spawn(writer.follow(edition, shutdown.clone()));
            Self { directory, editions, attempts, shutdown, task }
        }

        fn attempts(&self) -> u64 {
            self.attempts.load(Ordering::Relaxed)
        }
    }

    fn objects() -> OrdMap<ObjectKey, StoredObject> {
        let key = ObjectKey::new(Kind::Upstream, "default", "u");
        let object = StoredObject {
            key: key.clone(),
            value: Bytes::from_static(b"{}"),
            location: Location::file("a.yaml", 1),
            revision: Revision::default(),
            created: None,
        };
        OrdMap::unit(key, object)
    }

    /// Paused time: moves on as soon as everything waits for it.
    async fn periods(count: u32) {
        sleep(PERIOD * count + PERIOD / 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn failed_write_is_tried_again_every_period_although_nothing_changes() {
        let parent = tempfile::tempdir().unwrap();
        let state = parent.path().join("state");
        let running = Running::start(&state);
        fs::write(&state, "a file where the directory should be").unwrap();
        running.editions.send_replace(1);
        periods(3).await;
        assert_eq!(running.attempts(), 4, "at once, then once a period");

        fs::remove_file(&state).unwrap();
        periods(1).await;
        assert_eq!(running.directory.load().objects, objects().values().cloned().collect::<Vec<_>>());
        let attempts = running.attempts();
        periods(10).await;
        assert_eq!(running.attempts(), attempts, "what is on disk is not written again");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_within_one_period_are_one_edition() {
        let parent = tempfile::tempdir().unwrap();
        let running = Running::start(&parent.path().join("state"));
        running.editions.send_replace(1);
        sleep(PERIOD / 2).await;
        for edition in 2..10 {
            running.editions.send_replace(edition);
        }
        periods(3).await;
        assert_eq!(running.attempts(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn last_change_is_on_disk_after_shutdown() {
        let parent = tempfile::tempdir().unwrap();
        let state = parent.path().join("state");
        let running = Running::start(&state);
        running.editions.send_replace(1);
        sleep(PERIOD / 2).await;
        fs::remove_dir_all(&state).unwrap();
        running.editions.send_replace(2);
        running.shutdown.cancel();
        running.task.await.unwrap();
        assert_eq!(running.directory.load().objects.len(), 1);
    }
}
