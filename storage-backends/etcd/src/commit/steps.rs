//! A batch that takes several transactions, behind a manifest that readers see.
//!
//! ```text
//!  all conditions at one revision ─▶ manifest open ─▶ step ─▶ step ─▶ last step + manifest closed
//!                                                      └─ fails ─▶ put back ─▶ manifest closed
//! ```
//!
//! Each step stands under its objects' conditions and under the manifest's revision: a writer that took so long that
//! another one took over changes nothing more. A writer that dies in between leaves the manifest open: readers wait for
//! it for a bounded time and then say that a batch was not finished.

use biplane_store::manifest::Manifest;
use biplane_store::{Batch, Revision, StoreError};
use etcd_client::{GetOptions, Txn, TxnOp};

use super::undo::undo;
use super::{Miss, Plan, Turn, transact};
use crate::list::{self, first};
use crate::members::Link;
use crate::raw::signed;
use crate::store::Core;

/// A batch whose manifest is open.
struct Open<'a> {
    core: &'a Core,
    manifest: Manifest,
    turn: Turn,
    plan: &'a Plan,
}

/// Writes the steps one after the other, and says at which revision the last one became visible.
pub(super) async fn run(core: &Core, turn: Turn, batch: &Batch, plan: &Plan) -> Result<u64, Miss> {
    check_all(core, turn, plan).await?;
    let manifest = Manifest::open(batch);
    let put = TxnOp::put(core.place.manifest.as_str(), manifest.encode(), None);
    let opened = transact(core, turn, &[], vec![put]).await?;
    let open = Open { core, manifest, turn: Turn { revision: opened, manifest: opened }, plan };
    open.run().await.map_err(Miss::Error)
}

/// Checks every condition before anything is written, at the revision at which the turn began.
async fn check_all(core: &Core, turn: Turn, plan: &Plan) -> Result<(), StoreError> {
    let options = GetOptions::new().with_keys_only().with_revision(signed(turn.revision));
    for step in &plan.steps {
        let gets = step.iter().map(|action| TxnOp::get(action.key.as_str(), Some(options.clone())));
        let txn = Txn::new().and_then(gets.collect::<Vec<_>>());
        let answer =
            core.members.read("read what is to be written", |link: Link| link.txn(txn.clone())).await?;
        let found = answer.op_responses().into_iter().map(first);
        let revisions = found.map(|raw| raw.map(|raw| Revision(raw.revision)));
        step.iter().zip(revisions).try_for_each(|(action, found)| action.check(found))?;
    }
    Ok(())
}

impl Open<'_> {
    async fn run(&self) -> Result<u64, StoreError> {
        let mut revision = self.turn.revision;
        for (number, step) in self.plan.steps.iter().enumerate() {
            let is_last = number + 1 == self.plan.steps.len();
            let close = is_last.then(|| self.close()).into_iter().collect();
            match transact(self.core, self.turn, step, close).await {
                Ok(done) => revision = done,
                Err(Miss::Turn) => return Err(self.fail(number, self.overtaken()).await),
                Err(Miss::Error(error)) if matches!(error, StoreError::Unavailable { .. }) => {
                    // Nobody knows whether this step happened; if it was the last one, the manifest says so.
                    return match self.closed_at().await {
                        Some(revision) => Ok(revision),
                        None => Err(self.fail(number + 1, error).await),
                    };
                }
                Err(Miss::Error(error)) => return Err(self.fail(number, error).await),
            }
        }
        Ok(revision)
    }

    /// The revision at which the manifest of this batch was closed, if that can be seen.
    async fn closed_at(&self) -> Option<u64> {
        let marks = list::marks(self.core, None).await.ok()??;
        let raw = marks.manifest?;
        let manifest = Manifest::decode(&raw.value)?;
        (manifest == self.manifest.closed()).then_some(raw.revision)
    }

    /// Puts back what the first steps have written, and says how that went if it did not go well.
    async fn fail(&self, steps: usize, error: StoreError) -> StoreError {
        match self.put_back(steps).await {
            Ok(()) => error,
            Err(trouble) => self.half(steps, &error, &trouble),
        }
    }

    async fn put_back(&self, steps: usize) -> Result<(), StoreError> {
        let actions: Vec<_> = self.plan.steps[..steps].iter().flatten().collect();
        undo(self.core, self.turn, &actions, self.close()).await.map_err(|miss| match miss {
            Miss::Turn => self.overtaken(),
            Miss::Error(error) => error,
        })
    }

    fn close(&self) -> TxnOp {
        TxnOp::put(self.core.place.manifest.as_str(), self.manifest.closed().encode(), None)
    }

    fn overtaken(&self) -> StoreError {
        StoreError::unavailable(format!(
            "the batch of {} operations took so long that another writer took over",
            self.manifest.operations
        ))
        .with_hint("try it again")
    }

    fn half(&self, steps: usize, error: &StoreError, trouble: &StoreError) -> StoreError {
        let written: usize = self.plan.steps[..steps].iter().map(Vec::len).sum();
        let all = self.plan.actions().count();
        StoreError::unavailable(format!(
            "{error}; up to {written} of the batch's {all} writes stand, and putting them back failed: {trouble}"
        ))
        .with_hint("write the batch again: until then readers are told of a batch that was not finished")
    }
}
