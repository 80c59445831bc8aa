//! Changes of more than one resource, and of sources: apply, init, accept, refresh.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::Method;
use axum::routing::post;
use biplane_admin_api::path;
use biplane_admin_api::resources::{Accepted, ApplyRequest, ApplyResult};
use biplane_admin_api::wire::{AcceptRequest, Initialized, LARGEST_REQUEST, Refreshed};

use super::ask::{Asked, DryRunQuery, NamedSource, NoQuery};
use super::{Route, Shared, carry_out};
use crate::audit;
use crate::body;
use crate::failure::Failure;
use crate::guard::Pass;
use crate::openapi::{Operation, Tag, examples};

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
    let refresh = Operation::new(
        Tag::Sources,
        "refreshSource",
        "Has a source of secrets read everything again at once.",
    )
    .json::<Refreshed>(200, "It was told; what it finds shows in its status.", &examples::refreshed());
    vec![
        Route::change(Method::POST, path::REFRESH, refresh, post(self::refresh)),
        Route::change(Method::POST, path::APPLY, apply, post(self::apply)).with_dry_runs(),
        Route::change(Method::POST, path::ACCEPT, accept, post(self::accept)),
        Route::change(Method::POST, path::INIT, init, post(self::init)),
    ]
}

async fn apply(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Asked(query): Asked<DryRunQuery>,
    body: Body,
) -> Result<Json<ApplyResult>, Failure> {
    let seat = shared.seat().await?;
    let mut request: ApplyRequest = body::json(body, LARGEST_REQUEST).await?;
    request.dry_run |= query.dry_run;
    let what = format!("apply {} changes", request.changes.len());
    Ok(Json(carry_out::apply(&shared, seat, &pass, what, request).await?))
}

async fn accept(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    NamedSource(source): NamedSource,
    Asked(NoQuery {}): Asked<NoQuery>,
    body: Body,
) -> Result<Json<Accepted>, Failure> {
    let seat = shared.seat().await?;
    let request: AcceptRequest = body::optional_json(body, LARGEST_REMARK).await?;
    Ok(Json(carry_out::accept(&shared, seat, &pass, source, request).await?))
}

async fn refresh(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    NamedSource(source): NamedSource,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Refreshed>, Failure> {
    let result = shared.source.refresh(&source);
    audit::refreshed(&pass.caller.name, &source, &result);
    result?;
    Ok(Json(Refreshed { source }))
}

async fn init(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Initialized>, Failure> {
    let seat = shared.seat().await?;
    Ok(Json(Initialized { identity: carry_out::init(&shared, seat, &pass).await? }))
}
