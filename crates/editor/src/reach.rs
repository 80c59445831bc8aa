//! A store's calls, each with a deadline: a request that waits for a store has somebody waiting for it.

use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::{
    Batch, Description, Identity, Listing, Records, Revision, Store, StoreError, StoredObject,
};

/// How long reading everything may take.
const LIST: Duration = Duration::from_secs(30);

/// How long reading one thing may take.
pub(crate) const READ: Duration = Duration::from_secs(10);

/// How long a write may take; one of many objects takes several steps.
const WRITE: Duration = Duration::from_secs(30);

/// A store within reach.
#[derive(Clone)]
pub(crate) struct Reach(Arc<dyn Store>);

impl Reach {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    pub(crate) fn inner(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    pub(crate) fn name(&self) -> String {
        self.describe().name
    }

    pub(crate) fn describe(&self) -> Description {
        self.0.describe()
    }

    pub(crate) async fn list(&self) -> Result<Listing, StoreError> {
        within(LIST, "list", self.0.list()).await
    }

    pub(crate) async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        within(LIST, "read an object", self.0.get(key)).await
    }

    pub(crate) async fn head(&self) -> Result<Revision, StoreError> {
        within(READ, "tell its revision", self.0.head()).await
    }

    /// Without an answer in time nobody knows whether the batch was applied.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        within(WRITE, "write", self.0.commit(batch)).await
    }

    pub(crate) async fn init(&self) -> Result<Identity, StoreError> {
        within(WRITE, "mark the store", self.0.init()).await
    }

    pub(crate) fn records(&self) -> Option<Arc<dyn Records>> {
        self.0.records()
    }
}

/// Waits for a call, but not for ever.
pub(crate) async fn within<T>(
    deadline: Duration,
    call: &str,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| {
        let message =
            format!("the store gave no answer within {} s to the call to {call}", deadline.as_secs());
        Err(StoreError::unavailable(message).with_hint("look at what is there before you try again"))
    })
}
