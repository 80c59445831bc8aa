//! What rules do again and again: write by the users' means, list, follow, look something up.

use std::sync::Arc;

use biplane_core::key::ObjectKey;
use bytes::Bytes;

use super::{Follower, Harness, document, key};
use crate::object::{Listing, StoredObject};
use crate::store::Store;

/// Writes one virtual service as users do.
pub(super) async fn write(harness: &impl Harness, name: &str, note: &str) {
    harness.write(vec![(key(name), document(&key(name), note))]).await;
}

pub(super) async fn list(harness: &impl Harness) -> Listing {
    harness.store().list().await.expect("the store lists")
}

pub(super) async fn follow(harness: &impl Harness) -> Follower {
    Follower::start(&harness.store()).await
}

/// The store, if it can be written.
pub(super) fn writable(harness: &impl Harness) -> Option<Arc<dyn Store>> {
    Some(harness.store()).filter(|store| store.describe().writable)
}

/// The store, if a sentinel marks it.
pub(super) fn marked(harness: &impl Harness) -> Option<Arc<dyn Store>> {
    Some(harness.store()).filter(|store| store.describe().sentinel)
}

pub(super) fn keys(listing: &Listing) -> Vec<ObjectKey> {
    listing.items.iter().map(|object| object.key.clone()).collect()
}

pub(super) fn values(listing: &Listing) -> Vec<(ObjectKey, Bytes)> {
    listing.items.iter().map(|object| (object.key.clone(), object.value.clone())).collect()
}

pub(super) fn object<'a>(listing: &'a Listing, key: &ObjectKey) -> &'a StoredObject {
    let found = listing.items.iter().find(|object| object.key == *key);
    found.unwrap_or_else(|| panic!("{key} is not listed: {listing:?}"))
}

pub(super) fn value<'a>(listing: &'a Listing, key: &ObjectKey) -> &'a Bytes {
    &object(listing, key).value
}
