//! A batch in several transactions. Everything is read and checked first, so that a batch that cannot be fails
//! before it begins; each transaction checks its own conditions again, and that the turn is still ours. If one fails
//! in the middle, what the earlier ones wrote is put back where nobody has touched it since.

use std::collections::BTreeMap;

use biplane_consul_client::{KvEntry, TxnOp, TxnOutcome};
use biplane_store::manifest::Manifest;
use biplane_store::{Batch, Revision, StoreError, Write};
use bytes::Bytes;
use tracing::{info, warn};

use super::plan::{OPERATIONS, Step, Steps};
use super::{TURNS, busy, conflict, plan, turn};
use crate::shared::{Shared, value};

/// What was there before.
type Before = BTreeMap<usize, Option<(Bytes, u64)>>;

/// A batch under way.
struct Split<'a> {
    shared: &'a Shared,
    batch: &'a Batch,
    before: Before,
    manifest: Manifest,
    /// The manifest's index: as long as it is there the turn is ours.
    turn: u64,
    /// What has been written: which operation, and at which index (zero: it was removed).
    written: Vec<(usize, u64)>,
}

pub(crate) async fn commit(
    shared: &Shared,
    batch: &Batch,
    steps: Steps,
    intent: Option<TxnOp>,
) -> Result<Revision, StoreError> {
    check(batch, &read(shared, batch).await?)?;
    let manifest = Manifest::open(batch);
    let turn = begin(shared, &manifest).await?;
    // What was there when the turn came: another batch may have been before us.
    let mut split = Split { shared, batch, before: Before::new(), manifest, turn, written: Vec::new() };
    let result = split.run(steps, intent).await;
    match result {
        Ok(revision) => Ok(revision),
        Err(error) => Err(split.undo(error).await),
    }
}

/// The present values, read strongly.
async fn read(shared: &Shared, batch: &Batch) -> Result<Before, StoreError> {
    let mut before = Before::new();
    let keys: Vec<_> = batch
        .operations
        .iter()
        .map(|operation| TxnOp::GetOrEmpty(shared.place.object(&operation.key)))
        .collect();
    for (chunk, ops) in keys.chunks(OPERATIONS).enumerate() {
        let TxnOutcome::Applied(entries) = shared.txn(ops).await? else {
            return Err(StoreError::unavailable("Consul would not read what is to be changed"));
        };
        if entries.len() != ops.len() {
            return Err(StoreError::unavailable("Consul has not told all that it was asked for"));
        }
        for (at, entry) in entries.iter().enumerate() {
            before.insert(chunk * OPERATIONS + at, present(entry)?);
        }
    }
    Ok(before)
}

/// A key that is not there has no index.
fn present(entry: &KvEntry<'_>) -> Result<Option<(Bytes, u64)>, StoreError> {
    (entry.modify_index > 0).then(|| Ok((value(entry)?, entry.modify_index))).transpose()
}

fn check(batch: &Batch, before: &Before) -> Result<(), StoreError> {
    let found = |at: &usize| before[at].as_ref().map(|(_, index)| Revision(*index));
    let conflict = batch.operations.iter().enumerate().find_map(|(at, op)| conflict(op, found(&at)));
    conflict.map_or(Ok(()), Err)
}

/// Opens the manifest when it is our turn, and says at which index.
async fn begin(shared: &Shared, manifest: &Manifest) -> Result<u64, StoreError> {
    for _ in 0..TURNS {
        let turn = turn::wait(shared).await?;
        let open = TxnOp::Cas(shared.place.manifest(), manifest.encode(), turn);
        if let TxnOutcome::Applied(results) = shared.txn(&[open]).await? {
            return Ok(results.first().map_or(0, |entry| entry.modify_index));
        }
    }
    Err(busy())
}

