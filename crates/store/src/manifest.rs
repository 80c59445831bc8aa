//! The manifest of a batch that its store cannot apply in one step: the key `config/_batch`.
//!
//! etcd takes 128 operations a transaction and Consul 64; and Consul's readers watch folders, which a
//! transaction over several of them wakes one by one. So a writer says beforehand which folders it is
//! going to change and afterwards that it has: readers that see the manifest open hold back what they see
//! in between, for a bounded time, and readers of Consul learn from it which folders belong together.
//!
//! The manifest is also the writers' mutex: a batch begins only while none is open, or the open one has been
//! seen for [`PATIENCE`] (see [`Patience`](crate::Patience)), and a writer that crashed in between leaves half an edit that is told as such.

use std::collections::BTreeSet;
use std::time::Duration;

use biplane_core::location::Location;
use biplane_core::scalars::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::clock;
use crate::object::{Fault, FaultKind};

/// How long a reader holds changes back for an open manifest, and after which another writer may take over.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Random: tells this batch from every other.
    pub id: String,
    /// Whether parts of the batch are still to come.
    pub open: bool,
    /// The folders that it changes: `<Kind>/<namespace>`, sorted.
    pub folders: BTreeSet<String>,
    /// How many operations it has.
    pub operations: usize,
    /// When it began, by the writer's clock.
    pub at: Timestamp,
    /// Who writes, for the message about a batch that was never finished.
    #[serde(default)]
    pub author: String,
}

impl Manifest {
    /// The open manifest of a batch.
    pub fn open(batch: &Batch) -> Self {
        let folder = |operation: &crate::batch::Operation| {
            format!("{}/{}", operation.key.kind, operation.key.namespace)
        };
        Self {
            id: crate::sentinel::random_id(),
            open: true,
            folders: batch.operations.iter().map(folder).collect(),
            operations: batch.operations.len(),
            at: clock::now(),
            author: batch.author.as_ref().map(|author| author.name.clone()).unwrap_or_default(),
        }
    }

    /// The same batch, all of it applied.
    #[must_use]
    pub fn closed(&self) -> Self {
        Self { open: false, ..self.clone() }
    }

    /// The fault of a batch that was never finished, whose manifest is at `location`.
    pub fn unfinished(&self, location: Location) -> Fault {
        let author = if self.author.is_empty() { "somebody" } else { &self.author };
        let Self { operations, folders, .. } = self;
        let folders = folders.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("a batch of {operations} writes by {author} in {folders} was never finished");
        Fault::new(FaultKind::Unfinished, location, message)
            .hint("compare what is there with what was meant, apply it again, and remove this key")
    }

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain data").into()
    }

    /// From what is stored; `None`: not a manifest that this version understands, which holds nothing back.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}
