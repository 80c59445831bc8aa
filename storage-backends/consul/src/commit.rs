//! Writing batches: one step where Consul takes them in one, else several behind a manifest.
//!
//! ```text
//!  batch ──▶ fits one transaction ──▶ [manifest if it spans folders] + operations + intent + looks
//!        └─▶ does not ──▶ read all, check all ──▶ manifest open ──▶ chunk ─ chunk ─ last chunk + manifest closed
//!                                                                   └─ one fails: put back, close, say so
//! ```
//!
//! Every transaction looks at the mark, and at the manifest: nothing is written into another store than was meant, nor
//! between another batch's steps. It takes 64 operations and 512 KiB as it is sent. A value beyond that goes by itself, as a plain
//! write under the same condition.

mod plan;
mod split;
mod turn;

use biplane_consul_client::{PutCondition, TxnOp, TxnOutcome, TxnResult};
use biplane_core::decode::MAX_OBJECT;
use biplane_store::intent::{self, Intent};
use biplane_store::manifest::Manifest;
use biplane_store::{Batch, Precondition, Revision, StoreError, Write, layout};
use tracing::warn;

use crate::shared::Shared;
pub(crate) use plan::{BYTES, OPERATIONS, owner};
use plan::{Step, Steps};

/// How many times another batch may begin between our look at the manifest and our own beginning.
const TURNS: usize = 16;

/// Applies a batch.
pub(crate) async fn commit(shared: &Shared, batch: Batch) -> Result<Revision, StoreError> {
    batch.check()?;
    refuse_large_values(&batch)?;
    let mark = shared.still_marked().await?;
    if batch.operations.is_empty() {
        return shared.prefix_index().await;
    }
    let mut intents = intents(shared, &batch).into_iter();
    let first = intents.next();
    let revision = apply(shared, &batch, first, mark).await?;
    note(shared, intents).await;
    Ok(revision)
}

/// Writes the batch, and the first of its intents with it.
async fn apply(
    shared: &Shared,
    batch: &Batch,
    intent: Option<TxnOp>,
    mark: TxnOp,
) -> Result<Revision, StoreError> {
    let steps = Steps::of(&shared.place, batch);
    if let Some(large) = steps.only_a_large_value() {
        return put_large(shared, large, batch, intent).await;
    }
    let manifest = TxnOp::Cas(shared.place.manifest(), Manifest::open(batch).encode(), 0);
    let along = intent.iter().chain([&manifest, &mark]).map(TxnOp::weight).sum();
    if let Some(operations) = steps.in_one(along) {
        return in_one(shared, batch, operations, intent, mark).await;
    }
    split::commit(shared, batch, steps, intent, mark).await
}

/// Who meant the batch, in as many notes as it takes to name every object.
fn intents(shared: &Shared, batch: &Batch) -> Vec<TxnOp> {
    let note = |intent: &Intent| TxnOp::Set(shared.place.record(&intent::path(intent.at)), intent.encode());
    Intent::parts(batch).iter().map(note).collect()
}

/// Writes intents behind the batch that they are about, each by itself. The batch is written: a note that is
/// missing is no reason to say otherwise.
async fn note(shared: &Shared, intents: impl Iterator<Item = TxnOp>) {
    for intent in intents {
        if let Err(error) = shared.txn(&[intent]).await {
            warn!(%error, "a write has no intent beside it");
        }
    }
}

