//! The store itself: the async side of the tree. It decides when to read; the tree knows what.
//!
//! There is no task of its own: whoever lists or watches drives the reading. Several watches share one
//! tree behind one lock that is held for the reading only, and one change log.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use biplane_store::{
    After, Batch, ChangeLog, Changes, Description, Listing, Revision, RevisionScope, Store, StoreError,
    StoredObject, WatchEvent, WatchStream,
};
use futures::StreamExt as _;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

use crate::inbox::{Inbox, LULL, wait};
use crate::interest::Interest;
use crate::options::FileOptions;
use crate::pending::Verdict;
use crate::tree::{Mode, Tree};
use crate::write::Writer;

/// How long a running git is waited for, and another process that writes for its users.
const OTHERS_MAX: Duration = Duration::from_secs(2);

/// How often a tree whose events cannot be had is compared.
const POLL: Duration = Duration::from_secs(2);

/// How often a reading is repeated before it is told, because more has happened meanwhile.
const ROUNDS: usize = 3;

/// A directory tree, or one file, as a store. Clones share the tree.
#[derive(Clone)]
pub struct FileStore {
    name: Arc<str>,
    options: Arc<FileOptions>,
    tree: Arc<Mutex<Tree>>,
    inbox: Arc<Inbox>,
    log: Arc<ChangeLog>,
    writer: Option<Arc<Writer>>,
}

impl FileStore {
    /// A store of what is below the options' root, which need not exist yet. Nothing is read before
    /// the first call.
    pub fn new(options: FileOptions) -> Result<Self, StoreError> {
        let root = absolute(&options)?;
        let (inbox, first) = (Arc::new(Inbox::new(Interest::Documents)), first_revision());
        Ok(Self {
            name: format!("file://{}", root.display()).into(),
            writer: Writer::new(&root, &options)?.map(Arc::new),
            tree: Arc::new(Mutex::new(Tree::new(root, &options, inbox.clone(), first))),
            inbox,
            log: Arc::new(ChangeLog::new(first, options.history)),
            options: Arc::new(options),
        })
    }

    /// Reads the whole tree and tells what is new.
    async fn sweep<T: Send + 'static>(&self, mode: Mode, answer: fn(&Tree) -> T) -> Result<T, StoreError> {
        self.inbox.lull().await;
        self.read(Scope::Whole(mode), Turns::Taken, answer).await
    }

    /// Reads what is pending and tells what is new.
    async fn advance(&self) -> Result<(), StoreError> {
        self.read(Scope::Pending, Turns::Taken, |_| ()).await
    }

    /// Reads, reads again before telling if more has come up meanwhile, and answers from what is told.
    async fn read<T: Send + 'static>(
        &self,
        mut scope: Scope,
        turns: Turns,
        answer: fn(&Tree) -> T,
    ) -> Result<T, StoreError> {
        let others_may_hold_until = Instant::now() + OTHERS_MAX;
        let mut rounds = 0;
        loop {
            let for_others = Instant::now() < others_may_hold_until;
            let patience = Patience {
                for_git: for_others,
                for_writer: for_others && turns == Turns::Taken,
                for_more: rounds < ROUNDS,
            };
            match self.step(scope, patience, answer).await? {
                Step::Told(answer) => return Ok(answer),
                Step::OthersAreAtWork => sleep(LULL * 2).await,
                Step::MoreToRead => {
                    rounds += 1;
                    scope = Scope::Pending;
                }
            }
            self.inbox.lull().await;
        }
    }

    async fn step<T: Send + 'static>(
        &self,
        scope: Scope,
        patience: Patience,
        answer: fn(&Tree) -> T,
    ) -> Result<Step<T>, StoreError> {
        let (inbox, log, polls) = (self.inbox.clone(), self.log.clone(), self.polls().is_some());
        let writer = self.writer.clone();
        self.with_tree(move |tree| {
            let in_turn = writer.as_ref().filter(|_| patience.for_writer);
            let Ok(_turn) = in_turn.map_or(Ok(None), |writer| writer.turn_to_read()) else {
                return Ok(Step::OthersAreAtWork);
            };
            if patience.for_git && tree.is_being_checked_out() {
                return Ok(Step::OthersAreAtWork);
            }
            let batch = inbox.take();
            let is_first = !tree.was_read();
            match scope {
                Scope::Whole(mode) => tree.sweep(mode),
                Scope::Pending if polls => tree.poll(),
                Scope::Pending => tree.apply(&batch),
            }?;
            let git_began = patience.for_git && tree.is_being_checked_out();
            if patience.for_more && (git_began || inbox.batch_verdict() != Verdict::Idle) {
                return Ok(Step::MoreToRead);
            }
            if let Some(writer) = &writer {
                tree.set_fault(&writer.journal(), writer.unfinished());
            }
            let has_news = publish(tree, &log);
            if has_news && scope != Scope::Pending && batch.is_empty() && !is_first {
                info!("a full read found changes before any event told of them");
            }
            Ok(Step::Told(answer(tree)))
        })
        .await
    }

    /// Reads what is there, and carries the batch out on that: all in one turn, whoever else writes.
    async fn write(&self, writer: Arc<Writer>, batch: Batch) -> Result<Revision, StoreError> {
        let waiting = writer.clone();
        let turn = off_the_runtime(move || waiting.take_turn()).await?;
        self.inbox.lull().await;
        self.read(Scope::Whole(Mode::Changed), Turns::Held, |_| ()).await?;
        let log = self.log.clone();
        // If the caller goes away meanwhile the work still ends, and so does the turn.
        self.with_tree(move |tree| {
            let _turn = turn;
            let swaps = writer.plan(tree.catalog(), &batch)?;
            if !swaps.is_empty() {
                writer.carry_out(&swaps)?;
                tree.sweep(Mode::Changed)?;
                publish(tree, &log);
            }
            Ok(tree.revision())
        })
        .await
    }

    /// Waits until there may be something to read.
    async fn due(&self, arrived: &mut watch::Receiver<u64>) {
        let next_check = Instant::now() + self.polls().unwrap_or(self.options.root_check);
        loop {
            arrived.borrow_and_update();
            let in_batch = self.inbox.batch_verdict() != Verdict::Idle;
            match self.inbox.verdict() {
                Verdict::Ripe => return,
                Verdict::Wait(until) if in_batch => wait(until, arrived).await,
                // Only now is nobody's burst cut in two by looking at the root.
                _ if Instant::now() >= next_check => return,
                Verdict::Wait(until) => wait(next_check.into_std().min(until), arrived).await,
                Verdict::Idle => {
                    tokio::select! {
                        _ = arrived.changed() => {}
                        () = sleep_until(next_check) => {}
                    }
                }
            }
        }
    }

    fn polls(&self) -> Option<Duration> {
        self.options.poll.or_else(|| self.inbox.is_deaf().then_some(POLL))
    }

    /// Runs blocking work on the tree. If the caller goes away meanwhile the work still ends, and the tree
    /// is whole; a file system that hangs holds the lock and not one thread per attempt.
    async fn with_tree<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut tree = self.tree.clone().lock_owned().await;
        off_the_runtime(move || work(&mut tree)).await
    }
}

