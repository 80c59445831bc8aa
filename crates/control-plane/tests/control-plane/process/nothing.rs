//! Resources that nobody asks for, and such that delete.

use async_trait::async_trait;
use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, ChangeResult, Events, Filter, Name, Resource, ResourceList, Version,
};
use biplane_admin_api::{Problem, ProblemKind, Resources};
use biplane_core::key::ObjectKey;
use biplane_store::{Batch, Description, Listing, MemoryStore, Revision, Store, StoreError, WatchStream};

#[derive(Debug)]
pub(super) struct Nothing;

#[expect(clippy::result_large_err, reason = "as the trait has it")]
fn nothing<T>() -> Result<T, Problem> {
    Err(Problem::new(ProblemKind::NotFound, "there is nothing here"))
}

#[async_trait]
impl Resources for Nothing {
    async fn list(&self, _: &Filter) -> Result<ResourceList, Problem> {
        nothing()
    }

    async fn get(&self, _: &ObjectKey) -> Result<Resource, Problem> {
        nothing()
    }

    async fn apply(&self, _: &ApplyRequest) -> Result<ApplyResult, Problem> {
        nothing()
    }

    async fn history(&self, _: &ObjectKey) -> Result<Vec<Version>, Problem> {
        nothing()
    }

    async fn rollback(&self, _: &ObjectKey, _: u64, _: &str, _: bool) -> Result<ApplyResult, Problem> {
        nothing()
    }

    async fn watch(&self, _: &Filter) -> Result<Events, Problem> {
        nothing()
    }

    async fn init(&self) -> Result<String, Problem> {
        nothing()
    }
}

/// Deletes the same objects whatever it is asked to apply.
#[derive(Debug)]
pub(super) struct Deleting {
    pub(super) store: MemoryStore,
    pub(super) batch: Batch,
}

#[async_trait]
impl Resources for Deleting {
    async fn list(&self, _: &Filter) -> Result<ResourceList, Problem> {
        nothing()
    }

    async fn get(&self, _: &ObjectKey) -> Result<Resource, Problem> {
        nothing()
    }

    async fn apply(&self, _: &ApplyRequest) -> Result<ApplyResult, Problem> {
        let revision = self.store.commit(self.batch.clone()).await.expect("they are there");
        let change = |key: &ObjectKey| ChangeResult {
            key: Name::from(key),
            action: Action::Deleted,
            before: None,
            diff: String::new(),
        };
        let changes = self.batch.operations.iter().map(|operation| change(&operation.key)).collect();
        Ok(ApplyResult { revision: revision.0, changes, ..ApplyResult::default() })
    }

    async fn history(&self, _: &ObjectKey) -> Result<Vec<Version>, Problem> {
        nothing()
    }

    async fn rollback(&self, _: &ObjectKey, _: u64, _: &str, _: bool) -> Result<ApplyResult, Problem> {
        nothing()
    }

    async fn watch(&self, _: &Filter) -> Result<Events, Problem> {
        nothing()
    }

    async fn init(&self) -> Result<String, Problem> {
        nothing()
    }
}

/// A store without room for records.
#[derive(Debug)]
pub(super) struct WithoutRecords(pub(super) MemoryStore);

#[async_trait]
impl Store for WithoutRecords {
    fn describe(&self) -> Description {
        self.0.describe()
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.0.list().await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        self.0.watch(from).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.0.head().await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        self.0.commit(batch).await
    }
}