/// One transaction. If it spans folders, the manifest in it says which belong together.
async fn in_one(
    shared: &Shared,
    batch: &Batch,
    operations: Vec<Step>,
    intent: Option<TxnOp>,
    mark: TxnOp,
) -> Result<Revision, StoreError> {
    let manifest = Manifest::open(batch).closed();
    for _ in 0..TURNS {
        let mut ops: Vec<_> = operations.iter().flat_map(|step| step.ops.clone()).collect();
        let ours = ops.len();
        ops.extend(intent.clone());
        let turn = turn::wait(shared).await?;
        ops.push(match manifest.folders.len() {
            0 | 1 => turn::check(shared, turn),
            _ => TxnOp::Cas(shared.place.manifest(), manifest.encode(), turn),
        });
        let marked = ops.len();
        ops.push(mark.clone());
        match shared.txn(&ops).await? {
            TxnOutcome::Applied(results) => {
                return match written_at(&ops, &results) {
                    Some(revision) => Ok(revision),
                    None => shared.prefix_index().await,
                };
            }
            TxnOutcome::RolledBack(errors) => {
                if errors.iter().any(|error| error.op_index == marked) {
                    return Err(another_mark(shared).await);
                }
                let failed = errors.iter().map(|error| error.op_index).filter(|at| *at < ours).min();
                if let Some(at) = failed {
                    return Err(plan::refusal(shared, batch, &operations, at).await);
                }
            }
        }
    }
    Err(busy())
}

/// The index at which a transaction has written. Removals tell none, and what was only looked at tells an older one.
pub(crate) fn written_at(ops: &[TxnOp], results: &[TxnResult]) -> Option<Revision> {
    let writes = ops.iter().any(|op| matches!(op, TxnOp::Set(..) | TxnOp::Cas(..)));
    results.iter().map(|entry| entry.modify_index).max().filter(|_| writes).map(Revision)
}

/// A value that no transaction takes, by itself; its intent follows.
async fn put_large(
    shared: &Shared,
    step: &Step,
    batch: &Batch,
    intent: Option<TxnOp>,
) -> Result<Revision, StoreError> {
    turn::wait(shared).await?;
    let revision = step.put(shared).await?;
    let Some(revision) = revision else {
        return Err(plan::refusal(shared, batch, std::slice::from_ref(step), 0).await);
    };
    note(shared, intent.into_iter()).await;
    Ok(revision)
}

impl Step {
    /// Writes a large value; `None`: its condition does not hold.
    async fn put(&self, shared: &Shared) -> Result<Option<Revision>, StoreError> {
        let (key, value, condition) = match &self.ops[..] {
            [TxnOp::Set(key, value)] => (key, value, PutCondition::Any),
            [TxnOp::Cas(key, value, index)] => (key, value, PutCondition::At(*index)),
            other => unreachable!("only values are large, and this is {} operations", other.len()),
        };
        let written = shared.client.kv_put(key, value.clone(), condition).await;
        if !written.map_err(|error| shared.failure(error))? {
            return Ok(None);
        }
        // A plain write does not tell its index; somebody may have written since, which is later all the more.
        let entry = shared.get(key).await?;
        match entry {
            Some(entry) => Ok(Some(Revision(entry.modify_index))),
            None => shared.prefix_index().await.map(Some),
        }
    }
}

/// The server would refuse them too, but with words that name no object.
fn refuse_large_values(batch: &Batch) -> Result<(), StoreError> {
    let large = batch.operations.iter().find_map(|operation| match &operation.write {
        Write::Put(value) if value.len() > MAX_OBJECT => Some((&operation.key, value.len())),
        _ => None,
    });
    large.map_or(Ok(()), |(key, bytes)| Err(layout::too_large_to_write(key, bytes)))
}

/// The error of a write whose store is no longer what it was when it began.
async fn another_mark(shared: &Shared) -> StoreError {
    let anew = || StoreError::unavailable("the store was marked anew in the middle of a write");
    shared.still_marked().await.map_or_else(|error| error, |_| anew().with_hint("try again"))
}

fn busy() -> StoreError {
    StoreError::unavailable("other batches were always quicker").with_hint("try again")
}

/// The error of an object whose precondition does not hold, or that is not there to be deleted.
fn conflict(operation: &biplane_store::Operation, found: Option<Revision>) -> Option<StoreError> {
    let key = operation.key.clone();
    match operation.precondition {
        condition if !condition.holds(found) => Some(StoreError::Conflict { key, found }),
        Precondition::Any | Precondition::Absent | Precondition::At(_)
            if operation.write == Write::Delete && found.is_none() =>
        {
            Some(StoreError::NotFound { key })
        }
        _ => None,
    }
}
