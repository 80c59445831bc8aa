//! Intents: a note that whoever writes through Biplane leaves in the same step, at `meta/intents/<id>`,
//! saying who changed what and why. The shrink guard lets deletions pass that an intent names, so that a
//! meant bulk delete needs no second word, and history knows authors from them.
//!
//! Invariant: an intent covers a deletion only of a version that is older than the intent: an object that
//! was made anew since is not covered, whatever its name.

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Write};
use crate::clock;
use crate::layout;
use crate::object::{Identity, Revision};
use crate::records::META;

/// Who writes, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Author {
    /// Who: a user, a token's name, a program.
    pub name: String,
    /// What for, in one line; may be empty.
    pub message: String,
}

/// What one batch meant to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Who, and why.
    #[serde(flatten)]
    pub author: Author,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// What it wrote: `<Kind>/<namespace>/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub puts: Vec<String>,
    /// What it deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<String>,
    /// What of a store that looked wrong an operator has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Acceptance>,
}

/// An operator's word that a store is meant to be as it shows itself. In a store that was replaced or taken back
/// the revisions of before mean nothing, so the versions that may be let go are named one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Acceptance {
    /// The store that the word is about.
    pub identity: String,
    /// By object, `<Kind>/<namespace>/<name>`: the revision of the version that was in use until then.
    pub versions: BTreeMap<String, u64>,
}

impl Intent {
    /// The intent of a batch that has an author.
    pub fn of(batch: &Batch) -> Option<Self> {
        let author = batch.author.clone()?;
        let (deletes, puts): (Vec<_>, Vec<_>) =
            batch.operations.iter().partition(|operation| operation.write == Write::Delete);
        let keys = |operations: Vec<&crate::batch::Operation>| {
            operations.into_iter().map(|operation| layout::format_key(&operation.key)).collect()
        };
        Some(Self { author, at: clock::now(), puts: keys(puts), deletes: keys(deletes), accepts: None })
    }

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain data").into()
    }

    /// From what is stored; `None`: not an intent that this version understands.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    /// Whether this intent, which was written at `revision`, means the deletion of an object that last changed
    /// at `changed`.
    pub fn covers(&self, revision: Revision, key: &ObjectKey, changed: Revision) -> bool {
        changed < revision && self.deletes.contains(&layout::format_key(key))
    }

    /// Whether an operator has accepted that the store with this identity does not show the version of an object
    /// that was written at `version`, wherever the store's revisions are by now.
    pub fn accepts(&self, identity: &Identity, key: &ObjectKey, version: Revision) -> bool {
        self.accepts.as_ref().is_some_and(|accepts| {
            *accepts.identity == *identity.0
                && accepts.versions.get(&layout::format_key(key)) == Some(&version.0)
        })
    }
}

/// The folder of intents.
pub fn folder() -> String {
    format!("{META}/intents/")
}

/// A path for a new intent. The time in front sorts the folder by age.
pub fn path(at: Timestamp) -> String {
    format!("{META}/intents/{:012}-{}", at.0, crate::sentinel::random_id())
}
