//! Records that break with the store that they are in.

use std::sync::Arc;

use async_trait::async_trait;

use super::Faults;
use crate::error::StoreError;
use crate::object::Revision;
use crate::records::{Fence, Record, RecordWrite, Records, Seat};

#[derive(Debug)]
pub(super) struct FaultyRecords {
    pub(super) inner: Arc<dyn Records>,
    pub(super) faults: Arc<Faults>,
}

impl FaultyRecords {
    async fn pass(&self) -> Result<(), StoreError> {
        self.faults.mode(|settings| &settings.records).pass().await
    }
}

#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be answered by a default")]
#[async_trait]
impl Records for FaultyRecords {
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError> {
        self.pass().await?;
        self.inner.read(path).await
    }

    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.pass().await?;
        self.inner.read_below(prefix).await
    }

    async fn read_below_after(&self, prefix: &str, after: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.pass().await?;
        self.inner.read_below_after(prefix, after).await
    }

    async fn paths_below(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.pass().await?;
        self.inner.paths_below(prefix).await
    }

    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError> {
        self.pass().await?;
        self.inner.write(writes, fence).await
    }

    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
        self.pass().await?;
        self.inner.campaign(owner).await
    }
}
