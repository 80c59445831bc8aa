//! Which operations a batch is in Consul, and how many of them go together.

use biplane_consul_client::TxnOp;
use biplane_store::{Batch, Operation, Precondition, Revision, StoreError, Write};

use super::conflict;
use crate::place::Place;
use crate::shared::Shared;

/// How many operations go in one transaction. Servers of today take 128, older ones 64.
pub(crate) const OPERATIONS: usize = 64;

/// How many bytes go in one transaction, as it is sent: a little below `limits.txn_max_req_len`'s default.
pub(crate) const BYTES: usize = 512 * 1024 - 4096;

/// Room in each transaction for what goes along: the manifest, the mark, the intent.
const ALONG: usize = 3;

/// The bytes of the former two where they are only looked at, at the least.
const LOOKS: usize = 4096;

/// One object's write, as operations that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Which of the batch's operations this is.
    pub(crate) at: usize,
    pub(crate) ops: Vec<TxnOp>,
}

/// All writes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steps(pub(crate) Vec<Step>);

impl Steps {
    pub(crate) fn of(place: &Place, batch: &Batch) -> Self {
        let step = |(at, operation)| Step { at, ops: ops(place, operation) };
        Self(batch.operations.iter().enumerate().map(step).collect())
    }

    /// The only step, if no transaction takes it.
    pub(crate) fn only_a_large_value(&self) -> Option<&Step> {
        match &self.0[..] {
            [only] if only.is_large() => Some(only),
            _ => None,
        }
    }

    /// All steps, if one transaction takes them beside `along` bytes.
    pub(crate) fn in_one(&self, along: usize) -> Option<Vec<Step>> {
        let mut chunks = self.clone().chunks(along);
        (chunks.len() == 1 && fits(&chunks[0], along)).then(|| chunks.remove(0))
    }

    /// The steps, as many together as one transaction takes beside `along` bytes. A large value is alone.
    pub(crate) fn chunks(self, along: usize) -> Vec<Vec<Step>> {
        let mut chunks: Vec<Vec<Step>> = Vec::new();
        let (mut count, mut bytes) = (usize::MAX, usize::MAX);
        for step in self.0 {
            let (more, weight) = (step.ops.len(), step.weight());
            let fits = count.saturating_add(more) <= OPERATIONS - ALONG
                && bytes.saturating_add(weight) <= BYTES.saturating_sub(along);
            match chunks.last_mut() {
                Some(chunk) if fits => {
                    (count, bytes) = (count + more, bytes + weight);
                    chunk.push(step);
                }
                _ => {
                    (count, bytes) = (more, weight);
                    chunks.push(vec![step]);
                }
            }
        }
        chunks
    }
}

impl Step {
    /// Whether no transaction takes it.
    pub(crate) fn is_large(&self) -> bool {
        self.weight() > BYTES - LOOKS
    }

    fn weight(&self) -> usize {
        self.ops.iter().map(TxnOp::weight).sum()
    }
}

/// Whether one transaction takes these steps beside `along` bytes.
pub(crate) fn fits(steps: &[Step], along: usize) -> bool {
    steps.iter().map(Step::weight).sum::<usize>() + along <= BYTES
}

/// A write as operations that fail if its precondition does not hold. Consul's `delete-cas` succeeds on a key that
/// is not there, so a deletion is a check and a removal.
fn ops(place: &Place, operation: &Operation) -> Vec<TxnOp> {
    let key = place.object(&operation.key);
    match (&operation.write, operation.precondition) {
        (Write::Put(value), Precondition::Any) => vec![TxnOp::Set(key, value.clone())],
        (Write::Put(value), Precondition::Absent) => vec![TxnOp::Cas(key, value.clone(), 0)],
        (Write::Put(value), Precondition::At(at)) => vec![TxnOp::Cas(key, value.clone(), at.0)],
        (Write::Delete, Precondition::Any) => vec![TxnOp::Get(key.clone()), TxnOp::Delete(key)],
        // Never possible, but which of the two conditions fails makes a difference to people.
        (Write::Delete, Precondition::Absent) => vec![TxnOp::CheckAbsent(key.clone()), TxnOp::Get(key)],
        (Write::Delete, Precondition::At(at)) => {
            vec![TxnOp::CheckIndex(key.clone(), at.0), TxnOp::Delete(key)]
        }
    }
}

/// Whose the operation at this place is, if everybody has so many.
pub(crate) fn owner(lengths: impl Iterator<Item = usize>, at: usize) -> Option<usize> {
    let mut end = 0;
    for (owner, length) in lengths.enumerate() {
        end += length;
        if at < end {
            return Some(owner);
        }
    }
    None
}

/// Why the operation at this place of a transaction has failed.
pub(crate) async fn refusal(shared: &Shared, batch: &Batch, steps: &[Step], at: usize) -> StoreError {
    let guilty = owner(steps.iter().map(|step| step.ops.len()), at);
    let Some(operation) = guilty.map(|guilty| &batch.operations[steps[guilty].at]) else {
        return StoreError::unavailable("Consul names an operation that it was not given");
    };
    match shared.get(&shared.place.object(&operation.key)).await {
        Err(error) => error,
        Ok(entry) => {
            let found = entry.map(|entry| Revision(entry.modify_index));
            // It may be as we wanted it by now, but it was not when it counted.
            conflict(operation, found)
                .unwrap_or_else(|| StoreError::Conflict { key: operation.key.clone(), found })
        }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};
    use biplane_store::layout::Layout;

    use super::*;

    fn steps(sizes: &[usize]) -> Steps {
        let place = Place::new("consul://here/biplane", "biplane", Layout::Biplane);
        let key = |n: usize| ObjectKey::new(Kind::Upstream, "default", format!("u{n}"));
        let batch = sizes
            .iter()
            .enumerate()
            .fold(Batch::new(), |batch, (n, size)| batch.put(key(n), vec![b' '; *size], Precondition::Any));
        Steps::of(&place, &batch)
    }

    fn chunks(sizes: &[usize]) -> Vec<usize> {
        steps(sizes).chunks(0).iter().map(Vec::len).collect()
    }

    #[test]
    fn as_many_operations_as_a_transaction_takes_go_together_with_room_for_three() {
        assert_eq!(chunks(&[1; 61]), [61]);
        assert_eq!(chunks(&[1; 62]), [61, 1]);
        assert_eq!(chunks(&[1; 130]), [61, 61, 8]);
    }

    #[test]
    fn values_go_together_up_to_the_size_of_a_request_and_large_ones_alone() {
        assert_eq!(chunks(&[100_000; 4]), [3, 1]);
        assert_eq!(chunks(&[1, 500_000, 1]), [1, 1, 1]);
        assert!(steps(&[500_000]).only_a_large_value().is_some());
        assert!(steps(&[500_000]).in_one(0).is_none());
        assert!(steps(&[350_000]).only_a_large_value().is_none());
        assert!(steps(&[350_000]).in_one(0).is_some() && steps(&[350_000]).in_one(BYTES / 2).is_none());
        assert!(steps(&[1, 1]).in_one(0).is_some());
    }

    #[test]
    fn what_goes_along_takes_its_room_and_never_more_than_there_is() {
        assert!(steps(&[100_000; 3]).in_one(0).is_some());
        assert!(steps(&[100_000; 3]).in_one(BYTES / 2).is_none());
        let alone = steps(&[1; 3]).chunks(BYTES + 1);
        assert_eq!(alone.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
