//! A batch in several transactions. Everything is read and checked first, so that a batch that cannot be fails
//! before it begins; each transaction checks its own conditions again, and that the turn is still ours. If one fails
//! in the middle, what the earlier ones wrote is put back where nobody has touched it since.
//!
//! An answer that is lost says nothing of its transaction. So after a failure the turn is taken anew, which fails if
//! the last transaction has closed the manifest; else the store is asked what of all that was sent is there.

use std::collections::{BTreeMap, BTreeSet};

use biplane_consul_client::{KvEntry, TxnOp, TxnOutcome};
use biplane_store::manifest::Manifest;
use biplane_store::{Batch, Revision, StoreError, Write};
use bytes::Bytes;
use tracing::{info, warn};

use super::plan::{OPERATIONS, Step, Steps};
use super::{TURNS, another_mark, busy, conflict, plan, turn};
use crate::shared::{Shared, value};

/// How many times a turn is taken anew: what made one answer get lost may take the next ones along, and each
/// connection that lay idle fails by itself.
const ASKS: usize = 4;

/// What was there before.
type Before = BTreeMap<usize, Option<(Bytes, u64)>>;

/// A batch under way.
struct Split<'a> {
    shared: &'a Shared,
    batch: &'a Batch,
    before: Before,
    manifest: Manifest,
    /// That the store is still marked as it was.
    mark: TxnOp,
    /// The manifest's index: as long as it is there the turn is ours.
    turn: u64,
    /// Which operations were sent: each of them may have been written.
    sent: BTreeSet<usize>,
}

pub(crate) async fn commit(
    shared: &Shared,
    batch: &Batch,
    steps: Steps,
    intent: Option<TxnOp>,
    mark: TxnOp,
) -> Result<Revision, StoreError> {
    check(batch, &read(shared, batch).await?)?;
    let manifest = Manifest::open(batch);
    let turn = begin(shared, &manifest).await?;
    // What was there when the turn came: another batch may have been before us.
    let mut split =
        Split { shared, batch, before: Before::new(), manifest, mark, turn, sent: BTreeSet::new() };
    match split.run(steps, intent).await {
        Ok(revision) => Ok(revision),
        Err(error) => split.fail(error).await,
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
        match shared.txn(&[open]).await {
            Ok(TxnOutcome::Applied(results)) => return Ok(written(&results)),
            Ok(TxnOutcome::RolledBack(_)) => {}
            // Nobody would close what we have opened without hearing of it.
            Err(error) => return found(shared, manifest).await?.ok_or(error),
        }
    }
    Err(busy())
}

/// The index at which the manifest is this one, if it is.
async fn found(shared: &Shared, manifest: &Manifest) -> Result<Option<u64>, StoreError> {
    let Some(entry) = shared.get(&shared.place.manifest()).await? else { return Ok(None) };
    let is_this = Manifest::decode(&value(&entry)?).as_ref() == Some(manifest);
    Ok(is_this.then_some(entry.modify_index))
}

