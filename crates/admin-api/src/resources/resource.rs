//! What comes out: resources, their versions, and what happens to them.

use std::collections::BTreeMap;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One resource as its store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The store's revision at which it last changed: what `expect` and `If-Match` take.
    pub revision: u64,
    /// Where it is kept: a file and line, or a key and revision.
    pub location: String,
    /// Its labels; none for one that cannot be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The text as it was written, comments and all. For a [`Self::redacted`] resource the same fields with
    /// `[redacted]` in place of every value that is secret, or nothing if it cannot be told which are.
    pub text: String,
    /// Whether secret values were taken out of `text`. Such a text is refused when it is written back.
    #[serde(default)]
    pub redacted: bool,
    /// The document as JSON, the metadata first; `None` where the text does not parse.
    #[serde(default)]
    pub document: Option<serde_json::Value>,
}

impl Resource {
    /// Which object this is.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.kind, self.namespace.as_str(), self.name.as_str())
    }
}

/// Resources at one revision of their store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceList {
    /// The revision of the store.
    pub revision: u64,
    /// Sorted by kind, namespace and name.
    pub items: Vec<Resource>,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The revision at which it was written.
    pub revision: u64,
    /// When Biplane saw it.
    pub at: Timestamp,
    /// Who wrote it; empty where it was not written through Biplane.
    #[serde(default)]
    pub author: String,
    /// Why; may be empty.
    #[serde(default)]
    pub message: String,
    /// Whether this version is the object's absence.
    #[serde(default)]
    pub deleted: bool,
    /// See [`Resource::text`].
    #[serde(default)]
    pub text: String,
    /// See [`Resource::redacted`].
    #[serde(default)]
    pub redacted: bool,
}

/// What happens to resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum ResourceEvent {
    /// It is now this.
    Put {
        /// The resource.
        resource: Box<Resource>,
    },
    /// It is gone.
    Deleted {
        /// Its kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The revision at which it went.
        revision: u64,
    },
    /// Everything that was there at this revision has been told.
    Listed {
        /// The revision of the store.
        revision: u64,
    },
    /// Nothing happened for a while; the watch is alive.
    Alive,
}
