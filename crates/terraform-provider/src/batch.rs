//! Many resources in one request: calls that come at the same time become one change, visible at one revision.
//!
//! ```text
//! PlanResourceChange  ─▶ Batches (dry runs) ─┐             ┌─▶ each its own answer
//! ApplyResourceChange ─▶ Batches (writes)  ──┴─ one apply ─┤
//! ```
//!
//! OpenTofu works on ten resources at a time, or as many as `-parallelism` says. A batch is sent when every call that is
//! under way waits for one and no other is to be expected ([`Activity`]). While a batch is with Biplane the next one gathers.

mod activity;
mod isolate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use biplane_admin_api::key::ObjectKey;
use biplane_admin_api::resources::{ApplyRequest, Change, Expect, Resources, ValidationFinding};
use biplane_admin_api::{Problem, ProblemKind};
use tokio::sync::{mpsc, oneshot};

pub(crate) use activity::Activity;
use activity::Call;
use isolate::isolate;

/// The most changes of one request, far below what any store's step takes together: it splits larger ones itself.
const MOST: usize = 1000;

/// What became of one change.
pub(crate) type Outcome = Result<Done, Problem>;

/// A change that works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The revision at which the object is what was wanted; of a dry run, nothing.
    pub(crate) revision: u64,
    /// What validation says about the object.
    pub(crate) findings: Vec<ValidationFinding>,
}

/// One change that waits for its batch.
struct Job {
    key: ObjectKey,
    change: Change,
    /// Whether later dry runs are made as if it had been written.
    whole: bool,
    /// Counts it among those that wait, until it has its outcome.
    waiting: Call,
    answer: oneshot::Sender<Outcome>,
}

/// What a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Try,
    Write,
}

/// What this run has planned and not yet written. A dry run is made on top of it, so that a route to an upstream of
/// the same plan does not lead nowhere.
type Planned = Arc<Mutex<BTreeMap<ObjectKey, Change>>>;

/// Gathers changes and sends them together.
pub(crate) struct Batches {
    tries: mpsc::Sender<Job>,
    writes: mpsc::Sender<Job>,
    activity: Arc<Activity>,
}

impl Batches {
    /// Starts gathering. `message` is what the history says of the changes.
    pub(crate) fn start(resources: &Arc<dyn Resources>, activity: &Arc<Activity>, message: &str) -> Self {
        let planned = Planned::default();
        let start = |purpose| {
            // Calls wait for their answers, so no more pile up than OpenTofu has under way.
            let (sender, jobs) = mpsc::channel(MOST);
            let worker = Worker {
                resources: resources.clone(),
                activity: activity.clone(),
                planned: planned.clone(),
                message: message.to_owned(),
                purpose,
            };
            tokio::spawn(worker.run(jobs));
            sender
        };
        Self { tries: start(Purpose::Try), writes: start(Purpose::Write), activity: activity.clone() }
    }

    /// Asks what would come of a change. One that is not `whole` lacks what is not known yet, and no other dry run
    /// builds on it.
    pub(crate) async fn try_out(&self, key: ObjectKey, change: Change, whole: bool) -> Outcome {
        self.submit(&self.tries, key, change, whole).await
    }

    /// Makes a change.
    pub(crate) async fn write(&self, key: ObjectKey, change: Change) -> Outcome {
        self.submit(&self.writes, key, change, true).await
    }

    async fn submit(&self, to: &mpsc::Sender<Job>, key: ObjectKey, change: Change, whole: bool) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let gone = || Problem::new(ProblemKind::Internal, "the provider ends before it got to this");
        let place = to.reserve().await.map_err(|_| gone())?;
        place.send(Job { key, change, whole, waiting: self.activity.wait(), answer });
        outcome.await.map_err(|_| gone())?
    }
}

struct Worker {
    resources: Arc<dyn Resources>,
    activity: Arc<Activity>,
    planned: Planned,
    message: String,
    purpose: Purpose,
}

impl Worker {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.recv().await {
            self.activity.settled().await;
            let mut batch = vec![first];
            while let Some(job) = (batch.len() < MOST).then(|| jobs.try_recv().ok()).flatten() {
                batch.push(job);
            }
            self.carry_out(batch).await;
        }
    }

    async fn carry_out(&self, batch: Vec<Job>) {
        let changes: Vec<_> = batch.iter().map(|job| (job.key.clone(), job.change.clone())).collect();
        let outcomes = isolate(&*self.resources, &self.request(), &self.below(&batch), &changes).await;
        let mut answers = Vec::new();
        for (job, outcome) in batch.into_iter().zip(outcomes) {
            self.remember(&job, outcome.is_ok());
            drop(job.waiting);
            answers.push((job.answer, outcome));
        }
        // None of them waits any more before the first one is answered, so that the next batch waits for all.
        for (answer, outcome) in answers {
            // Whoever does not listen any more was stopped by the user.
            let _ = answer.send(outcome);
        }
    }

    fn request(&self) -> ApplyRequest {
        let dry_run = self.purpose == Purpose::Try;
        let author = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
        ApplyRequest { dry_run, author, message: self.message.clone(), ..ApplyRequest::default() }
    }

    /// What a dry run is made on top of.
    fn below(&self, batch: &[Job]) -> Vec<Change> {
        if self.purpose == Purpose::Write {
            return Vec::new();
        }
        let planned = self.planned.lock().expect("nobody panics with it");
        let others = planned.iter().filter(|(key, _)| batch.iter().all(|job| job.key != **key));
        others.map(|(_, change)| change.clone()).collect()
    }

    fn remember(&self, job: &Job, works: bool) {
        let mut planned = self.planned.lock().expect("nobody panics with it");
        if self.purpose == Purpose::Try && works && job.whole {
            let change = Change { expect: Expect::Anything, ..job.change.clone() };
            planned.insert(job.key.clone(), change);
        } else {
            planned.remove(&job.key);
        }
    }
}

#[cfg(test)]
mod tests;
