//! What goes in: changes, under conditions, and what became of them.

use std::fmt;

use biplane_core::key::{Kind, ObjectKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::status::ObjectReport;

mod fields;

/// Changes that become visible together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApplyRequest {
    /// What to change.
    pub changes: Vec<Change>,
    /// Also delete what is not among the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<Prune>,
    /// Change nothing, and say what would be changed and found.
    pub dry_run: bool,
    /// Write although the configuration gets worse by it.
    pub force: bool,
    /// Who asks. A server that knows the caller says so itself and takes this for a remark.
    pub author: String,
    /// Why, in one line, for the history.
    pub message: String,
}

/// One change. A field that is not known is an error: a misspelt `expect` must not become a change
/// without a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", try_from = "fields::ChangeFields")]
pub struct Change {
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
    /// What must be true of the object before.
    pub expect: Expect,
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "operation")]
pub enum Operation {
    /// Write one document, YAML or JSON; which object it is stands in it.
    Put {
        /// The document.
        text: String,
        /// Where the caller has it from, for findings: `petstore.yaml`. Line numbers count from `line`.
        #[serde(default)]
        origin: String,
        /// The line of `origin` on which `text` begins, from 1; 0 as 1.
        #[serde(default)]
        line: u32,
        /// Which object it must be, where the caller knows better than the text (a path of the API).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Name>,
    },
    /// Delete an object, which must exist.
    Delete {
        /// Which.
        key: Name,
    },
}

/// Texts may hold secrets, and requests are passed about.
impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { text, origin, line, key } => f
                .debug_struct("Put")
                .field("bytes", &text.len())
                .field("origin", origin)
                .field("line", line)
                .field("key", key)
                .finish(),
            Self::Delete { key } => f.debug_struct("Delete").field("key", key).finish(),
        }
    }
}

/// Kind, namespace and name, as the API writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Name {
    /// The kind.
    pub kind: Kind,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl From<&ObjectKey> for Name {
    fn from(key: &ObjectKey) -> Self {
        Self { kind: key.kind, namespace: key.namespace.clone(), name: key.name.clone() }
    }
}

impl From<&Name> for ObjectKey {
    fn from(name: &Name) -> Self {
        Self::new(name.kind, name.namespace.as_str(), name.name.as_str())
    }
}

/// Optimistic locking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    /// Whatever is there.
    #[default]
    Anything,
    /// Nothing is there.
    Absent,
    /// It last changed at this revision.
    Revision(u64),
}

/// What may be deleted because it was not mentioned. Only objects that all given conditions match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Prune {
    /// Of these kinds; empty: of the kinds that are among the changes.
    pub kinds: Vec<Kind>,
    /// In these namespaces; empty: in those that are among the changes.
    pub namespaces: Vec<String>,
    /// With these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<super::Selector>,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplyResult {
    /// The revision at which it is visible; of a dry run, the revision that it was computed from.
    pub revision: u64,
    /// Whether nothing was written because nobody asked for more than a dry run.
    pub dry_run: bool,
    /// One for each object, in order of kind, namespace and name.
    pub changes: Vec<ChangeResult>,
    /// What validation says about the configuration as it would be: first what is new by this request.
    pub findings: Vec<ValidationFinding>,
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeResult {
    /// Which.
    #[serde(flatten)]
    pub key: Name,
    /// What was done.
    pub action: Action,
    /// The revision of the version that was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// A unified diff from the old text to the new one, without secrets; empty where nothing changes or where
    /// it was not asked for by a dry run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// What was done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It was not there before.
    Created,
    /// It has another text now.
    Changed,
    /// The same text was there already: it was not written.
    Unchanged,
    /// It is gone.
    Deleted,
    /// It is gone because it was not mentioned.
    Pruned,
}

/// One finding of validation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ValidationFinding {
    /// Whether it comes in by this request: the configuration does not have it without.
    pub new: bool,
    /// What, where, why, and what to try.
    #[serde(flatten)]
    pub report: ObjectReport,
}

/// What became of removals that were held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Accepted {
    /// The source.
    pub source: String,
    /// How many objects are gone now.
    pub removals: u64,
    /// The objects, sorted.
    pub objects: Vec<Name>,
}
