//! The store itself: what it is called, and which part does what.

use std::sync::Arc;

use async_trait::async_trait;
use biplane_consul_client::{Client, PutCondition};
use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use biplane_store::sentinel::Sentinel;
use biplane_store::{
    Batch, Description, Identity, Listing, Patience, Records, Revision, RevisionScope, Store, StoreError,
    StoredObject, WatchStream,
};

use crate::failure::failure;
use crate::options::ConsulOptions;
use crate::place::Place;
use crate::records::ConsulRecords;
use crate::remembered::Memory;
use crate::shared::{Shared, value};
use crate::{commit, list, watch};

/// A config store in Consul KV. Clones share connections and the memory of listings.
#[derive(Clone, Debug)]
pub struct ConsulStore {
    shared: Arc<Shared>,
}

impl ConsulStore {
    /// A store. Nothing is asked before it is used, so that it can be made while Consul is down.
    pub fn connect(options: ConsulOptions) -> Result<Self, StoreError> {
        let place = Place::new(&options.name(), &options.root, options.layout);
        let client = Client::new(options.client).map_err(|error| failure(&place, error))?;
        let shared = Shared {
            client,
            place,
            tuning: options.tuning,
            memory: Memory::default(),
            patience: Patience::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether it is ours to write: what Gloo keeps is not.
    fn has_sentinel(&self) -> bool {
        self.shared.place.layout.has_sentinel()
    }
}

#[async_trait]
impl Store for ConsulStore {
    fn describe(&self) -> Description {
        Description {
            name: self.shared.place.name.to_string(),
            writable: self.has_sentinel(),
            sentinel: self.has_sentinel(),
            revisions: RevisionScope::Store,
        }
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        list::list(&self.shared).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        let shared = &self.shared;
        let raw = shared.place.object(key);
        let (marked, entry) = tokio::join!(shared.marked(), shared.get(&raw));
        marked?;
        let Some(entry) = entry?.filter(|entry| entry.value_len() <= MAX_OBJECT) else { return Ok(None) };
        Ok(Some(StoredObject {
            key: key.clone(),
            value: value(&entry)?,
            location: shared.place.location(&raw, entry.modify_index),
            revision: Revision(entry.modify_index),
            created: Some(entry.create_index),
        }))
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        watch::open(self.shared.clone(), from).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        let (marked, index) = tokio::join!(self.shared.marked(), self.shared.prefix_index());
        marked?;
        index
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        if !self.has_sentinel() {
            return Err(StoreError::ReadOnly { store: self.shared.place.name.to_string() });
        }
        commit::commit(&self.shared, batch).await
    }

    async fn init(&self) -> Result<Identity, StoreError> {
        if !self.has_sentinel() {
            return Ok(self.list().await?.identity);
        }
        let (shared, key) = (&self.shared, self.shared.place.sentinel());
        if shared.get(&key).await?.is_none() {
            let mark = Sentinel::new().encode();
            // Whoever was first has named it.
            let first = shared.client.kv_put(&key, mark, PutCondition::At(0)).await;
            first.map_err(|error| shared.failure(error))?;
        }
        Ok(shared.sentinel().await?.identity())
    }

    fn records(&self) -> Option<Arc<dyn Records>> {
        self.has_sentinel().then(|| Arc::new(ConsulRecords::of(self.shared.clone())) as Arc<dyn Records>)
    }
}
