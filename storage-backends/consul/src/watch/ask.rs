//! The questions of a watch, each a future that ends with what was told.

use std::time::Duration;

use biplane_consul_client::{Answer, Error, Keys, KvEntries, Query};
use biplane_store::{Revision, StoreError};
use futures::FutureExt as _;
use futures::future::abortable;
use tokio::time::{Instant, sleep};

use super::order::Names;
use super::{Running, Subject, Watch};

/// How long a question waits that has just been answered with nothing new.
pub(super) const QUIET: Duration = Duration::from_secs(1);

/// What came of a question.
#[derive(Debug)]
pub(super) enum Told {
    /// The content of a part.
    Part(Heard<KvEntries>),
    /// The names in a folder.
    Folder(Heard<Keys>),
    /// The marks, as they were after this many wishes for them.
    Marks(u64, Marks),
    /// What a look from time to time has shown.
    Probe(Result<Probe, StoreError>),
    /// What folders have in them, and when parts last changed.
    Names(Result<Names, StoreError>),
    /// The index over all keys.
    Global(Result<u64, StoreError>),
    /// Nobody wants to know any more.
    Dropped,
}

type Marks = Result<Answer<Option<KvEntries>>, StoreError>;

/// A look at the whole, past all parts.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) marks: Answer<Option<KvEntries>>,
    /// The index of the whole prefix.
    pub(super) prefix: Revision,
    /// The index over all keys.
    pub(super) global: u64,
}

/// The answer to a blocking query.
#[derive(Debug)]
pub(super) struct Heard<T> {
    /// About what, below `config/`.
    pub(super) prefix: String,
    /// After which index; `None`: it did not wait.
    pub(super) after: Option<u64>,
    /// The index that was known when it was asked: the answer is no older.
    pub(super) known: u64,
    /// How long it took.
    pub(super) took: Duration,
    pub(super) answer: Result<Answer<Option<T>>, Error>,
}

impl<T> Heard<T> {
    /// Whether the index is lower than what was waited for.
    pub(super) fn went_back(&self, index: u64) -> bool {
        self.after.is_some_and(|after| index < after)
    }

    /// Whether it returned before its time with nothing new: the server was restarted, or has another state now.
    pub(super) fn in_vain(&self, index: u64, wait: Duration) -> bool {
        self.after.is_some_and(|after| index <= after) && self.took < wait
    }
}

impl Watch {
    /// Asks for a part after an index, or for its present content. It takes the place of a question that is open.
    pub(super) fn ask_part(&mut self, prefix: String, after: Option<u64>, pause: Duration) {
        let (shared, known) = (self.shared.clone(), self.reached.max(self.view.batch_index()));
        let subject = Subject::Part(prefix.clone());
        let question = async move {
            sleep(pause).await;
            let began = Instant::now();
            let key = shared.place.config(&prefix);
            let answer = shared.client.kv_recurse(&key, &query(after, shared.tuning.wait)).await;
            Told::Part(Heard { prefix, after, known, took: began.elapsed(), answer })
        };
        let (waits, due) = (after.is_some() || pause == QUIET, Instant::now() + pause);
        self.ask(subject, waits, due, question);
    }

    /// Asks for the names in a folder.
    pub(super) fn ask_folder(&mut self, prefix: String, after: Option<u64>, pause: Duration) {
        let shared = self.shared.clone();
        let subject = Subject::Folder(prefix.clone());
        let question = async move {
            sleep(pause).await;
            let began = Instant::now();
            let key = shared.place.config(&prefix);
            let answer = shared.client.kv_keys(&key, Some("/"), &query(after, shared.tuning.wait)).await;
            Told::Folder(Heard { prefix, after, known: 0, took: began.elapsed(), answer })
        };
        self.ask(subject, after.is_some(), Instant::now() + pause, question);
    }

    /// Stops asking.
    pub(super) fn forget(&mut self, subject: &Subject) {
        if let Some(running) = self.running.remove(subject) {
            running.abort.abort();
        }
    }

    /// Wants the marks as they are from now on.
    pub(super) fn want_marks(&mut self) {
        self.marks.wanted += 1;
        self.ask_marks();
    }

    /// Asks for the marks unless that is under way.
    pub(super) fn ask_marks(&mut self) {
        if self.marks.asking || self.marks.had == self.marks.wanted {
            return;
        }
        self.marks.asking = true;
        let (shared, wish, eyes) = (self.shared.clone(), self.marks.wanted, self.eyes);
        self.queries.push(async move { Told::Marks(wish, shared.marks(eyes).await) }.boxed());
    }

    /// Looks after a while whether all is as it seems: somebody answers, the whole prefix may be read, the mark is
    /// there, the history is the one that was told, and no part has missed anything.
    pub(super) fn probe(&mut self) {
        let (shared, eyes) = (self.shared.clone(), self.eyes);
        let probe = async move {
            sleep(shared.tuning.probe).await;
            let looks = tokio::try_join!(shared.marks(eyes), shared.prefix_index(), shared.global_index());
            Told::Probe(looks.map(|(marks, prefix, global)| Probe { marks, prefix, global }))
        };
        self.queries.push(probe.boxed());
    }

    /// Asks whether this is still the history that was told.
    pub(super) fn doubt(&mut self) {
        if !self.doubtful {
            self.doubtful = true;
            let shared = self.shared.clone();
            self.queries.push(async move { Told::Global(shared.global_index().await) }.boxed());
        }
    }

    fn ask(
        &mut self,
        subject: Subject,
        waits: bool,
        due: Instant,
        question: impl Future<Output = Told> + Send + 'static,
    ) {
        let (question, abort) = abortable(question);
        self.queries.push(question.map(|told| told.unwrap_or(Told::Dropped)).boxed());
        if let Some(before) = self.running.insert(subject, Running { abort, waits, due }) {
            before.abort.abort();
        }
    }
}

fn query(after: Option<u64>, wait: Duration) -> Query {
    after.map_or_else(Query::default, |index| Query::after(index, wait))
}
