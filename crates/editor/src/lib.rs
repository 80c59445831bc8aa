//! Reading and changing what a store holds.
#![forbid(unsafe_code)]

use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Events, Filter, Problem, ProblemKind, Resource, ResourceList, Resources,
    Version,
};
use biplane_core::key::ObjectKey;
use biplane_store::Store;

/// [`Resources`] over any [`Store`].
#[derive(Clone, Debug)]
pub struct Editor {
    store: Arc<dyn Store>,
}

impl Editor {
    /// An editor of what `store` holds.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    fn nothing<T>(&self) -> Result<T, Problem> {
        let name = self.store.describe().name;
        Err(Problem::new(ProblemKind::Internal, format!("{name} cannot be edited yet")))
    }
}

#[async_trait]
impl Resources for Editor {
    async fn list(&self, _filter: &Filter) -> Result<ResourceList, Problem> {
        self.nothing()
    }

    async fn get(&self, _key: &ObjectKey) -> Result<Resource, Problem> {
        self.nothing()
    }

    async fn apply(&self, _request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        self.nothing()
    }

    async fn history(&self, _key: &ObjectKey) -> Result<Vec<Version>, Problem> {
        self.nothing()
    }

    async fn rollback(
        &self,
        _key: &ObjectKey,
        _revision: u64,
        _author: &str,
        _dry_run: bool,
    ) -> Result<ApplyResult, Problem> {
        self.nothing()
    }

    async fn watch(&self, _filter: &Filter) -> Result<Events, Problem> {
        self.nothing()
    }

    async fn init(&self) -> Result<String, Problem> {
        self.nothing()
    }
}
