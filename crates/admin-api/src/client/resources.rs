//! [`Resources`] over HTTP.

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use hyper::Method;

use super::Client;
use super::exchange::{Call, encoded};
use crate::path;
use crate::resources::{
    ApplyRequest, ApplyResult, Events, Filter, Problem, Resource, ResourceList, Resources, Version,
};
use crate::wire::{Initialized, ListQuery, RollbackRequest};

#[async_trait]
impl Resources for Client {
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem> {
        Ok(self.json(filtered(path::RESOURCES, filter)).await?)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        Ok(self.json(Call::new(Method::GET, object(path::RESOURCE, key))).await?)
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        Ok(self.json(Call::new(Method::POST, path::APPLY.to_owned()).json(request)).await?)
    }

    async fn history(&self, key: &ObjectKey) -> Result<Vec<Version>, Problem> {
        Ok(self.json(Call::new(Method::GET, object(path::HISTORY, key))).await?)
    }

    async fn rollback(
        &self,
        key: &ObjectKey,
        revision: u64,
        author: &str,
        dry_run: bool,
    ) -> Result<ApplyResult, Problem> {
        let body = RollbackRequest { revision, dry_run, author: author.to_owned() };
        Ok(self.json(Call::new(Method::POST, object(path::ROLLBACK, key)).json(&body)).await?)
    }

    async fn watch(&self, filter: &Filter) -> Result<Events, Problem> {
        Ok(self.events(filtered(path::WATCH, filter)).await?)
    }

    async fn init(&self) -> Result<String, Problem> {
        let marked: Initialized = self.json(Call::new(Method::POST, path::INIT.to_owned())).await?;
        Ok(marked.identity)
    }
}

fn filtered(path: &str, filter: &Filter) -> Call {
    let ListQuery { kind, namespace, name, selector } = filter.into();
    Call::new(Method::GET, path.to_owned())
        .query("kind", kind.as_deref())
        .query("namespace", namespace.as_deref())
        .query("name", name.as_deref())
        .query("selector", selector.as_deref())
}

/// A path of one object. Each part is encoded, so no name can fill in another part.
fn object(template: &str, key: &ObjectKey) -> String {
    let parts = format!("{}/{}/{}", key.kind, encoded(&key.namespace), encoded(&key.name));
    template.replace("{kind}/{namespace}/{name}", &parts)
}
