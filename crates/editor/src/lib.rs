//! Reading and changing what a store holds: [`Resources`] over any [`Store`].
//!
//! ```text
//!                  request ─▶ wanted ─▶ plan ──▶ trial in the shadow ──▶ commit
//!  Resources ──▶   (texts)   (objects)  │ reads      │ findings            │ at what was read
//!                                       ▼            ▼                     ▼
//!                                     Store ─ driver ─▶ shadow: ingest + graph
//! ```
//!
//! A request is judged by what it does to the whole configuration, with the control plane's own ingest and
//! graph ([`shadow`]), and written under the condition that nothing it names has changed since it was read.
//! Text goes in and out as its author wrote it; what is secret never comes out ([`redact`]).
//!
//! Invariant: no answer, no error, no `Debug` of this crate holds a value of a `Secret`.
#![forbid(unsafe_code)]
#![expect(
    clippy::result_large_err,
    reason = "a problem is an answer to somebody, made once a request at most"
)]

mod apply;
mod diff;
mod document;
mod history;
mod plan;
mod problems;
mod reach;
mod redact;
mod request;
mod shadow;
mod view;
mod watch;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Events, Filter, Name, Problem, ProblemKind, Resource, ResourceList, Resources,
    Version,
};
use biplane_core::key::ObjectKey;
use biplane_store::Store;

use apply::Job;
use problems::reading;
use reach::Reach;
use shadow::Shadows;
use view::Sieve;

/// Reads and changes what one store holds. Clones share what they know of it.
#[derive(Clone)]
pub struct Editor {
    store: Reach,
    shadows: Arc<Shadows>,
}

impl Editor {
    /// An editor of what `store` holds. It needs a tokio runtime when it is used, and does nothing before.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { shadows: Arc::new(Shadows::new(store.clone())), store: Reach::new(store) }
    }
}

#[async_trait]
impl Resources for Editor {
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem> {
        let listing = self.store.list().await.map_err(reading)?;
        let (sieve, revision) = (Sieve::new(filter), listing.revision.0);
        let pass = move || listing.items.iter().filter_map(|object| sieve.pass(object)).collect();
        Ok(ResourceList { revision, items: off_the_runtime(pass).await? })
    }

    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        let object = self.store.get(key).await.map_err(reading)?;
        object.map(|object| view::resource(&object)).ok_or_else(|| problems::not_found(key))
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        self.carry_out(&Job::of(request)?).await
    }

    /// Of a store that keeps no records, the present version is all that is known.
    async fn history(&self, key: &ObjectKey) -> Result<Vec<Version>, Problem> {
        history::versions(&self.store, key).await
    }

    async fn rollback(
        &self,
        key: &ObjectKey,
        revision: u64,
        author: &str,
        dry_run: bool,
    ) -> Result<ApplyResult, Problem> {
        let job = history::rollback(&self.store, key, revision, author).await?;
        self.carry_out(&Job { dry_run, ..job }).await
    }

    async fn watch(&self, filter: &Filter) -> Result<Events, Problem> {
        watch::events(self.store.inner(), filter).await
    }

    async fn init(&self) -> Result<String, Problem> {
        let identity = self.store.init().await.map_err(problems::writing)?;
        Ok(identity.to_string())
    }
}

/// Stores may print what they hold.
impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").field("store", &self.store.name()).finish_non_exhaustive()
    }
}

/// Runs what takes long where it holds up no request.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    // The panic's own message may quote anything; the log has it.
    let fault = |_| Problem::new(ProblemKind::Internal, "a fault of Biplane's; its log says more");
    tokio::task::spawn_blocking(work).await.map_err(fault)
}

/// The API's name of an object.
fn name(key: &ObjectKey) -> Name {
    key.into()
}
