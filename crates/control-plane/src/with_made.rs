//! What the store holds and what was made from services, in one list: people look for a route where routes are, whoever
//! made it. Only what the store holds can be changed; an object written under the name of a made one takes its place.

use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Events, Filter, Resource, ResourceList, Version,
};
use biplane_admin_api::{Problem, ProblemKind, Resources};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::Metadata;
use biplane_store::StoredObject;
use serde::Deserialize;
use tokio::task::block_in_place;

use crate::shared::SharedEngine;

/// Resources with the made ones among them.
#[derive(Debug)]
pub(crate) struct WithMade {
    pub(crate) inner: Arc<dyn Resources>,
    pub(crate) engine: SharedEngine,
}

#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be answered by a default")]
#[async_trait]
impl Resources for WithMade {
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem> {
        let mut list = self.inner.list(filter).await?;
        let made = block_in_place(|| self.all_made());
        let is_meant = |resource: &Resource| filter.matches(&resource.key(), &resource.labels);
        let made: Vec<_> = made.into_iter().map(|object| resource(&object)).filter(is_meant).collect();
        if !made.is_empty() {
            list.items.extend(made);
            list.items.sort_by_cached_key(Resource::key);
            list.items.dedup_by(|later, first| later.key() == first.key());
        }
        Ok(list)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        match self.inner.get(key).await {
            Err(problem) if problem.kind == ProblemKind::NotFound => {
                let made = block_in_place(|| self.made(key));
                made.as_ref().map(resource).ok_or(problem)
            }
            answer => answer,
        }
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        self.inner.apply(request).await
    }

    async fn history(&self, key: &ObjectKey) -> Result<Vec<Version>, Problem> {
        self.inner.history(key).await
    }

    async fn rollback(
        &self,
        key: &ObjectKey,
        revision: u64,
        author: &str,
        dry_run: bool,
    ) -> Result<ApplyResult, Problem> {
        self.inner.rollback(key, revision, author, dry_run).await
    }

    /// Of what the store holds: what is made changes with every deployment, and is of nobody's hand.
    async fn watch(&self, filter: &Filter) -> Result<Events, Problem> {
        self.inner.watch(filter).await
    }

    async fn init(&self) -> Result<String, Problem> {
        self.inner.init().await
    }
}

impl WithMade {
    fn all_made(&self) -> Vec<StoredObject> {
        let engine = self.engine.lock();
        let ingest = engine.ingest();
        ingest.made_in_use().filter_map(|key| ingest.good().get(key)).cloned().collect()
    }

    fn made(&self, key: &ObjectKey) -> Option<StoredObject> {
        let engine = self.engine.lock();
        let ingest = engine.ingest();
        ingest.good().get(key).filter(|_| ingest.is_made(key)).cloned()
    }
}

/// A made object as a store would show it. Secrets show nothing.
fn resource(object: &StoredObject) -> Resource {
    #[derive(Default, Deserialize)]
    struct Head {
        metadata: Metadata,
    }
    let redacted = object.key.kind == Kind::Secret;
    let head: Head = serde_json::from_slice(&object.value).unwrap_or_default();
    let document: Option<serde_json::Value> =
        serde_json::from_slice(&object.value).ok().filter(|_| !redacted);
    let text = document.as_ref().and_then(|document| serde_saphyr::to_string(document).ok());
    Resource {
        kind: object.key.kind,
        namespace: object.key.namespace.clone(),
        name: object.key.name.clone(),
        revision: object.revision.0,
        location: "made from services".to_owned(),
        labels: head.metadata.labels,
        text: text.unwrap_or_default(),
        redacted,
        document,
    }
}
