//! Writes: one or many objects, each under a condition, all or nothing.

use std::collections::BTreeSet;
use std::fmt;

use biplane_core::key::{ObjectKey, check_name};
use bytes::Bytes;

use crate::error::StoreError;
use crate::intent::Author;
use crate::object::Revision;

/// Operations that become visible together or not at all. An object may appear once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What to do.
    pub operations: Vec<Operation>,
    /// Who does it, and why. With an author the store keeps an [`Intent`](crate::intent::Intent) in the same step.
    pub author: Option<Author>,
}

/// One write and the condition that it stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which object.
    pub key: ObjectKey,
    /// What to do to it.
    pub write: Write,
    /// What must be true of it before.
    pub precondition: Precondition,
}

/// What to do to an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Make it this.
    Put(Bytes),
    /// Remove it; it must exist.
    Delete,
}

/// Values may be secret, and batches are passed about.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(value) => write!(f, "Put({} bytes)", value.len()),
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// Optimistic locking: what the writer believes about the object that it is about to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there.
    #[default]
    Any,
    /// Nothing is there.
    Absent,
    /// It last changed at this revision.
    At(Revision),
}

impl Operation {
    fn check_names(&self) -> Result<(), StoreError> {
        for name in [&self.key.namespace, &self.key.name] {
            check_name(name).map_err(|why| {
                StoreError::invalid(format!(
                    "{} cannot be written: the name {name:?} cannot be: {why}",
                    self.key
                ))
            })?;
        }
        Ok(())
    }
}

impl Precondition {
    /// Whether an object that last changed at `found` (`None`: it does not exist) satisfies this.
    pub fn holds(self, found: Option<Revision>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::At(revision) => found == Some(revision),
        }
    }
}

impl Batch {
    /// A batch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The batch with one more object to write.
    #[must_use]
    pub fn put(mut self, key: ObjectKey, value: impl Into<Bytes>, precondition: Precondition) -> Self {
        self.operations.push(Operation { key, write: Write::Put(value.into()), precondition });
        self
    }

    /// The batch in somebody's name.
    #[must_use]
    pub fn by(mut self, author: Author) -> Self {
        self.author = Some(author);
        self
    }

    /// Refuses a batch that names an object twice (two writes of one step have no order), or in a way in which
    /// no object can be named.
    pub fn check(&self) -> Result<(), StoreError> {
        self.operations.iter().try_for_each(Operation::check_names)?;
        let mut seen = BTreeSet::new();
        match self.operations.iter().find(|operation| !seen.insert(&operation.key)) {
            Some(twice) => Err(StoreError::invalid(format!("{} appears twice in one batch", twice.key))),
            None => Ok(()),
        }
    }

    /// The batch with one more object to remove.
    #[must_use]
    pub fn delete(mut self, key: ObjectKey, precondition: Precondition) -> Self {
        self.operations.push(Operation { key, write: Write::Delete, precondition });
        self
    }
}
