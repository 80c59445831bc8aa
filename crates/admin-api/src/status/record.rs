//! What the leader keeps in the store about objects: `status/<Kind>/<namespace>/<name>` for each that there
//! is something to say about, and `status/_summary` for the whole.

use std::collections::BTreeMap;

use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::objects::ObjectReport;

/// What is said about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusRecord {
    /// What became of its latest version.
    pub state: ObjectState,
    /// The revision of that version; none: the store does not show the object.
    pub revision: Option<u64>,
    /// What there is to say.
    pub reports: Vec<ObjectReport>,
    /// When it was written.
    pub at: Timestamp,
    /// Which replica wrote it.
    pub by: String,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectState {
    /// It is used.
    Accepted,
    /// It is used, but not all of it does what its author may expect.
    Warning,
    /// It, or a part of it, is not used; the version before is, where there is one.
    Rejected,
    /// The store lacks it, or shows an older version, and that is not believed: it stays in use.
    Held,
    /// A state that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The whole in a few numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusSummary {
    /// Which replica leads.
    pub by: String,
    /// Since when.
    pub leading_since: Timestamp,
    /// Its version.
    pub version: String,
    /// The revision of the store that it serves.
    pub revision: u64,
    /// Errors in the configuration.
    pub errors: u64,
    /// Warnings about it.
    pub warnings: u64,
    /// Objects that stay in use although the store lacks them.
    pub held: u64,
    /// Objects in use, by kind.
    pub objects: BTreeMap<String, u64>,
    /// When it was written.
    pub at: Timestamp,
}

impl StatusRecord {
    /// What makes it worth a write: neither who writes it nor when.
    #[must_use]
    pub fn essence(&self) -> Self {
        Self { at: Timestamp::default(), by: String::new(), ..self.clone() }
    }
}

impl ObjectState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Warning => "warning",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Unknown => "unknown",
        }
    }
}
