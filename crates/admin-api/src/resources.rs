//! Reading and changing what a store holds: one trait, [`Resources`], in front of every way to do it.
//!
//! ```text
//! CLI ──▶ Resources ◀── Client (HTTP) ──▶ admin server ──▶ Resources ◀── editor over a Store
//! ```
//!
//! The command line speaks to a control plane or straight to a store with the same words, and the
//! server is a thin cover of the same trait: what one can do the other can, with the same answers.
//!
//! Invariant: no value that comes out of here holds secret material ([`Resource::redacted`]).

mod change;
mod problem;
mod query;
mod resource;

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use futures::stream::BoxStream;

pub use change::{
    Accepted, Action, ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Name, Operation, Prune,
    ValidationFinding,
};
pub use problem::{Problem, ProblemKind};
pub use query::{Filter, Selector, SelectorError};
pub use resource::{Resource, ResourceEvent, ResourceList, Version};

/// What a watch yields; it ends after an error, and whoever watches starts again from a new list.
pub type Events = BoxStream<'static, Result<ResourceEvent, Problem>>;

/// Everything that can be done with resources, wherever they are kept.
#[async_trait]
pub trait Resources: std::fmt::Debug + Send + Sync + 'static {
    /// The resources that match, at one revision, sorted by kind, namespace and name.
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem>;

    /// One resource as it is stored; [`ProblemKind::NotFound`] if it is not there.
    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem>;

    /// Applies many changes at one revision, or none of them. With `dry_run` it says what would happen.
    /// Changes that would make the configuration worse (an error that was not there before) are refused
    /// with [`ProblemKind::Invalid`] and every finding, unless `force` is set.
    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem>;

    /// The versions of an object that are still known, the latest first; the present one is the first.
    async fn history(&self, key: &ObjectKey) -> Result<Vec<Version>, Problem>;

    /// Makes the version of an object that was written at `revision` the present one again. It takes no
    /// value from the caller, so that secrets can be rolled back too.
    async fn rollback(
        &self,
        key: &ObjectKey,
        revision: u64,
        author: &str,
        dry_run: bool,
    ) -> Result<ApplyResult, Problem>;

    /// The resources that match, and then what becomes of them: first [`ResourceEvent::Put`] for each that is
    /// there, then [`ResourceEvent::Listed`], then changes as they happen.
    async fn watch(&self, filter: &Filter) -> Result<Events, Problem>;

    /// Marks a new store as one of Biplane's; gives its identity. A store that is marked stays as it is.
    async fn init(&self) -> Result<String, Problem>;
}
