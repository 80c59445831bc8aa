//! The trait that every config store implements, and the sugar on top of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::batch::{Batch, Precondition};
use crate::error::StoreError;
use crate::object::{Identity, Listing, Revision, StoredObject, WatchEvent};
use crate::records::Records;

/// What a watch yields. It ends after an error and after [`WatchEvent::Resync`]; whoever watches lists again.
pub type WatchStream = BoxStream<'static, Result<WatchEvent, StoreError>>;

/// Bytes under object keys.
///
/// A backend supplies these calls and nothing else: it never retries, never backs off and
/// keeps no last good state beyond what one bad document needs. That is [`Driver`](crate::Driver)'s
/// and the control plane's work. Every call may be dropped at any await without harm.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What this store is called and can do. Answers without I/O and never names a credential.
    fn describe(&self) -> Description;

    /// Reads everything: complete and consistent at the listing's revision, or an error. It sees every
    /// write that was acknowledged before the call.
    async fn list(&self) -> Result<Listing, StoreError>;

    /// One object as it is now, read strongly; `None`: the store is known not to have it.
    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        Ok(self.list().await?.items.into_iter().find(|object| object.key == *key))
    }

    /// What happens after `from`, in order, without gaps. A `from` that the store no longer (or not
    /// yet) knows yields [`WatchEvent::Resync`] first.
    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError>;

    /// The revision that the store is at, read strongly: no write that was acknowledged before the
    /// call has a later one.
    async fn head(&self) -> Result<Revision, StoreError>;

    /// Applies a batch in one step and says at which revision it became visible. A store that cannot
    /// be written answers [`StoreError::ReadOnly`].
    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError>;

    /// Marks an empty place as a store of ours, by writing its [`Sentinel`](crate::sentinel::Sentinel). A store
    /// that is marked already stays as it is; its identity is the answer either way. Stores without a mark
    /// (a directory; Gloo's own layout) have nothing to do.
    async fn init(&self) -> Result<Identity, StoreError> {
        Ok(self.list().await?.identity)
    }

    /// The store's room for Biplane's own records; `None`: it has none, and they live elsewhere or nowhere.
    fn records(&self) -> Option<Arc<dyn Records>> {
        None
    }
}

/// What a store is called and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// As status shows it, for example `file:///etc/biplane`.
    pub name: String,
    /// Whether [`Store::commit`] may succeed.
    pub writable: bool,
    /// Whether a [`Sentinel`](crate::sentinel::Sentinel) marks it, so that a wiped or hidden store is told from an
    /// empty one. Without one (a directory, Gloo's own layout) only counts can make a listing suspect.
    pub sentinel: bool,
    /// What its revisions may be compared with.
    pub revisions: RevisionScope,
}

/// How far a store's revisions reach, which decides whether one that is lower than before a restart
/// is a reason for suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionScope {
    /// Counted by this process: they mean nothing to the next one or to another replica.
    Process,
    /// Counted by the store: they never go backwards for as long as it is the same store.
    Store,
}

/// Single writes in terms of [`Store::commit`].
#[async_trait]
pub trait StoreExt: Store {
    /// Writes one object.
    async fn put(
        &self,
        key: ObjectKey,
        value: Bytes,
        condition: Precondition,
    ) -> Result<Revision, StoreError> {
        self.commit(Batch::new().put(key, value, condition)).await
    }

    /// Removes one object, which must exist.
    async fn delete(&self, key: ObjectKey, condition: Precondition) -> Result<Revision, StoreError> {
        self.commit(Batch::new().delete(key, condition)).await
    }
}

impl<S: Store + ?Sized> StoreExt for S {}
