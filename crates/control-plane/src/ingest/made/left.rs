//! What the last run made and this one has not made yet, with the sources of the services that it was made of.
//!
//! Invariant: an object is here until it is made again, or is not to be made any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::resources::Metadata;
use biplane_core::resources::metadata::{MADE_BY, SERVICES};
use biplane_store::StoredObject;
use biplane_tags::service;
use serde::Deserialize;

use super::Ingest;

/// The sources of the services that an object was made of; none: it does not say.
pub(crate) type Owners = BTreeSet<Arc<str>>;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Left(BTreeMap<ObjectKey, Owners>);

impl Left {
    /// What the last run left.
    pub(super) fn of(objects: &[StoredObject]) -> Self {
        Self(objects.iter().map(|object| (object.key.clone(), owners(object))).collect())
    }

    /// It is made again, or no more.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.0.remove(key);
    }
}

/// Who is named in the object. Versions before named only the source of an upstream that a service became.
fn owners(object: &StoredObject) -> Owners {
    #[derive(Default, Deserialize)]
    struct Head {
        metadata: Metadata,
    }
    let Head { metadata } = serde_json::from_slice(&object.value).unwrap_or_default();
    match metadata.annotations.get(SERVICES) {
        Some(services) => service::sources(services).map(Arc::from).collect(),
        None => metadata.labels.get(MADE_BY).map(|source| source.as_str().into()).into_iter().collect(),
    }
}

impl Ingest {
    /// What the last run made and this one has not yet, with its owners.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&ObjectKey, &Owners)> {
        self.made.left.0.iter()
    }

    /// Whose such an object is; none: it is not one.
    pub(crate) fn left_owners(&self, key: &ObjectKey) -> Option<&Owners> {
        self.made.left.0.get(key)
    }

    /// Nothing counts that the last run made.
    pub(crate) fn forget_left(&mut self) {
        let left = std::mem::take(&mut self.made.left);
        self.made.objects.retain(|key, _| !left.0.contains_key(key));
    }

    /// These are gone; gives those that the graph knows.
    pub(crate) fn drop_left(&mut self, keys: Vec<ObjectKey>) -> Vec<ObjectKey> {
        for key in &keys {
            self.unmake(key);
        }
        keys.into_iter().filter(|key| self.made.in_use.contains(key)).collect()
    }
}
