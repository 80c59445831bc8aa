//! What an edition holds: the objects, and what was known of the sources that they came from.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use biplane_store::{Identity, Revision, StoredObject};
use serde::{Deserialize, Serialize};

use crate::discovery::KeptEndpoints;
use crate::guard::Memory;
use crate::secrets::KeptSecret;

/// What the last run left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastRun {
    /// The last good version of every object, in order of keys.
    pub objects: Vec<StoredObject>,
    /// What is known of secrets beside their objects.
    pub secrets: Vec<KeptSecret>,
    /// Endpoints that were looked up.
    pub endpoints: Vec<KeptEndpoints>,
    /// The sources that the objects came from.
    pub sources: Sources,
}

/// What was known of each source, by its name.
pub type Sources = BTreeMap<String, SourceRecord>;

/// What was known of one source. An edition of format 2 knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceRecord {
    /// Which store it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How far it was.
    pub revision: u64,
    /// When it was last known to hold just these objects; none: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// The objects that it lacks and that are kept all the same.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub held: BTreeSet<ObjectKey>,
}

impl SourceRecord {
    /// What a guard knows, and when the source was read.
    pub fn new(memory: Memory, read_at: Option<Timestamp>) -> Self {
        let identity = memory.identity.map(|identity| identity.to_string());
        Self { identity, revision: memory.revision.0, read_at, held: memory.held }
    }

    /// What a guard has to know.
    pub fn memory(&self) -> Memory {
        Memory {
            identity: self.identity.as_deref().map(Identity::new),
            revision: Revision(self.revision),
            held: self.held.clone(),
            moved: false,
        }
    }
}
