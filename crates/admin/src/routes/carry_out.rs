//! Changes, carried out to their end.
//!
//! A caller that goes away in the middle takes its request with it. A change must not go that way: it would
//! be written and not be told in the log. So each runs as a task of its own, which the server
//! waits for when it stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::resources::{Accepted, ApplyRequest, ApplyResult};
use biplane_admin_api::wire::AcceptRequest;
use biplane_admin_api::wire::RollbackRequest;
use biplane_admin_api::{Problem, ProblemKind};
use biplane_core::key::ObjectKey;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Shared;
use crate::audit;
use crate::guard::Pass;

/// How long a change waits for those before it.
const QUEUE: Duration = Duration::from_secs(10);

/// Room for one change: what waits for it has read nothing yet.
pub(super) struct Seat(
    #[expect(dead_code, reason = "held for as long as the change takes")] OwnedSemaphorePermit,
);

impl Shared {
    /// Room for one more change.
    pub(super) async fn seat(&self) -> Result<Seat, Problem> {
        match timeout(QUEUE, self.changes.clone().acquire_owned()).await {
            Ok(permit) => Ok(Seat(permit.expect("nobody closes it"))),
            Err(_) => Err(Problem::new(ProblemKind::Unavailable, "too many changes are under way")
                .hint("ask again in a moment")),
        }
    }

    async fn to_the_end<T: Send + 'static>(
        &self,
        seat: Seat,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let task = self.under_way.spawn(async move {
            let result = work.await;
            drop(seat);
            result
        });
        let fault =
            || Problem::new(ProblemKind::Internal, "a fault of ours: look first whether it was changed");
        task.await.unwrap_or_else(|_| Err(fault()))
    }
}

/// Applies changes in the name of who asks.
pub(super) async fn apply(
    shared: &Arc<Shared>,
    seat: Seat,
    pass: &Pass,
    what: String,
    mut request: ApplyRequest,
) -> Result<ApplyResult, Problem> {
    pass.check(&what, request.dry_run)?;
    request.author = pass.caller.author(&request.author);
    let (resources, who) = (shared.source.resources(), pass.caller.name.clone());
    let work = async move {
        let result = resources.apply(&request).await;
        audit::applied(&who, &what, request.dry_run, &result);
        result
    };
    shared.to_the_end(seat, work).await
}

/// Makes an earlier version the present one in the name of who asks.
pub(super) async fn roll_back(
    shared: &Arc<Shared>,
    seat: Seat,
    pass: &Pass,
    key: ObjectKey,
    request: RollbackRequest,
) -> Result<ApplyResult, Problem> {
    let RollbackRequest { revision, dry_run, author } = request;
    let what = format!("rollback {key} to {revision}");
    pass.check(&what, dry_run)?;
    let author = pass.caller.author(&author);
    let (resources, who) = (shared.source.resources(), pass.caller.name.clone());
    let work = async move {
        let result = resources.rollback(&key, revision, &author, dry_run).await;
        audit::applied(&who, &what, dry_run, &result);
        result
    };
    shared.to_the_end(seat, work).await
}

/// Carries out removals that were held back in the name of who asks.
pub(super) async fn accept(
    shared: &Arc<Shared>,
    seat: Seat,
    pass: &Pass,
    name: String,
    request: AcceptRequest,
) -> Result<Accepted, Problem> {
    let (source, who) = (shared.source.clone(), pass.caller.name.clone());
    let author = pass.caller.author(&request.author);
    let work = async move {
        let result = source.accept(&name, request.held_tag.as_deref(), &author).await;
        audit::accepted(&who, &name, &result);
        result
    };
    shared.to_the_end(seat, work).await
}

/// Marks a store in the name of who asks.
pub(super) async fn init(shared: &Arc<Shared>, seat: Seat, pass: &Pass) -> Result<String, Problem> {
    let (resources, who) = (shared.source.resources(), pass.caller.name.clone());
    let work = async move {
        let result = resources.init().await;
        audit::initialized(&who, &result);
        result
    };
    shared.to_the_end(seat, work).await
}
