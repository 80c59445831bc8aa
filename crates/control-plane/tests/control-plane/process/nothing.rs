//! Resources that nobody asks for.

use async_trait::async_trait;
use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Events, Filter, Resource, ResourceList, Version,
};
use biplane_admin_api::{Problem, ProblemKind, Resources};
use biplane_core::key::ObjectKey;

#[derive(Debug)]
pub(super) struct Nothing;

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
