//! What all parts of a store use: the client, the names, the memory of listings; and the few reads that they
//! have in common.

use std::sync::Arc;

use biplane_consul_client::{Answer, Client, Error, KvEntries, KvEntry, Query, QueryMeta, TxnOp, TxnOutcome};
use biplane_store::sentinel::{self, Sentinel};
use biplane_store::{Patience, Revision, StoreError};
use bytes::Bytes;

use crate::failure::{failure, whole};
use crate::options::Tuning;
use crate::place::{MARKS, Place};
use crate::remembered::Memory;

/// One store's parts.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) place: Place,
    pub(crate) tuning: Tuning,
    pub(crate) memory: Memory,
    pub(crate) patience: Patience,
}

impl Shared {
    pub(crate) fn failure(&self, error: Error) -> StoreError {
        failure(&self.place, error)
    }

    /// One key, read strongly.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<KvEntry<'static>>, StoreError> {
        let answer = self.client.kv_get(key, &Query::consistent()).await;
        Ok(answer.map_err(|error| self.failure(error))?.value)
    }

    /// The sentinel, or that there is none.
    pub(crate) async fn sentinel(&self) -> Result<Sentinel, StoreError> {
        let key = self.place.sentinel();
        let entry = self.get(&key).await?.ok_or_else(|| self.unmarked())?;
        Sentinel::decode(&value(&entry)?, &key)
    }

    /// That the sentinel is there, and what it is now: for transactions.
    pub(crate) async fn still_marked(&self) -> Result<TxnOp, StoreError> {
        let key = self.place.sentinel();
        let entry = self.get(&key).await?.ok_or_else(|| self.unmarked())?;
        Sentinel::decode(&value(&entry)?, &key)?;
        Ok(TxnOp::CheckIndex(key, entry.modify_index))
    }

    /// Makes sure that a sentinel marks the store, if its layout has one.
    pub(crate) async fn marked(&self) -> Result<(), StoreError> {
        if self.place.layout.has_sentinel() {
            self.sentinel().await?;
        }
        Ok(())
    }

    /// The error of a prefix that nothing marks as a store. Without a sentinel that is one with nothing below it: it may
    /// be hidden, or another one is meant.
    pub(crate) fn unmarked(&self) -> StoreError {
        if self.place.layout.has_sentinel() {
            return sentinel::missing(&self.place.sentinel(), &self.place.name);
        }
        let config = self.place.config("");
        StoreError::Unmarked {
            message: format!("there is nothing below {config}, or it may not be read"),
            hint: Some("is this the root that Gloo's settings name, and may the token read it?".to_owned()),
        }
    }

    /// The marks: everything below `config/` that starts with `_`, read strongly. In a layout without them: only
    /// that there is something at all.
    pub(crate) async fn marks(&self, eyes: u64) -> Result<Answer<Option<KvEntries>>, StoreError> {
        if !self.place.layout.has_sentinel() {
            let (index, same) = tokio::join!(self.prefix_index(), self.same_eyes(eyes));
            same?;
            let index = index?;
            let meta = QueryMeta { index: index.0, ..QueryMeta::default() };
            return Ok(Answer { value: None, meta });
        }
        let prefix = self.place.config(MARKS);
        let query = Query::consistent();
        let (answer, same) = tokio::join!(self.client.kv_recurse(&prefix, &query), self.same_eyes(eyes));
        same?;
        let answer = answer.map_err(|error| self.failure(error))?;
        whole(&self.place, &answer.meta)?;
        Ok(answer)
    }

    /// Makes sure that what has been read was seen with the rights that we think we have. Without a token these are the
    /// agent's or anybody's, and of the latter an answer does not say by itself that it leaves things out.
    pub(crate) async fn same_eyes(&self, eyes: u64) -> Result<(), StoreError> {
        if self.client.identify().await.map_err(|error| self.failure(error))? != eyes {
            return Err(StoreError::unavailable(
                "the agent's token for requests without one has come or gone",
            ));
        }
        Ok(())
    }

    /// The index over all keys of Consul, read strongly. Within one life of a cluster it only grows: unlike a
    /// prefix's own index it does not go back when deletions are forgotten.
    pub(crate) async fn global_index(&self) -> Result<u64, StoreError> {
        let answer = self.client.kv_get(&self.place.nobody(), &Query::consistent()).await;
        Ok(answer.map_err(|error| self.failure(error))?.meta.index)
    }

    /// The index of everything below `config/`, read strongly.
    pub(crate) async fn prefix_index(&self) -> Result<Revision, StoreError> {
        let config = self.place.config("");
        let answer = self.client.kv_keys(&config, Some("/"), &Query::consistent()).await;
        let answer = answer.map_err(|error| self.failure(error))?;
        whole(&self.place, &answer.meta)?;
        answer.value.map(|_| Revision(answer.meta.index)).ok_or_else(|| self.unmarked())
    }

    pub(crate) async fn txn(&self, operations: &[TxnOp]) -> Result<TxnOutcome, StoreError> {
        self.client.txn(operations).await.map_err(|error| self.failure(error))
    }
}

/// An entry's bytes; an error if they are no base64.
pub(crate) fn value(entry: &KvEntry<'_>) -> Result<Bytes, StoreError> {
    entry.value().ok_or_else(|| StoreError::unavailable(format!("the answer for {} is garbled", entry.key)))
}

/// What the parts of a store share.
pub(crate) type Handle = Arc<Shared>;
