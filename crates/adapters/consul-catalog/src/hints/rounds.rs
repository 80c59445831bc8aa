//! The three queries that wait, and what their answers are turned into.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use biplane_consul_client::{Answer, Check, CheckStatus, Error, Query, QueryMeta, Scope};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until};

use super::Seats;
use super::board::{Checks, renamed};
use crate::catalog::Catalog;
use crate::counters::count;
use crate::failure::Failure;
use crate::subject::{Content, Subject, What};
use biplane_source::pace::Backoff;

/// How long a question waits whose answer came before its time and brought nothing.
const QUIET: Duration = Duration::from_secs(1);

/// How soon after a sweep the next one may be.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// All checks are read again after this many times as long as that took.
const CHECKS_PAUSE: u32 = 3;

/// Longer than anything that is waited for.
const LONG: Duration = Duration::from_hours(1);

/// Watches, for ever.
pub(super) async fn run(catalog: Arc<Catalog>, scope: Scope, seats: Arc<Seats>) {
    let mut backoff = Backoff::new(catalog.options.tuning.retry_max);
    loop {
        let began = Instant::now();
        let Err(failure) = watch(&catalog, &scope, &seats).await;
        catalog.report.failed(scope.datacenter.as_deref(), &failure);
        seats.trouble(Some(failure.error));
        if began.elapsed() > catalog.options.wait {
            backoff.reset();
        }
        sleep(backoff.delay()).await;
    }
}

async fn watch(catalog: &Arc<Catalog>, scope: &Scope, seats: &Seats) -> Result<Infallible, Failure> {
    let mut round = Round::begin(catalog, scope, seats).await?;
    seats.trouble(None);
    // Whatever happened before this began may have gone unseen.
    seats.sweep();
    loop {
        round.step().await?;
    }
}

/// A query that waits.
type Waiting<T> = BoxFuture<'static, Result<Heard<T>, Error>>;

/// Its answer.
struct Heard<T> {
    answer: Answer<T>,
    /// The index that was known when it was asked.
    known: u64,
    is_vain: bool,
}

/// How a question is asked next.
#[derive(Clone, Copy)]
struct Next {
    /// The last index that was heard.
    known: u64,
    /// Whether it waits for a later one.
    waits: bool,
    /// How long before that it is not asked.
    rest: Duration,
}

struct Round<'a> {
    catalog: &'a Arc<Catalog>,
    scope: &'a Scope,
    seats: &'a Seats,
    critical: (Checks, Waiting<Vec<Check>>),
    warning: (Checks, Waiting<Vec<Check>>),
    services: (BTreeMap<String, Vec<String>>, Waiting<Content>),
    /// All checks, as they were when they were last read.
    all: Checks,
    /// When they are to be read again, and not before.
    read_all: Option<Instant>,
    rested: Instant,
    /// When all are to be asked for their index, and when they last were.
    sweep: Option<Instant>,
    swept: Instant,
}

impl<'a> Round<'a> {
    async fn begin(catalog: &'a Arc<Catalog>, scope: &'a Scope, seats: &'a Seats) -> Result<Self, Failure> {
        let subject = list(catalog, scope);
        let failure = |error: Error| Failure::of_call(&subject, &error);
        let client = &catalog.client;
        let query = Query::default();
        let (critical, warning, services, all) = tokio::try_join!(
            client.checks_in_state(Some(CheckStatus::Critical), scope, &query),
            client.checks_in_state(Some(CheckStatus::Warning), scope, &query),
            client.catalog_services(scope, &query),
            client.checks_in_state(None, scope, &query),
        )
        .map_err(failure)?;
        let now = Instant::now();
        Ok(Self {
            critical: (
                Checks::new(critical.value),
                checks(catalog, scope, CheckStatus::Critical, Next::after(&critical.meta)),
            ),
            warning: (
                Checks::new(warning.value),
                checks(catalog, scope, CheckStatus::Warning, Next::after(&warning.meta)),
            ),
            services: (services.value, names(catalog, scope, Next::after(&services.meta))),
            all: Checks::new(all.value),
            read_all: None,
            rested: now,
            sweep: None,
            swept: now,
            catalog,
            scope,
            seats,
        })
    }

    /// One answer, or one thing that has become due.
    async fn step(&mut self) -> Result<(), Failure> {
        let far = Instant::now() + LONG;
        let (read_all, sweep) = (self.read_all.unwrap_or(far), self.sweep.unwrap_or(far));
        tokio::select! {
            heard = &mut self.critical.1 => {
                let heard = self.heard(heard)?;
                let next = heard.next(self.catalog);
                self.critical.1 = checks(self.catalog, self.scope, CheckStatus::Critical, next);
                self.turned(heard.answer, true);
            }
            heard = &mut self.warning.1 => {
                let heard = self.heard(heard)?;
                let next = heard.next(self.catalog);
                self.warning.1 = checks(self.catalog, self.scope, CheckStatus::Warning, next);
                self.turned(heard.answer, false);
            }
            heard = &mut self.services.1 => {
                let heard = self.heard(heard)?;
                let has_moved = heard.answer.meta.index != heard.known;
                self.services.1 = names(self.catalog, self.scope, heard.next(self.catalog));
                if has_moved {
                    self.registered(heard.answer);
                }
            }
            () = sleep_until(read_all) => self.attribute().await?,
            () = sleep_until(sweep) => self.sweep_now(),
        }
        Ok(())
    }

