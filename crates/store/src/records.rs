//! What a store keeps beside its users' objects: Biplane's own records, and the leader's seat.
//!
//! Records live at paths below the store's root and never below `config/`: `status/...`, `history/...`,
//! `meta/...`. They are small (the store's limit for one value), nobody but Biplane writes them, and no
//! Envoy depends on one: a store whose records cannot be written serves its objects all the same.
//!
//! Locks of etcd and Consul are not mutual exclusion: a leader that slept may wake up deposed. So every
//! write that only a leader may make carries its [`Fence`], and the store refuses it in the same step if
//! the seat has changed hands.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::batch::{Precondition, Write};
use crate::error::StoreError;
use crate::object::Revision;

/// The folder below the root that holds what Biplane says about objects.
pub const STATUS: &str = "status";

/// The folder below the root that holds earlier versions of objects: `history/<Kind>/<namespace>/<name>/<revision>`.
pub const HISTORY: &str = "history";

/// The folder below the root for everything else: `meta/intents/<id>`, `meta/leader`.
pub const META: &str = "meta";

/// The path of the leader's seat.
pub const LEADER: &str = "meta/leader";

/// Biplane's own records in a store, next to its users' objects.
#[async_trait]
pub trait Records: fmt::Debug + Send + Sync + 'static {
    /// The record at a path; `None`: there is none. Read strongly.
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError>;

    /// All records whose path starts with `prefix`, which ends with `/`, sorted by path. Read strongly.
    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError>;

    /// The same from a path on: only records whose path is greater than `after`.
    async fn read_below_after(&self, prefix: &str, after: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let mut found = self.read_below(prefix).await?;
        found.retain(|(path, _)| path.as_str() > after);
        Ok(found)
    }

    /// The paths of all records below `prefix`, sorted, without what is in them.
    async fn paths_below(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.read_below(prefix).await?.into_iter().map(|(path, _)| path).collect())
    }

    /// Applies the writes: in one step as far as the store's limit of operations goes, else in order in
    /// several. With a fence, each step happens only while its holder leads ([`StoreError::Deposed`]).
    /// Deleting a record that is not there is no error.
    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError>;

    /// Waits for the seat at [`LEADER`] and takes it in the name of `owner`, which says to people who leads.
    /// It ends with the seat or with an error (the store cannot be written, or must not be by us); the
    /// caller backs off and comes again.
    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError>;
}

/// The leader's seat. Dropping it gives it up as soon as the store learns of it.
#[async_trait]
pub trait Seat: fmt::Debug + Send {
    /// What a leader's writes carry.
    fn fence(&self) -> Fence;

    /// Keeps the seat; ends when it is lost, or when its renewal has failed for two thirds of its time
    /// to live by this process's own clock.
    async fn lost(&mut self) -> StoreError;

    /// Gives the seat up, so that another may have it at once.
    async fn resign(self: Box<Self>);
}

/// Proof of who leads, checked by the store at each write that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The revision at which the seat was taken (etcd: create revision; Consul: lock index), for people
    /// and for records: a later leader has a larger one.
    pub term: u64,
    /// What the store checks: the lease or the session that holds the seat.
    pub holder: String,
}

/// One record as the store holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its bytes.
    pub value: Bytes,
    /// The revision at which it last changed.
    pub revision: Revision,
}

/// Earlier versions of secrets are records.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record(revision {}, {} bytes)", self.revision, self.value.len())
    }
}

/// One write of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordWrite {
    /// Where, below the root.
    pub path: String,
    /// What to do there.
    pub write: Write,
    /// What must be true there before.
    pub precondition: Precondition,
}

impl RecordWrite {
    /// Puts a record, whatever is there.
    pub fn put(path: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { path: path.into(), write: Write::Put(value.into()), precondition: Precondition::Any }
    }

    /// Removes a record, if it is there.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { path: path.into(), write: Write::Delete, precondition: Precondition::Any }
    }

    /// The same write under a condition.
    #[must_use]
    pub const fn when(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_for_debugging_shows_no_value() {
        let record = Record { value: Bytes::from_static(b"hunter2"), revision: Revision(7) };
        assert_eq!(format!("{record:?}"), "Record(revision 7, 7 bytes)");
    }
}
