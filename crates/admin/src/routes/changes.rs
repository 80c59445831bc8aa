//! Changes of more than one resource: apply, init, accept.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::Method;
use axum::routing::post;
use biplane_admin_api::resources::{Accepted, ApplyRequest, ApplyResult};
use biplane_admin_api::wire::{AcceptRequest, Initialized, LARGEST_REQUEST};
use biplane_admin_api::{Problem, ProblemKind, path};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::ask::{Asked, DryRunQuery, NamedSource, NoQuery};
use super::{Route, Shared};
use crate::failure::Failure;
use crate::guard::Pass;
use crate::openapi::{Operation, Tag, examples};
use crate::{audit, body};

/// How long a change waits for those before it.
const QUEUE: Duration = Duration::from_secs(10);

/// The largest remark with its JSON around it.
const LARGEST_REMARK: usize = 64 * 1024;

pub(super) fn routes() -> Vec<Route> {
    let apply =
        Operation::new(Tag::Resources, "apply", "Applies many changes at one revision, or none of them.")
            .query::<DryRunQuery>()
            .body::<ApplyRequest>(&examples::apply_request())
            .json::<ApplyResult>(200, "What was done, or would be.", &examples::apply_result());
    let accept = Operation::new(
        Tag::Sources,
        "acceptSource",
        "Carries out the removals that the guard of a source holds back.",
    )
    .optional_body::<AcceptRequest>(&examples::accept_request())
    .json::<Accepted>(200, "What is gone now.", &examples::accepted());
    let init = Operation::new(Tag::Sources, "init", "Marks a new store as one of Biplane's.")
        .json::<Initialized>(
            200,
            "Its identity; that of a store that was marked before stays.",
            &examples::initialized(),
        );
    vec![
        Route::change(Method::POST, path::APPLY, apply, post(self::apply)).with_dry_runs(),
        Route::change(Method::POST, path::ACCEPT, accept, post(self::accept)),
        Route::change(Method::POST, path::INIT, init, post(self::init)),
    ]
}

/// Room for one more change: what waits has read nothing yet.
pub(super) async fn seat(shared: &Shared) -> Result<SemaphorePermit<'_>, Problem> {
    match timeout(QUEUE, shared.changes.acquire()).await {
        Ok(seat) => Ok(seat.expect("nobody closes it")),
        Err(_) => Err(Problem::new(ProblemKind::Unavailable, "too many changes are under way")
            .hint("ask again in a moment")),
    }
}

/// Carries out a request in the name of who asks, and says so in the log.
pub(super) async fn submit(
    shared: &Shared,
    pass: &Pass,
    what: &str,
    mut request: ApplyRequest,
) -> Result<ApplyResult, Problem> {
    pass.check(what, request.dry_run)?;
    request.author = pass.caller.author(&request.author);
    let result = shared.source.resources().apply(&request).await;
    audit::applied(&pass.caller.name, what, request.dry_run, &result);
    result
}

async fn apply(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Asked(query): Asked<DryRunQuery>,
    body: Body,
) -> Result<Json<ApplyResult>, Failure> {
    let _seat = seat(&shared).await?;
    let mut request: ApplyRequest = body::json(body, LARGEST_REQUEST).await?;
    request.dry_run |= query.dry_run;
    let what = format!("apply {} changes", request.changes.len());
    Ok(Json(submit(&shared, &pass, &what, request).await?))
}

async fn accept(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    NamedSource(source): NamedSource,
    Asked(NoQuery {}): Asked<NoQuery>,
    body: Body,
) -> Result<Json<Accepted>, Failure> {
    let request: AcceptRequest = body::optional_json(body, LARGEST_REMARK).await?;
    let result = shared.source.accept(&source, &pass.caller.author(&request.author)).await;
    audit::accepted(&pass.caller.name, &source, &result);
    Ok(Json(result?))
}

async fn init(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Initialized>, Failure> {
    let result = shared.source.resources().init().await;
    audit::initialized(&pass.caller.name, &result);
    Ok(Json(Initialized { identity: result? }))
}
