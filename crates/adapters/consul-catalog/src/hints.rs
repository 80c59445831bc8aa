//! Where a catalog has changed, for services that have no connection of their own to wait on.
//!
//! A query that waits takes a connection, and an agent gives 200 to all programs of a machine together. So only some
//! services are waited for one by one. For all others of a datacenter three queries wait:
//!
//! ```text
//!  checks that are critical ─┐ a check has turned: its service is known by the difference
//!  checks that warn ─────────┤
//!  services and their tags ──┘ something was registered or has gone: all checks are read once, and the difference
//!                              between their indexes says where; if it says nothing, every service is asked for its
//!                              index (a sweep)
//! ```
//!
//! Who was touched reads its service. What neither checks nor tags show (another port, no checks at all) is found by
//! the sweep that follows within [`Tuning::sweep`](crate::options::Tuning::sweep).

mod board;
mod rounds;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use biplane_consul_client::Scope;
use biplane_source::SourceError;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::catalog::Catalog;
use crate::subject::{Subject, What};

/// The hints of one part of a catalog. They end when they are dropped.
#[derive(Debug)]
pub(crate) struct Hints {
    seats: Arc<Seats>,
    task: AbortHandle,
}

/// Who lives on hints.
#[derive(Debug, Default)]
struct Seats {
    touched: Mutex<BTreeMap<Subject, Arc<Notify>>>,
    all: watch::Sender<All>,
}

/// What concerns all seats.
#[derive(Clone, Debug, Default)]
struct All {
    /// Counts the times when anything may have changed.
    sweeps: u64,
    /// Why changes would go unseen.
    trouble: Option<SourceError>,
}

/// A place among those who live on hints.
#[derive(Debug)]
pub(crate) struct Seat {
    hints: Arc<Hints>,
    subject: Subject,
    touched: Arc<Notify>,
    all: watch::Receiver<All>,
    swept: u64,
}

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// This very subject.
    Here,
    /// Any.
    Somewhere,
}

impl Hints {
    pub(crate) fn start(catalog: Arc<Catalog>, scope: Scope) -> Self {
        let seats = Arc::new(Seats::default());
        let task = tokio::spawn(rounds::run(catalog, scope, Arc::clone(&seats))).abort_handle();
        Self { seats, task }
    }

    /// Takes a place. What changes from now on is told.
    pub(crate) fn seat(self: Arc<Self>, subject: &Subject) -> Seat {
        let touched = Arc::new(Notify::new());
        let mut all = self.seats.touched.lock().expect("nobody panics while holding it");
        all.insert(subject.clone(), Arc::clone(&touched));
        drop(all);
        let all = self.seats.all.subscribe();
        let swept = all.borrow().sweeps;
        Seat { hints: self, subject: subject.clone(), touched, all, swept }
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seat {
    /// Waits until this very subject is known to have changed.
    pub(crate) async fn touched(&self) {
        self.touched.notified().await;
    }

    /// Waits until something may have changed; an error if that could not be seen.
    pub(crate) async fn moved(&mut self) -> Result<Moved, SourceError> {
        loop {
            let All { sweeps, trouble } = self.all.borrow_and_update().clone();
            if let Some(error) = trouble {
                return Err(error);
            }
            if sweeps != self.swept {
                self.swept = sweeps;
                return Ok(Moved::Somewhere);
            }
            tokio::select! {
                () = self.touched.notified() => return Ok(Moved::Here),
                _ = self.all.changed() => {}
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.hints.seats.touched.lock().expect("nobody panics while holding it");
        // Another one may have taken its place.
        if all.get(&self.subject).is_some_and(|known| Arc::ptr_eq(known, &self.touched)) {
            all.remove(&self.subject);
        }
    }
}

impl Seats {
    /// Tells those whose service is among these.
    fn touch(&self, services: &std::collections::BTreeSet<String>) {
        if services.is_empty() {
            return;
        }
        let seats = self.touched.lock().expect("nobody panics while holding it");
        for (subject, touched) in &*seats {
            let is_touched = match &subject.what {
                What::Service(name) => services.contains(name),
                What::Mesh(name) => {
                    services.contains(name) || services.contains(&format!("{name}-sidecar-proxy"))
                }
                What::PreparedQuery(_) | What::Services => false,
            };
            if is_touched {
                touched.notify_one();
            }
        }
    }

    /// Tells all.
    fn sweep(&self) {
        self.all.send_modify(|all| all.sweeps += 1);
    }

    /// Says that changes can be seen or cannot.
    fn trouble(&self, trouble: Option<SourceError>) {
        self.all.send_if_modified(|all| {
            let is_news = all.trouble != trouble;
            all.trouble = trouble;
            is_news
        });
    }
}