/// Runs what blocks.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(StoreError::unavailable("the process is shutting down")),
    })
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The whole tree.
    Whole(Mode),
    /// What events have named.
    Pending,
}

/// What a reading still waits for before it tells.
#[derive(Clone, Copy, Debug)]
struct Patience {
    for_git: bool,
    for_writer: bool,
    for_more: bool,
}

/// Whether a reading takes turns with writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    /// It waits for them, and they for it.
    Taken,
    /// It is the writer's own.
    Held,
}

/// How a reading ended.
#[derive(Debug)]
enum Step<T> {
    /// What was found is told; the answer that was asked for.
    Told(T),
    /// Nothing was read: a git is writing the tree, or another Biplane is.
    OthersAreAtWork,
    /// More has come up while it was read; nothing is told yet.
    MoreToRead,
}

/// Tells the log what is new; whether anything was.
fn publish(tree: &mut Tree, log: &ChangeLog) -> bool {
    tree.commit().map(|changes| log.push(changes)).is_some()
}

/// Where the revisions of this process begin: at a number that no earlier process and no other replica has
/// reached, since none reads once a microsecond. So a writer's condition on what another process told it never
/// holds by accident.
fn first_revision() -> Revision {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Revision(u64::try_from(since.as_micros()).unwrap_or_default())
}

fn absolute(options: &FileOptions) -> Result<PathBuf, StoreError> {
    std::path::absolute(&options.root).map_err(|error| {
        StoreError::invalid(format!("{} is no path: {error}", options.root.display()))
            .with_hint("name a directory or a file")
    })
}

#[async_trait]
impl Store for FileStore {
    fn describe(&self) -> Description {
        Description {
            name: self.name.to_string(),
            writable: self.writer.is_some(),
            sentinel: false,
            revisions: RevisionScope::Process,
        }
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.sweep(Mode::Everything, Tree::listing).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        self.sweep(Mode::Changed, |_| ()).await?;
        let key = key.clone();
        self.with_tree(move |tree| Ok(tree.catalog().object(&key).cloned())).await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        let watch =
            Watch { head: self.log.subscribe(), arrived: self.inbox.subscribe(), store: self.clone(), from };
        let next = |watch: Option<Watch>| async move { Some(watch?.next().await) };
        Ok(futures::stream::unfold(Some(watch), next).boxed())
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.sweep(Mode::Changed, Tree::revision).await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let Some(writer) = self.writer.clone() else {
            return Err(StoreError::ReadOnly { store: self.name.to_string() });
        };
        batch.check()?;
        self.write(writer, batch).await
    }
}

/// One open watch.
struct Watch {
    store: FileStore,
    from: Revision,
    head: watch::Receiver<Revision>,
    arrived: watch::Receiver<u64>,
}

impl Watch {
    /// The next word, and the watch if it goes on after it.
    async fn next(mut self) -> (Result<WatchEvent, StoreError>, Option<Self>) {
        loop {
            self.head.borrow_and_update();
            match self.store.log.after(self.from) {
                After::Next(changes) => return self.tell(changes),
                After::Lost => return (Ok(WatchEvent::Resync), None),
                After::Nothing => {}
            }
            if let Err(error) = self.wait().await {
                return (Err(error), None);
            }
        }
    }

    fn tell(mut self, changes: Changes) -> (Result<WatchEvent, StoreError>, Option<Self>) {
        self.from = changes.revision;
        (Ok(WatchEvent::Changes(changes)), Some(self))
    }

    /// Until the log has moved, or may have.
    async fn wait(&mut self) -> Result<(), StoreError> {
        tokio::select! {
            _ = self.head.changed() => return Ok(()),
            () = self.store.due(&mut self.arrived) => {}
        }
        self.store.advance().await
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
