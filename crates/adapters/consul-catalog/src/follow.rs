//! Keeping one question answered: wait for a change, read, judge, tell; for as long as somebody listens.
//!
//! ```text
//!  a connection is left ──▶ blocking query ──────────────┐
//!  none is left ──────────▶ hints: this service moved ──▶├──▶ believe ──▶ Part { known, trouble }
//!  cannot be waited for ──▶ every so often ──────────────┘
//! ```
//!
//! By the book: an index that went back or a return in vain means to start over without waiting, an index is never
//! zero, a return is no proof of a change, and what is told is compared with what was told before.

mod believe;

use std::sync::Arc;
use std::time::Duration;

use biplane_consul_client::{Answer, Error, Query};
use biplane_source::SourceError;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::catalog::Catalog;
use crate::counters::count;
use crate::failure::Failure;
use crate::hints::{Moved, Seat};
use crate::subject::{Content, Subject};
use biplane_source::pace::{Backoff, around};

/// How long a question waits whose answer came before its time and brought nothing.
const QUIET: Duration = Duration::from_secs(1);

/// How often somebody who lives on hints reads without one.
const AUDIT: Duration = Duration::from_mins(5);

/// What is known of one question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// The last answer that was believed.
    pub(crate) known: Option<Arc<Content>>,
    /// Why there is no newer one.
    pub(crate) trouble: Option<SourceError>,
}

/// Somebody who keeps a question answered. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    subject: Subject,
    catalog: Arc<Catalog>,
    told: watch::Receiver<Part>,
    task: AbortHandle,
}

impl Follower {
    pub(crate) fn start(catalog: Arc<Catalog>, subject: Subject) -> Self {
        let (tell, told) = watch::channel(Part::default());
        let round = Round::new(Arc::clone(&catalog), subject.clone(), tell);
        let task = tokio::spawn(round.run()).abort_handle();
        Self { subject, catalog, told, task }
    }

    /// What is known now and from now on.
    pub(crate) fn told(&self) -> watch::Receiver<Part> {
        self.told.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
        self.catalog.forget(&self.subject);
    }
}

/// How a change is noticed.
enum Way {
    /// By waiting for it, on a connection of its own. Lists of services are few and need no permit.
    Waiting(#[expect(dead_code, reason = "it is given back with the way")] Option<OwnedSemaphorePermit>),
    /// By somebody who watches the whole catalog.
    Hinted(Seat),
    /// Not at all: it is asked every so often.
    Polled,
}

type Waiting = BoxFuture<'static, (Result<Answer<Content>, Error>, Duration)>;

/// The state of a follower.
struct Round {
    catalog: Arc<Catalog>,
    subject: Subject,
    tell: watch::Sender<Part>,
    way: Way,
    pulse: watch::Receiver<u64>,
    /// A query that waits. It outlives readings in between: to drop it would cost a connection.
    waiting: Option<Waiting>,
    /// After which index to wait; `None`: read now.
    after: Option<u64>,
    /// The index of the last answer that came from a server itself.
    seen: u64,
    /// The catalog's life in which it was last seen whole.
    life: u64,
    /// Since when there is trouble.
    failing: Option<Instant>,
    /// How long to leave it alone before the next question.
    rest: Duration,
    backoff: Backoff,
}

impl Round {
    fn new(catalog: Arc<Catalog>, subject: Subject, tell: watch::Sender<Part>) -> Self {
        let way = Self::way(&catalog, &subject);
        Self {
            way,
            pulse: catalog.pulse.subscribe(),
            waiting: None,
            after: None,
            seen: 0,
            life: catalog.trust.life(subject.datacenter()),
            failing: None,
            rest: Duration::ZERO,
            backoff: Backoff::new(catalog.options.tuning.retry_max),
            tell,
            subject,
            catalog,
        }
    }

    fn way(catalog: &Arc<Catalog>, subject: &Subject) -> Way {
        if !subject.can_wait() {
            return Way::Polled;
        }
        if subject.is_list() {
            return Way::Waiting(None);
        }
        match catalog.connection() {
            Some(permit) => Way::Waiting(Some(permit)),
            None => Way::Hinted(catalog.hints(&subject.scope).seat(subject)),
        }
    }

    async fn run(mut self) {
        loop {
            match self.turn().await {
                Ok(answer) => {
                    self.heard(answer);
                    sleep(std::mem::take(&mut self.rest)).await;
                }
                Err(failure) => {
                    self.failed(failure);
                    self.retry().await;
                }
            }
        }
    }

    /// One answer that may be believed.
    async fn turn(&mut self) -> Result<Answer<Content>, Failure> {
        let answer = self.next().await?;
        self.believe(answer).await
    }

    /// The next answer: now, or when something has changed.
    async fn next(&mut self) -> Result<Answer<Content>, Failure> {
        let Some(after) = self.after else { return self.read(self.subject.query()).await };
        if matches!(self.way, Way::Hinted(_))
            && let Some(permit) = self.catalog.connection()
        {
            self.way = Way::Waiting(Some(permit));
        }
        match &mut self.way {
            Way::Waiting(_) => self.wait(after).await,
            Way::Hinted(_) => self.wait_for_hint(after).await,
            Way::Polled => {
                tokio::select! {
                    () = sleep(around(self.catalog.options.refresh)) => {}
                    _ = self.pulse.changed() => {}
                }
                self.read(self.subject.query()).await
            }
        }
    }

