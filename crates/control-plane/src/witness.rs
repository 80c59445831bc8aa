//! What is deleted through this process's own API is meant, also in a store that has no room for intents (a
//! directory that may be written): the guard is told so without anything being written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Events, Filter, Resource, ResourceList, Version,
};
use biplane_admin_api::{Problem, Resources};
use biplane_core::key::ObjectKey;
use biplane_store::{Author, Intent, Revision, clock, layout};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a deletion may take from here through the store and back.
const KEPT: Duration = Duration::from_mins(10);
/// The most that are remembered.
const MOST: usize = 1000;

/// Deletions that were meant, for the guard.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    recent: Mutex<VecDeque<(Instant, Revision, Intent)>>,
    news: Notify,
}

impl Meant {
    /// The deletions of the last minutes, each with the revision at which it became visible.
    pub(crate) fn recent(&self) -> Vec<(Revision, Intent)> {
        let mut recent = self.lock();
        let now = Instant::now();
        recent.retain(|(at, _, _)| now.saturating_duration_since(*at) < KEPT);
        recent.iter().map(|(_, revision, intent)| (*revision, intent.clone())).collect()
    }

    /// Waits for the next one.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn note(&self, result: &ApplyResult, author: &str) {
        let gone = result.changes.iter();
        let gone = gone.filter(|change| matches!(change.action, Action::Deleted | Action::Pruned));
        let deletes: Vec<_> = gone.map(|change| layout::format_key(&ObjectKey::from(&change.key))).collect();
        if result.dry_run || deletes.is_empty() {
            return;
        }
        let author = Author { name: author.to_owned(), message: String::new() };
        let intent = Intent { author, at: clock::now(), puts: Vec::new(), deletes, accepts: None };
        let mut recent = self.lock();
        recent.truncate(MOST - 1);
        recent.push_front((Instant::now(), Revision(result.revision), intent));
        drop(recent);
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Revision, Intent)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resources whose deletions are remembered.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) inner: Arc<dyn Resources>,
    pub(crate) meant: Arc<Meant>,
}

#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be answered by a default")]
#[async_trait]
impl Resources for Witness {
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem> {
        self.inner.list(filter).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        self.inner.get(key).await
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        let result = self.inner.apply(request).await?;
        self.meant.note(&result, &request.author);
        Ok(result)
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
        let result = self.inner.rollback(key, revision, author, dry_run).await?;
        self.meant.note(&result, author);
        Ok(result)
    }

    async fn watch(&self, filter: &Filter) -> Result<Events, Problem> {
        self.inner.watch(filter).await
    }

    async fn init(&self) -> Result<String, Problem> {
        self.inner.init().await
    }
}
