//! What a batch comes to: writes of keys, each with its condition, packed into steps that etcd takes.

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use biplane_store::{
    Batch, Intent, Operation, Precondition, RecordWrite, Revision, StoreError, Write, layout,
};
use etcd_client::{Compare, CompareOp, TxnOp};

use crate::options::EtcdOptions;
use crate::place::Place;
use crate::raw::signed;

/// Operations of a transaction that are kept for what a step carries beside its actions: the manifest, and
/// the conditions on the marks or on the seat.
const RESERVED: usize = 3;

/// What one key takes in a request beside its bytes.
const BYTES_BESIDE: usize = 64;

/// One write of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) key: String,
    pub(crate) write: Write,
    precondition: Precondition,
    subject: Subject,
}

/// What the key is to its writer, for the error.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Object(ObjectKey),
    /// Its path below the root. What is not there need not be deleted.
    Record(String),
}

/// The steps of a batch, in order.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Vec<Action>>,
}

impl Plan {
    /// The objects first, who meant them last.
    pub(super) fn of(batch: &Batch, place: &Place, options: &EtcdOptions) -> Self {
        let objects = batch.operations.iter().map(|operation| Action::object(operation, place));
        let actions = objects.chain(intents(batch, place)).collect();
        Self { steps: pack(actions, options) }
    }

    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flatten()
    }
}

impl Action {
    fn object(operation: &Operation, place: &Place) -> Self {
        Self {
            key: place.object(&operation.key),
            write: operation.write.clone(),
            precondition: operation.precondition,
            subject: Subject::Object(operation.key.clone()),
        }
    }

    pub(crate) fn record(write: RecordWrite, place: &Place) -> Self {
        Self {
            key: place.record(&write.path),
            write: write.write,
            precondition: write.precondition,
            subject: Subject::Record(write.path),
        }
    }

    /// What etcd compares.
    pub(crate) fn condition(&self) -> Option<Compare> {
        let key = self.key.as_str();
        let must_exist = self.must_exist();
        match self.precondition {
            Precondition::At(Revision(revision)) => {
                Some(Compare::mod_revision(key, CompareOp::Equal, signed(revision)))
            }
            // No key is like that: what is absent cannot be deleted.
            Precondition::Absent if must_exist => Some(Compare::create_revision(key, CompareOp::Less, 0)),
            Precondition::Absent => Some(Compare::create_revision(key, CompareOp::Equal, 0)),
            Precondition::Any if must_exist => Some(Compare::create_revision(key, CompareOp::Greater, 0)),
            Precondition::Any => None,
        }
    }

    /// What etcd does.
    pub(crate) fn operation(&self) -> TxnOp {
        match &self.write {
            Write::Put(value) => TxnOp::put(self.key.as_str(), value.clone(), None),
            Write::Delete => TxnOp::delete(self.key.as_str(), None),
        }
    }

    /// Whether the condition holds for a key that last changed at `found`.
    pub(super) fn check(&self, found: Option<Revision>) -> Result<(), StoreError> {
        match &self.subject {
            Subject::Object(key) if !self.precondition.holds(found) => {
                Err(StoreError::Conflict { key: key.clone(), found })
            }
            Subject::Object(key) if self.must_exist() && found.is_none() => {
                Err(StoreError::NotFound { key: key.clone() })
            }
            Subject::Record(path) if !self.precondition.holds(found) => {
                Err(StoreError::RecordConflict { path: path.clone(), found })
            }
            _ => Ok(()),
        }
    }

    fn must_exist(&self) -> bool {
        self.write == Write::Delete && matches!(self.subject, Subject::Object(_))
    }

    pub(super) fn bytes(&self) -> usize {
        let value = match &self.write {
            Write::Put(value) => value.len(),
            Write::Delete => 0,
        };
        self.key.len() + value + BYTES_BESIDE
    }
}

/// Refuses what readers would refuse.
pub(super) fn check_sizes(batch: &Batch) -> Result<(), StoreError> {
    let too_large = batch.operations.iter().find_map(|operation| match &operation.write {
        Write::Put(value) if value.len() > MAX_OBJECT => {
            Some(layout::too_large_to_write(&operation.key, value.len()))
        }
        _ => None,
    });
    too_large.map_or(Ok(()), Err)
}

/// The actions in order, cut where etcd's limits are reached.
pub(crate) fn pack(actions: Vec<Action>, options: &EtcdOptions) -> Vec<Vec<Action>> {
    let most = options.max_operations.saturating_sub(RESERVED);
    cut(actions, most, options.max_bytes, Action::bytes)
}

/// Everything in order, in pieces of at most so many and so many bytes; what is larger is a piece of its own.
pub(super) fn cut<T>(
    all: impl IntoIterator<Item = T>,
    most: usize,
    most_bytes: usize,
    bytes_of: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for one in all {
        let more = bytes_of(&one);
        bytes += more;
        match pieces.last_mut() {
            Some(piece) if piece.len() < most && bytes <= most_bytes => piece.push(one),
            _ => {
                bytes = more;
                pieces.push(vec![one]);
            }
        }
    }
    pieces
}

/// Who meant the batch, in as many notes as it takes to name every object.
fn intents(batch: &Batch, place: &Place) -> impl Iterator<Item = Action> {
    Intent::parts(batch).into_iter().map(|intent| Action::record(intent.record(), place))
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_store::Author;

    use super::*;

    fn place() -> Place {
        Place::new("etcd://h:2379/r".to_owned(), "r")
    }

    fn batch(objects: usize, bytes: usize) -> Batch {
        (0..objects).fold(Batch::new(), |batch, n| {
            let key = ObjectKey::new(Kind::Upstream, "default", n.to_string());
            batch.put(key, vec![b'x'; bytes], Precondition::Any)
        })
    }

    fn sizes(batch: &Batch) -> Vec<usize> {
        let plan = Plan::of(batch, &place(), &EtcdOptions::new(["http://h:2379"]));
        plan.steps.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_step_stays_below_the_limit_of_operations() {
        assert_eq!(sizes(&batch(125, 1)), [125]);
        assert_eq!(sizes(&batch(126, 1)), [125, 1]);
        assert_eq!(sizes(&batch(300, 1)), [125, 125, 50]);
    }

    #[test]
    fn a_step_stays_below_the_limit_of_bytes() {
        assert_eq!(sizes(&batch(5, 400 * 1024)), [2, 2, 1]);
    }

    #[test]
    fn an_author_is_noted_in_the_last_step() {
        let batch = batch(125, 1).by(Author { name: "me".into(), message: String::new() });
        let plan = Plan::of(&batch, &place(), &EtcdOptions::new(["http://h:2379"]));
        let [all, last] = &plan.steps[..] else { panic!("two steps") };
        assert_eq!(all.len(), 125);
        assert!(last[0].key.starts_with("r/meta/intents/"), "{last:?}");
    }
}
