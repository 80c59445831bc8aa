//! Carrying out a request: read, plan, try, write; and again if somebody else was quicker.

use std::collections::BTreeMap;

use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, ChangeResult, Problem, ProblemKind, Prune, ValidationFinding,
};
use biplane_admin_api::status::Severity;
use biplane_core::key::ObjectKey;
use biplane_store::{Author, Listing, Revision, RevisionScope, StoreError, StoredObject};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tracing::{debug, info};

use crate::plan::{Current, Planned, batch, plan};
use crate::problems::{reading, writing};
use crate::request::{Wanted, wanted};
use crate::{Editor, diff, off_the_runtime};

/// How often a request is tried whose objects others change at the same time.
const ATTEMPTS: usize = 4;

/// Up to so many objects are read one by one; more are found in a listing.
const SINGLE_READS: usize = 16;

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// What is to be done. It may hold secrets, so it has no `Debug`.
pub(crate) struct Job {
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) prune: Option<Prune>,
    pub(crate) dry_run: bool,
    pub(crate) force: bool,
    pub(crate) author: Author,
}

impl Job {
    /// The job that a request asks for.
    pub(crate) fn of(request: &ApplyRequest) -> Result<Self, Problem> {
        Ok(Self {
            wanted: wanted(request)?,
            prune: request.prune.clone(),
            dry_run: request.dry_run,
            force: request.force,
            author: Author { name: request.author.clone(), message: request.message.clone() },
        })
    }
}

/// How an attempt ended without a result.
enum Ended {
    /// Something was written between the reading and the write: what was found must be looked at again.
    Raced(Problem),
    /// There is nothing more to try.
    Failed(Problem),
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Editor {
    /// Does the job, or says why nothing was done.
    pub(crate) async fn carry_out(&self, job: &Job) -> Result<ApplyResult, Problem> {
        if !job.dry_run && !self.store.describe().writable {
            return Err(writing(StoreError::ReadOnly { store: self.store.name() }));
        }
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match self.attempt(job).await {
                Ok(result) => return Ok(result),
                Err(Ended::Raced(problem)) if left > 0 => debug!(%problem, "another writer was quicker"),
                Err(Ended::Raced(problem) | Ended::Failed(problem)) => return Err(problem),
            }
        }
    }

    async fn attempt(&self, job: &Job) -> Result<ApplyResult, Ended> {
        let current = self.read(job).await.map_err(reading)?;
        let planned = plan(&job.wanted, job.prune.as_ref(), &current)?;
        let findings = self.shadows.judge(current.revision, planned.clone()).await?;
        if !job.force {
            refuse_worse(&findings)?;
        }
        if job.dry_run {
            let revision = current.revision.0;
            return Ok(ApplyResult { revision, dry_run: true, changes: told(planned).await?, findings });
        }
        let revision = self.write(&planned, &current, &job.author).await?;
        let changes = planned.iter().map(|planned| planned.result(String::new())).collect();
        Ok(ApplyResult { revision: revision.0, dry_run: false, changes, findings })
    }

    /// Reads what the job may touch, and no more if that is less.
    async fn read(&self, job: &Job) -> Result<Current, StoreError> {
        // A directory is read as a whole, whatever is asked of it.
        let whole = self.store.describe().revisions == RevisionScope::Process;
        if whole || job.prune.is_some() || job.wanted.len() > SINGLE_READS {
            return Ok(self.all_of(self.store.list().await?));
        }
        let revision = self.store.head().await?;
        let keys: Vec<_> = job.wanted.iter().map(|wanted| wanted.key.clone()).collect();
        let reads = keys.into_iter().map(|key| async move { self.store.get(&key).await });
        let reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        let objects: Vec<_> = reads.try_collect().await?;
        let objects = objects.into_iter().flatten().map(|object| (object.key.clone(), object));
        Ok(self.current(revision, objects.collect()))
    }

    fn all_of(&self, listing: Listing) -> Current {
        let objects = listing.items.into_iter().map(|object| (object.key.clone(), object));
        self.current(listing.revision, objects.collect())
    }

    fn current(&self, revision: Revision, objects: BTreeMap<ObjectKey, StoredObject>) -> Current {
        // A store that counts for good also knows when an object was made; what is new is the youngest.
        let counts = self.store.describe().revisions == RevisionScope::Store;
        Current { revision, objects, created: counts.then(|| revision.next().0) }
    }

    async fn write(
        &self,
        planned: &[Planned],
        current: &Current,
        author: &Author,
    ) -> Result<Revision, Ended> {
        let batch = batch(planned, author);
        if batch.operations.is_empty() {
            return Ok(current.revision);
        }
        let changes = batch.operations.len();
        let written = self.store.commit(batch).await.map_err(|error| match error {
            StoreError::Conflict { .. } | StoreError::NotFound { .. } => Ended::Raced(writing(error)),
            error => Ended::Failed(writing(error)),
        })?;
        info!(revision = written.0, changes, author = author.name, "resources changed");
        Ok(written)
    }
}

/// What a dry run tells of each object.
async fn told(planned: Vec<Planned>) -> Result<Vec<ChangeResult>, Problem> {
    let told = |planned: &Planned| match planned.action {
        Action::Unchanged => planned.result(String::new()),
        _ => planned.result(diff::of(planned)),
    };
    off_the_runtime(move || planned.iter().map(told).collect()).await
}

/// Refuses what makes the configuration worse than it is.
fn refuse_worse(findings: &[ValidationFinding]) -> Result<(), Problem> {
    let worse = |finding: &&ValidationFinding| finding.new && finding.report.severity == Severity::Error;
    let mut errors = findings.iter().filter(worse);
    let Some(first) = errors.next() else { return Ok(()) };
    let message = match errors.count() {
        0 => format!("refused: {}", first.report),
        1 => format!("refused: {} (and 1 error more)", first.report),
        more => format!("refused: {} (and {more} errors more)", first.report),
    };
    let hint = first.report.hint.clone().unwrap_or_else(|| "correct it, or force the change".to_owned());
    Err(Problem { findings: findings.to_vec(), ..Problem::new(ProblemKind::Invalid, message).hint(hint) })
}
