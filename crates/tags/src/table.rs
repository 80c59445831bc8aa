//! The table of all routers: services in, changes of documents out.

use biplane_core::key::ObjectKey;
use serde_json::Value;

/// What changed, sorted by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Documents that are new or different.
    pub puts: Vec<Document>,
    /// Objects that are gone.
    pub deletions: Vec<ObjectKey>,
}

/// One object as a store would show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Which object.
    pub key: ObjectKey,
    /// `metadata` beside the fields.
    pub value: Value,
}