impl Split<'_> {
    async fn run(&mut self, steps: Steps, intent: Option<TxnOp>) -> Result<Revision, StoreError> {
        self.before = read(self.shared, self.batch).await?;
        check(self.batch, &self.before)?;
        let closed = TxnOp::Cas(self.shared.place.manifest(), self.manifest.closed().encode(), self.turn);
        let last: Vec<_> = intent.into_iter().chain([closed]).collect();
        let chunks = steps.chunks(last.iter().map(TxnOp::weight).sum());
        let count = chunks.len();
        for (n, chunk) in chunks.into_iter().enumerate() {
            if chunk[0].is_large() {
                self.put(&chunk[0]).await?;
            } else if n + 1 < count {
                let ours = TxnOp::CheckIndex(self.shared.place.manifest(), self.turn);
                self.apply(&chunk, vec![ours]).await?;
            } else {
                return self.apply(&chunk, last).await;
            }
        }
        self.apply(&[], last).await
    }

    /// One transaction of the batch, and what goes along with it.
    async fn apply(&mut self, chunk: &[Step], along: Vec<TxnOp>) -> Result<Revision, StoreError> {
        let ops: Vec<_> = chunk.iter().flat_map(|step| step.ops.clone()).chain(along).collect();
        let ours = chunk.iter().map(|step| step.ops.len()).sum::<usize>();
        match self.shared.txn(&ops).await? {
            TxnOutcome::Applied(results) => {
                self.note(chunk, &results);
                Ok(Revision(results.iter().map(|entry| entry.modify_index).max().unwrap_or_default()))
            }
            TxnOutcome::RolledBack(errors) => {
                let failed = errors.iter().map(|error| error.op_index).filter(|at| *at < ours).min();
                Err(match failed {
                    Some(at) => plan::refusal(self.shared, self.batch, chunk, at).await,
                    None => StoreError::unavailable("another batch has taken over in the middle of this one"),
                })
            }
        }
    }

    async fn put(&mut self, step: &Step) -> Result<(), StoreError> {
        match step.put(self.shared).await? {
            Some(revision) => {
                self.written.push((step.at, revision.0));
                Ok(())
            }
            None => Err(plan::refusal(self.shared, self.batch, std::slice::from_ref(step), 0).await),
        }
    }

    fn note(&mut self, chunk: &[Step], results: &[KvEntry<'_>]) {
        let indexes: BTreeMap<_, _> =
            results.iter().map(|entry| (entry.key.as_ref(), entry.modify_index)).collect();
        for step in chunk {
            let operation = &self.batch.operations[step.at];
            let key = self.shared.place.object(&operation.key);
            let index = match operation.write {
                Write::Put(_) => indexes.get(key.as_str()).copied().unwrap_or_default(),
                Write::Delete => 0,
            };
            self.written.push((step.at, index));
        }
    }

    /// Puts back what was written, closes the manifest, and says how that went.
    async fn undo(&self, error: StoreError) -> StoreError {
        let left = self.put_back().await;
        let closed = TxnOp::Cas(self.shared.place.manifest(), self.manifest.closed().encode(), self.turn);
        let is_closed = left == 0 && matches!(self.shared.txn(&[closed]).await, Ok(TxnOutcome::Applied(_)));
        if is_closed {
            info!(%error, written = self.written.len(), "a batch failed and was put back");
            return error;
        }
        warn!(%error, left, "a batch failed in the middle and could not be put back");
        StoreError::unavailable(format!(
            "{error}; {left} of {} writes that came before could not be put back",
            self.written.len()
        ))
        .with_hint("compare what is there with what was meant, and apply it again")
    }

    /// Puts back as much as can be, and says of how many objects it could not.
    async fn put_back(&self) -> usize {
        let steps = self.written.iter().map(|(at, index)| self.undo_one(*at, *index)).collect();
        let mut left = 0;
        for chunk in Steps(steps).chunks(0) {
            if self.is_back(&chunk).await {
                continue;
            }
            // One that somebody else has written since is theirs now; the others of the chunk go back one by one.
            for step in &chunk {
                left += usize::from(!self.is_back(std::slice::from_ref(step)).await);
            }
        }
        left
    }

    async fn is_back(&self, chunk: &[Step]) -> bool {
        if chunk[0].is_large() {
            return matches!(chunk[0].put(self.shared).await, Ok(Some(_)));
        }
        let ops: Vec<_> = chunk.iter().flat_map(|step| step.ops.clone()).collect();
        matches!(self.shared.txn(&ops).await, Ok(TxnOutcome::Applied(_)))
    }

    /// Back to what was before, unless somebody else has written since.
    fn undo_one(&self, at: usize, index: u64) -> Step {
        let key = self.shared.place.object(&self.batch.operations[at].key);
        let ops = match self.before.get(&at).cloned().flatten() {
            Some((value, _)) => vec![TxnOp::Cas(key, value, index)],
            None => vec![TxnOp::CheckIndex(key.clone(), index), TxnOp::Delete(key)],
        };
        Step { at, ops }
    }
}