    fn heard<T>(&self, heard: Result<Heard<T>, Error>) -> Result<Heard<T>, Failure> {
        count(&self.catalog.counters.hints);
        let heard = heard.map_err(|error| Failure::of_call(&list(self.catalog, self.scope), &error))?;
        if !heard.answer.meta.known_leader {
            return Err(Failure::no_leader(&list(self.catalog, self.scope)));
        }
        let settle = self.catalog.options.tuning.settle;
        if heard.was_let_go() && self.catalog.trust.was_let_go(self.scope.datacenter.as_deref(), settle) {
            self.catalog.began_anew();
        }
        Ok(heard)
    }

    /// Checks have become critical, or warn, or no longer do.
    fn turned(&mut self, answer: Answer<Vec<Check>>, critical: bool) {
        let Answer { value, meta } = answer;
        let checks = if critical { &mut self.critical.0 } else { &mut self.warning.0 };
        let (difference, places) = checks.replace(Checks::new(value));
        self.seats.touch(&difference.services);
        self.all.excuse(&places);
        if difference.is_blurred {
            self.seats.touch(&self.all.services_on(&places));
        }
        // What is hidden could have changed too.
        if difference.is_blurred || meta.filtered {
            self.want_sweep(Duration::ZERO);
        }
    }

    /// Something was registered, or has gone.
    fn registered(&mut self, answer: Answer<Content>) {
        let Content::Services(now) = answer.value else { unreachable!("a list was asked for") };
        self.seats.touch(&renamed(&self.services.0, &now));
        self.services.0 = now;
        if answer.meta.filtered {
            self.want_sweep(Duration::ZERO);
        } else if self.read_all.is_none() {
            self.read_all = Some(self.rested);
        }
    }

    /// Finds out where, by the indexes of all checks.
    async fn attribute(&mut self) -> Result<(), Failure> {
        self.read_all = None;
        let began = Instant::now();
        count(&self.catalog.counters.hints);
        let answer = self.catalog.client.checks_in_state(None, self.scope, &Query::default()).await;
        let answer = answer.map_err(|error| Failure::of_call(&list(self.catalog, self.scope), &error))?;
        let (difference, places) = self.all.replace(Checks::new(answer.value));
        let now = Instant::now();
        self.rested = now + (now - began) * CHECKS_PAUSE;
        self.seats.touch(&difference.services);
        if difference.is_blurred {
            self.seats.touch(&self.all.services_on(&places));
        }
        let explains = !difference.is_empty() && !answer.meta.filtered;
        self.want_sweep(if explains { self.catalog.options.tuning.sweep } else { Duration::ZERO });
        Ok(())
    }

    fn want_sweep(&mut self, patience: Duration) {
        let at = (Instant::now() + patience).max(self.swept + SWEEP_PAUSE);
        self.sweep = Some(self.sweep.map_or(at, |wanted| wanted.min(at)));
    }

    fn sweep_now(&mut self) {
        count(&self.catalog.counters.sweeps);
        (self.sweep, self.swept) = (None, Instant::now());
        self.seats.sweep();
    }
}

impl<T> Heard<T> {
    /// Whether it came before its time and brought nothing, or less: the catalog may have been replaced.
    fn was_let_go(&self) -> bool {
        self.is_vain || self.went_back()
    }

    fn went_back(&self) -> bool {
        self.answer.meta.index < self.known
    }

    /// By the book: an index that went back or an answer in vain means to begin anew, without waiting. Whoever was let
    /// go by a server that shuts down would wait in the next one for an index of the one before, and hear nothing until
    /// that has grown as far.
    fn next(&self, catalog: &Catalog) -> Next {
        let next = Next::after(&self.answer.meta);
        if self.was_let_go() {
            Next { waits: false, rest: QUIET, ..next }
        } else {
            Next { rest: catalog.options.tuning.pause, ..next }
        }
    }
}

impl Next {
    /// What comes after this answer, at once.
    const fn after(meta: &QueryMeta) -> Self {
        Self { known: meta.index, waits: true, rest: Duration::ZERO }
    }

    fn query(self, wait: Duration) -> Query {
        if self.waits { Query::after(self.known, wait) } else { Query::default() }
    }

    /// The answer to the question that was asked so, after as long as that took.
    fn heard<T>(self, answer: Answer<T>, took: Duration, wait: Duration) -> Heard<T> {
        let is_vain = self.waits && took < wait && answer.meta.index <= self.known;
        Heard { is_vain, answer, known: self.known }
    }
}

/// The question that failures are told about.
fn list(catalog: &Catalog, scope: &Scope) -> Subject {
    Subject { scope: scope.clone(), ..catalog.subject(What::Services, None) }
}

fn checks(catalog: &Arc<Catalog>, scope: &Scope, status: CheckStatus, next: Next) -> Waiting<Vec<Check>> {
    let (catalog, scope) = (Arc::clone(catalog), scope.clone());
    async move {
        sleep(next.rest).await;
        let (began, wait) = (Instant::now(), catalog.options.wait);
        let answer = catalog.client.checks_in_state(Some(status), &scope, &next.query(wait)).await?;
        Ok(next.heard(answer, began.elapsed(), wait))
    }
    .boxed()
}

fn names(catalog: &Arc<Catalog>, scope: &Scope, next: Next) -> Waiting<Content> {
    let (catalog, subject) = (Arc::clone(catalog), list(catalog, scope));
    async move {
        sleep(next.rest).await;
        let (began, wait) = (Instant::now(), catalog.options.wait);
        let answer = subject.ask(&catalog.client, &next.query(wait)).await?;
        Ok(next.heard(answer, began.elapsed(), wait))
    }
    .boxed()
}
