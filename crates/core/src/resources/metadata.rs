//! What every object says about itself besides its fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Timestamp;

/// Name, namespace, labels and the like. What Kubernetes and Gloo keep here for themselves
/// (`uid`, `generation`, `managedFields` ...) is read past.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// The namespace that it lives in; default `gloo-system`, as in Gloo.
    pub namespace: String,
    /// Labels, which selectors match.
    pub labels: BTreeMap<String, String>,
    /// Notes for people and tools.
    pub annotations: BTreeMap<String, String>,
    /// When the object was made: the older of two that claim the same thing keeps it.
    pub creation_timestamp: Option<Timestamp>,
}
