//! The store itself: what all its calls share, and the trait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use biplane_store::sentinel::Sentinel;
use biplane_store::{
    Batch, Description, Identity, Listing, Patience, Records, Revision, RevisionScope, Store, StoreError,
    StoredObject, WatchStream,
};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use tokio::sync::watch;

use crate::list::Base;
use crate::members::{Link, Members};
use crate::options::EtcdOptions;
use crate::place::Place;
use crate::records::EtcdRecords;
use crate::{commit, list};

/// How many listings are remembered for the watches that begin where they end.
const BASES: usize = 4;

/// A folder of keys in etcd as a store. Clones share the connections.
#[derive(Clone)]
pub struct EtcdStore {
    core: Arc<Core>,
}

/// What the calls of one store share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Arc<EtcdOptions>,
    pub(crate) place: Arc<Place>,
    pub(crate) members: Members,
    pub(crate) patience: Patience,
    /// The newest revision that somebody asked for: the watches hurry to hear of it.
    pub(crate) heads: watch::Sender<u64>,
    bases: Mutex<VecDeque<Base>>,
}

impl EtcdStore {
    /// A store at these members. Nothing is sent before the first call, so etcd need not be up.
    pub fn connect(options: EtcdOptions) -> Result<Self, StoreError> {
        if options.endpoints.is_empty() {
            return Err(StoreError::invalid("an etcd store needs an endpoint")
                .with_hint("etcd://HOST:2379/ROOT, or ETCDCTL_ENDPOINTS"));
        }
        let place = Arc::new(Place::new(options.name(), &options.root));
        let options = Arc::new(options);
        let core = Core {
            members: Members::new(options.clone(), place.clone()),
            options,
            place,
            patience: Patience::default(),
            heads: watch::Sender::new(0),
            bases: Mutex::default(),
        };
        Ok(Self { core: Arc::new(core) })
    }
}

impl Core {
    /// Keeps what was listed, for the watch that goes on from there.
    pub(crate) fn remember(&self, base: Base) {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.retain(|known| known.revision != base.revision);
        bases.push_front(base);
        bases.truncate(BASES);
    }

    /// What was listed at a revision.
    pub(crate) fn recall(&self, revision: u64) -> Option<Base> {
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.iter().find(|base| base.revision == revision).cloned()
    }
}

#[async_trait]
impl Store for EtcdStore {
    fn describe(&self) -> Description {
        Description {
            name: self.core.place.name.to_string(),
            writable: true,
            sentinel: true,
            revisions: RevisionScope::Store,
        }
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        list::list(&self.core).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        list::get(&self.core, key).await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        crate::watch::open(&self.core, from).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        let head = list::head(&self.core).await?;
        self.core.heads.send_if_modified(|known| {
            let is_later = head > *known;
            *known = head.max(*known);
            is_later
        });
        Ok(Revision(head))
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        commit::commit(&self.core, batch).await
    }

    async fn init(&self) -> Result<Identity, StoreError> {
        let key = self.core.place.sentinel.as_str();
        let mark = Sentinel::new();
        let absent = Compare::create_revision(key, CompareOp::Equal, 0);
        let put = TxnOp::put(key, mark.encode(), None);
        let txn = Txn::new().when([absent]).and_then([put]).or_else([TxnOp::get(key, None)]);
        let call = |link: Link| link.txn(txn.clone());
        let answer = self.core.members.write("mark the store", call).await?;
        if answer.succeeded() {
            return Ok(mark.identity());
        }
        let there = answer.op_responses().into_iter().find_map(list::first);
        self.core.place.identity(there.as_ref())
    }

    fn records(&self) -> Option<Arc<dyn Records>> {
        Some(Arc::new(EtcdRecords::of(self.core.clone())))
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("name", &self.core.place.name).finish_non_exhaustive()
    }
}