/// The index that a transaction has written at.
fn written(results: &[KvEntry<'_>]) -> u64 {
    results.iter().map(|entry| entry.modify_index).max().unwrap_or_default()
}

fn overtaken() -> StoreError {
    StoreError::unavailable("another batch has taken over in the middle of this one")
}

impl Split<'_> {
    async fn run(&mut self, steps: Steps, intent: Option<TxnOp>) -> Result<Revision, StoreError> {
        self.before = read(self.shared, self.batch).await?;
        check(self.batch, &self.before)?;
        let closed = TxnOp::Cas(self.shared.place.manifest(), self.manifest.closed().encode(), self.turn);
        let last: Vec<_> = intent.into_iter().chain([closed]).collect();
        let along = last.iter().chain([&self.mark]).map(TxnOp::weight).sum();
        let chunks = steps.chunks(along);
        let count = chunks.len();
        for (n, chunk) in chunks.into_iter().enumerate() {
            if chunk[0].is_large() {
                self.put(&chunk[0]).await?;
            } else if n + 1 < count || !plan::fits(&chunk, along) {
                self.apply(&chunk, vec![self.ours()]).await?;
            } else {
                return self.apply(&chunk, last).await;
            }
        }
        self.apply(&[], last).await
    }

    /// One transaction of the batch, and what goes along with it.
    async fn apply(&mut self, chunk: &[Step], along: Vec<TxnOp>) -> Result<Revision, StoreError> {
        let mut ops: Vec<_> = chunk.iter().flat_map(|step| step.ops.clone()).chain(along).collect();
        let marked = ops.len();
        ops.push(self.mark.clone());
        let ours = chunk.iter().map(|step| step.ops.len()).sum::<usize>();
        self.sent.extend(chunk.iter().map(|step| step.at));
        match self.shared.txn(&ops).await? {
            TxnOutcome::Applied(results) => Ok(Revision(written(&results))),
            TxnOutcome::RolledBack(errors) if errors.iter().any(|error| error.op_index == marked) => {
                Err(another_mark(self.shared).await)
            }
            TxnOutcome::RolledBack(errors) => {
                let failed = errors.iter().map(|error| error.op_index).filter(|at| *at < ours).min();
                Err(match failed {
                    Some(at) => plan::refusal(self.shared, self.batch, chunk, at).await,
                    None => overtaken(),
                })
            }
        }
    }

    /// Makes sure that the turn is ours: what no transaction takes has it looked at before and after.
    async fn hold(&self) -> Result<(), StoreError> {
        let entry = self.shared.get(&self.shared.place.manifest()).await?;
        let is_ours = entry.is_some_and(|entry| entry.modify_index == self.turn);
        if is_ours { Ok(()) } else { Err(overtaken()) }
    }

    async fn put(&mut self, step: &Step) -> Result<(), StoreError> {
        self.hold().await?;
        self.sent.insert(step.at);
        match step.put(self.shared).await? {
            Some(_) => self.hold().await,
            None => Err(plan::refusal(self.shared, self.batch, std::slice::from_ref(step), 0).await),
        }
    }

    /// Whether it failed after all; if so, it is undone.
    async fn fail(&mut self, error: StoreError) -> Result<Revision, StoreError> {
        match self.renew().await {
            Ok(Some(closed)) => {
                info!(%error, "the answer to a batch was lost, and all of it is there");
                Ok(Revision(closed))
            }
            Ok(None) => {
                let undone = self.put_back().await;
                Err(self.undone(error, undone))
            }
            Err(trouble) => Err(self.undone(error, Err(trouble))),
        }
    }

    /// The error of a batch that failed, and how undoing it went.
    fn undone(&self, error: StoreError, undone: Result<(), StoreError>) -> StoreError {
        let (sent, all) = (self.sent.len(), self.batch.operations.len());
        match undone {
            Ok(()) => {
                info!(%error, sent, "a batch failed and was put back");
                error
            }
            Err(trouble) => {
                warn!(%error, %trouble, sent, "a batch failed in the middle and could not be put back");
                StoreError::unavailable(format!(
                    "{error}; up to {sent} of {all} writes stand, and putting them back failed: {trouble}"
                ))
                .with_hint("compare what is there with what was meant, and apply it again")
            }
        }
    }

    /// Puts back what was written, and closes the manifest.
    async fn put_back(&mut self) -> Result<(), StoreError> {
        for _ in 0..TURNS {
            let steps = self.ways_back().await?;
            if steps.is_empty() {
                return self.turn_to(self.manifest.closed().encode()).await;
            }
            for chunk in Steps(steps).chunks(self.ours().weight()) {
                self.restore(&chunk).await?;
            }
        }
        Err(busy())
    }

    /// Takes the turn anew: a transaction of ours whose answer was lost may still be on its way, and must not arrive
    /// behind what undoes it. If it was the last one and has arrived, says at which index it has closed the manifest.
    async fn renew(&mut self) -> Result<Option<u64>, StoreError> {
        let mut trouble = overtaken();
        let mut renewed = self.manifest.encode().to_vec();
        for _ in 0..ASKS {
            // Consul leaves the index alone where a value is written as it was, and a blank more is no other manifest.
            renewed.push(b' ');
            match self.turn_to(renewed.clone().into()).await {
                Ok(()) => return Ok(None),
                Err(error) => trouble = error,
            }
            if let Ok(Some(closed)) = found(self.shared, &self.manifest.closed()).await {
                return Ok(Some(closed));
            }
            // This answer may be lost too: then the turn is ours at another index, or still at this one.
            if let Ok(Some(turn)) = found(self.shared, &self.manifest).await {
                self.turn = turn;
            }
        }
        Err(trouble)
    }

    /// Writes the manifest, if the turn is ours.
    async fn turn_to(&mut self, manifest: Bytes) -> Result<(), StoreError> {
        let write = TxnOp::Cas(self.shared.place.manifest(), manifest, self.turn);
        let TxnOutcome::Applied(results) = self.shared.txn(&[write]).await? else { return Err(overtaken()) };
        self.turn = written(&results);
        Ok(())
    }

    fn ours(&self) -> TxnOp {
        TxnOp::CheckIndex(self.shared.place.manifest(), self.turn)
    }

    /// Part of the way back. What somebody has written in the meantime stays: the next look shows it.
    async fn restore(&self, chunk: &[Step]) -> Result<(), StoreError> {
        if chunk[0].is_large() {
            self.hold().await?;
            return chunk[0].put(self.shared).await.map(drop);
        }
        let mut ops: Vec<_> = chunk.iter().flat_map(|step| step.ops.clone()).collect();
        let ours = ops.len();
        ops.push(self.ours());
        match self.shared.txn(&ops).await? {
            TxnOutcome::RolledBack(errors) if errors.iter().any(|error| error.op_index >= ours) => {
                Err(overtaken())
            }
            _ => Ok(()),
        }
    }

    /// What makes all that was sent again what it was.
    async fn ways_back(&self) -> Result<Vec<Step>, StoreError> {
        let now = read(self.shared, self.batch).await?;
        let back = |at: &usize| self.way_back(*at, now.get(at)?.as_ref());
        Ok(self.sent.iter().filter_map(back).collect())
    }

    /// Back to what was before, if it is what we have written.
    fn way_back(&self, at: usize, now: Option<&(Bytes, u64)>) -> Option<Step> {
        let operation = &self.batch.operations[at];
        let before = self.before.get(&at)?.as_ref();
        let is_ours = match (&operation.write, now) {
            (Write::Put(value), Some((now, _))) => now == value,
            (Write::Delete, now) => now.is_none(),
            (Write::Put(_), None) => false,
        };
        let index = |state: Option<&(Bytes, u64)>| state.map_or(0, |(_, index)| *index);
        if !is_ours || index(before) == index(now) {
            return None;
        }
        let key = self.shared.place.object(&operation.key);
        let ops = match before {
            Some((value, _)) => vec![TxnOp::Cas(key, value.clone(), index(now))],
            None => vec![TxnOp::CheckIndex(key.clone(), index(now)), TxnOp::Delete(key)],
        };
        Some(Step { at, ops })
    }
}