    async fn wait(&mut self, after: u64) -> Result<Answer<Content>, Failure> {
        if self.waiting.is_none() {
            self.waiting = Some(self.blocking(after));
        }
        let waiting = self.waiting.as_mut().expect("it was just made sure of");
        tokio::select! {
            biased;
            (answer, took) = waiting => {
                self.waiting = None;
                let answer = answer.map_err(|error| Failure::of_call(&self.subject, &error))?;
                let is_early = took < self.catalog.options.wait;
                if answer.meta.kept && !is_early {
                    return self.read(self.direct()).await;
                }
                if answer.meta.index <= after && is_early {
                    return self.was_let_go(answer).await;
                }
                Ok(answer)
            }
            _ = self.pulse.changed() => self.read(self.subject.query()).await,
        }
    }

    /// A query that waits came back before its time and brought nothing. By the book it is asked anew without waiting: at
    /// once if the catalog may have been replaced, else after a while.
    async fn was_let_go(&mut self, answer: Answer<Content>) -> Result<Answer<Content>, Failure> {
        let settle = self.catalog.options.tuning.settle;
        if self.catalog.trust.was_let_go(self.subject.datacenter(), settle) {
            self.catalog.began_anew();
            return self.read(self.direct()).await;
        }
        self.rest = QUIET;
        Ok(answer)
    }

    fn blocking(&self, after: u64) -> Waiting {
        let (catalog, subject) = (Arc::clone(&self.catalog), self.subject.clone());
        let wait = Some((after, catalog.options.wait));
        let query = Query { wait, ..subject.query() };
        async move {
            let began = Instant::now();
            let answer = subject.ask(&catalog.client, &query).await;
            (answer, began.elapsed())
        }
        .boxed()
    }

    async fn wait_for_hint(&mut self, after: u64) -> Result<Answer<Content>, Failure> {
        let Way::Hinted(seat) = &mut self.way else { unreachable!("only asked of those who live on hints") };
        let audit = sleep(around(AUDIT));
        tokio::pin!(audit);
        loop {
            let moved = tokio::select! {
                moved = seat.moved() => moved.map_err(|error| Failure { error, is_general: true })?,
                _ = self.pulse.changed() => Moved::Here,
                () = &mut audit => Moved::Here,
            };
            let has_moved = match moved {
                Moved::Here => true,
                Moved::Somewhere => {
                    tokio::select! {
                        biased;
                        () = seat.touched() => true,
                        index = probe(&self.catalog, &self.subject) => index? != after,
                    }
                }
            };
            if has_moved {
                return self.read(self.subject.query()).await;
            }
        }
    }

    /// Asks without waiting for a change.
    async fn read(&mut self, query: Query) -> Result<Answer<Content>, Failure> {
        let _turn = self.catalog.reads.acquire().await.expect("it is never closed");
        let answer = self.subject.ask(&self.catalog.client, &query).await;
        answer.map_err(|error| Failure::of_call(&self.subject, &error))
    }

    /// Takes in an answer that is believed.
    fn heard(&mut self, answer: Answer<Content>) {
        let Answer { value, meta } = answer;
        count(&self.catalog.counters.reads);
        let is_vain = self.rest == QUIET;
        self.after = (!is_vain).then_some(meta.index);
        if !meta.kept {
            self.seen = meta.index;
        }
        self.rest = self.rest.max(self.catalog.options.tuning.pause);
        self.failing = None;
        self.backoff.reset();
        self.note_life(&value);
        self.catalog.report.answered(self.subject.datacenter());
        let is_news = self.tell.send_if_modified(|part| {
            let is_other = part.known.as_deref() != Some(&value);
            let is_over = part.trouble.take().is_some();
            if is_other {
                part.known = Some(Arc::new(value));
            }
            is_other || is_over
        });
        if is_news {
            count(&self.catalog.counters.changes);
        }
    }

    /// Notes that it is there in this life of the catalog, if there is a new one.
    fn note_life(&mut self, value: &Content) {
        let life = self.catalog.trust.life(self.subject.datacenter());
        if self.life == life {
            return;
        }
        let part = self.tell.borrow();
        if part.known.as_ref().is_some_and(|known| known.len() > 0 && !value.is_ruin_of(known)) {
            self.catalog.trust.is_back(&self.subject);
        }
        self.life = life;
    }

    fn failed(&mut self, failure: Failure) {
        count(&self.catalog.counters.read_failures);
        self.after = None;
        self.rest = Duration::ZERO;
        self.failing.get_or_insert_with(Instant::now);
        self.catalog.report.failed(self.subject.datacenter(), &failure);
        self.tell.send_if_modified(|part| {
            let is_news = part.trouble.as_ref() != Some(&failure.error);
            part.trouble = Some(failure.error);
            is_news
        });
    }

    /// Waits before it is tried again.
    async fn retry(&mut self) {
        tokio::select! {
            () = sleep(self.backoff.delay()) => {}
            _ = self.pulse.changed() => {}
        }
    }
}

/// When it last changed.
async fn probe(catalog: &Catalog, subject: &Subject) -> Result<u64, Failure> {
    let _turn = catalog.probes.acquire().await.expect("it is never closed");
    count(&catalog.counters.probes);
    let index = subject.ask_index(&catalog.client).await;
    index.map_err(|error| Failure::of_call(subject, &error))
}
