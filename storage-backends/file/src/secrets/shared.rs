//! The async side of the register: when to read, and that nothing waits for ever.
//!
//! There is no task of its own: whoever reads or watches drives the reading, for all. A file system that hangs holds
//! the lock and one thread, and everybody else is told so after a while.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use biplane_source::{Secret, SourceError, SourceState};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::options::FileSecretOptions;
use super::register::Register;
use super::slot::Told;
use super::{fault, state};
use crate::inbox::{Inbox, wait};
use crate::interest::Interest;
use crate::pending::Verdict;

/// How long anything waits for files.
const DEADLINE: Duration = Duration::from_secs(10);

/// How often the root is looked at: mounting and unmounting cause no events.
const CHECK: Duration = Duration::from_secs(5);

/// The same while something is not well, and how often all is read where events cannot be had.
const CHECK_SOON: Duration = Duration::from_secs(1);

/// What all watches of a source share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: FileSecretOptions,
    pub(super) state: Arc<watch::Sender<SourceState>>,
    pub(super) inbox: Arc<Inbox>,
    /// Counts how often everything was asked to be read again.
    pub(super) asked: watch::Sender<u64>,
    register: Arc<Mutex<Register>>,
    next_check: SyncMutex<Instant>,
    /// Somebody has stopped watching, and it has not been tidied up yet.
    is_untidy: AtomicBool,
}

/// A secret that is watched for as long as this lives.
#[derive(Debug)]
pub(super) struct Held {
    told: Option<watch::Receiver<Told>>,
    shared: Arc<Shared>,
}

impl Shared {
    /// `root` of the options is absolute.
    pub(super) fn new(options: FileSecretOptions) -> Arc<Self> {
        let waiting = SourceState::waiting(&options.name, options.required, Instant::now());
        let state = Arc::new(watch::Sender::new(waiting));
        let inbox = Arc::new(Inbox::new(Interest::Values));
        let register = Register::new(options.root.clone(), inbox.clone(), state.clone());
        Arc::new(Self {
            options,
            state,
            inbox,
            asked: watch::Sender::default(),
            register: Arc::new(Mutex::new(register)),
            next_check: SyncMutex::new(Instant::now() + CHECK_SOON),
            is_untidy: AtomicBool::new(false),
        })
    }

    pub(super) async fn read(self: &Arc<Self>, request: PathBuf) -> Result<Option<Secret>, SourceError> {
        self.with_register(move |register, _| register.read(&request)).await?
    }

    pub(super) async fn hold(self: &Arc<Self>, request: PathBuf) -> Result<Held, SourceError> {
        self.with_register(move |register, shared| Held {
            told: Some(register.begin(&request)),
            shared: shared.clone(),
        })
        .await
    }

    /// Reads one secret again, once nobody is in the middle of an edit.
    pub(super) async fn refresh(self: &Arc<Self>, request: &Path) -> Result<(), SourceError> {
        self.inbox.lull().await;
        let request = request.to_owned();
        self.with_register(move |register, _| register.refresh(&request)).await
    }

    /// Waits until there may be something to read.
    pub(super) async fn due(&self, arrived: &mut watch::Receiver<u64>) {
        loop {
            arrived.borrow_and_update();
            match self.inbox.verdict() {
                Verdict::Ripe => return,
                Verdict::Wait(until) => wait(until, arrived).await,
                Verdict::Idle if self.is_check_due() => return,
                Verdict::Idle => {
                    let next_check = *self.next_check();
                    tokio::select! {
                        _ = arrived.changed() => {}
                        () = sleep_until(next_check) => {}
                    }
                }
            }
        }
    }

    /// Reads what is pending. Of all watches that wake up for it, the first one does it.
    pub(super) async fn advance(self: &Arc<Self>) -> Result<(), SourceError> {
        self.with_register(|register, shared| {
            if shared.inbox.verdict() != Verdict::Ripe && !shared.is_check_due() {
                return;
            }
            register.advance();
            let is_uneasy = register.is_uneasy() || shared.inbox.is_deaf();
            *shared.next_check() = Instant::now() + if is_uneasy { CHECK_SOON } else { CHECK };
        })
        .await
    }

    /// Runs blocking work on the register. If the caller goes away meanwhile the work still ends.
    async fn with_register<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Register, &Arc<Self>) -> T + Send + 'static,
    ) -> Result<T, SourceError> {
        let shared = self.clone();
        let work = async {
            let mut register = self.register.clone().lock_owned().await;
            tokio::task::spawn_blocking(move || {
                let answer = work(&mut register, &shared);
                drop(register);
                shared.tidy();
                answer
            })
            .await
        };
        match timeout(DEADLINE, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Ok(Err(_)) => Err(SourceError::new("the process is shutting down")),
            Err(_) => {
                let error = fault::hangs(&self.options.name);
                state::note(&self.state, Some(error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets what nobody watches any more. Whoever has the register meanwhile does it when he is done.
    fn tidy(&self) {
        while self.is_untidy.load(Ordering::SeqCst) {
            let Ok(mut register) = self.register.try_lock() else { return };
            self.is_untidy.store(false, Ordering::SeqCst);
            register.forget_unwatched();
        }
    }

    fn is_check_due(&self) -> bool {
        Instant::now() >= *self.next_check()
    }

    fn next_check(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.next_check.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// What was told last.
    pub(super) fn told(&mut self) -> Told {
        self.receiver().borrow_and_update().clone()
    }

    /// Waits until something else is told.
    pub(super) async fn changed(&mut self) {
        // The register keeps what is held.
        let _ = self.receiver().changed().await;
    }

    fn receiver(&mut self) -> &mut watch::Receiver<Told> {
        self.told.as_mut().expect("it is given up when dropped only")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.told = None;
        self.shared.is_untidy.store(true, Ordering::SeqCst);
        self.shared.tidy();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn watched(shared: &Arc<Shared>) -> usize {
        shared.register.lock().await.len()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_secret_is_forgotten_with_its_last_watch_even_while_somebody_reads() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("key"), "1").expect("write");
        let shared = Shared::new(FileSecretOptions::new(directory.path()));
        let (one, other) = (shared.hold(PathBuf::new()).await, shared.hold(PathBuf::new()).await);
        drop(one.expect("it answers"));
        assert_eq!(watched(&shared).await, 1);
        let (began, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, wait) = std::sync::mpsc::channel();
        let reader = shared.clone();
        let reading = tokio::spawn(async move {
            let work = move |_: &mut Register, _: &Arc<Shared>| {
                began.send(()).expect("the test waits");
                wait.recv().expect("the test goes on");
            };
            reader.with_register(work).await
        });
        has_begun.await.expect("it begins");
        drop(other.expect("it answers"));
        go_on.send(()).expect("it waits");
        reading.await.expect("it ends").expect("it answers");
        assert_eq!(watched(&shared).await, 0);
    }

    #[tokio::test]
    async fn a_file_system_that_hangs_is_told_as_a_failure_and_not_waited_for() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let shared = Shared::new(FileSecretOptions::new(directory.path()));
        let hanging = shared.register.clone().lock_owned().await;
        tokio::time::pause();
        let error = shared.read(PathBuf::new()).await.expect_err("nothing answers");
        assert!(error.message.contains("does not answer") && error.hint.is_some(), "{error:?}");
        drop(hanging);
        assert_eq!(shared.read(PathBuf::new()).await, Ok(None));
    }
}
