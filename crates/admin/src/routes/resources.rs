//! Resources one by one: list, read, write, delete, history, rollback.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, Expect, Operation as Act, Resource, ResourceList, Version,
};
use biplane_admin_api::wire::{ListQuery, RollbackRequest, WriteQuery};
use biplane_admin_api::{Problem, ProblemKind, path};
use tokio::task::spawn_blocking;

use super::ask::{Asked, DryRunQuery, Named, expectation, filter};
use super::{Route, Shared, carry_out};
use crate::access::Need;
use crate::body;
use crate::failure::Failure;
use crate::guard::Pass;
use crate::openapi::{Operation, Tag, examples};

/// The largest document.
const LARGEST_DOCUMENT: usize = 1024 * 1024;

/// The largest request of a few fields.
const LARGEST_REQUEST: usize = 64 * 1024;

pub(super) fn routes() -> Vec<Route> {
    let operation = |id, summary| Operation::new(Tag::Resources, id, summary);
    let applied = |operation: Operation| {
        operation.json::<ApplyResult>(200, "What was done, or would be.", &examples::apply_result())
    };
    let list = operation("listResources", "The resources that match, sorted by kind, namespace and name.")
        .query::<ListQuery>()
        .json::<ResourceList>(200, "Resources at one revision of their store.", &examples::list());
    let read = operation("getResource", "One resource as its store holds it, its secrets taken out.")
        .json::<Resource>(200, "The resource; its revision is the `ETag`.", &examples::resource());
    let write = applied(operation("putResource", "Writes one document, YAML or JSON."))
        .query::<WriteQuery>()
        .conditional()
        .document(examples::DOCUMENT);
    let remove =
        applied(operation("deleteResource", "Deletes one resource.")).query::<WriteQuery>().conditional();
    let history = operation("getHistory", "The versions that are still known, the latest first.")
        .json::<Vec<Version>>(200, "Versions, their secrets taken out.", &examples::history());
    let rollback = applied(operation("rollbackResource", "Makes an earlier version the present one again."))
        .query::<DryRunQuery>()
        .body::<RollbackRequest>(&examples::rollback());
    vec![
        Route::get(path::RESOURCES, Need::Read, list, get(self::list)),
        Route::get(path::RESOURCE, Need::Read, read, get(self::read)),
        Route::change(Method::PUT, path::RESOURCE, write, put(self::write)).with_dry_runs(),
        Route::change(Method::DELETE, path::RESOURCE, remove, delete(self::remove)).with_dry_runs(),
        Route::get(path::HISTORY, Need::Read, history, get(self::history)),
        Route::change(Method::POST, path::ROLLBACK, rollback, post(self::rollback)).with_dry_runs(),
    ]
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Failure> {
    let list = shared.source.resources().list(&filter(query)?).await?;
    // Ten thousand resources take as long to write down as Envoys wait for many updates: not on a worker that
    // serves them.
    let text = spawn_blocking(move || serde_json::to_vec(&list).expect("plain data")).await;
    let text = text.expect("it does not panic and nobody aborts it");
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn read(State(shared): State<Arc<Shared>>, Named(key): Named) -> Result<Response, Failure> {
    let resource = shared.source.resources().get(&key).await?;
    Ok((etag(resource.revision), Json(resource)).into_response())
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Named(key): Named,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let what = format!("put {key}");
    pass.check(&what, query.dry_run)?;
    let expect = expectation(&headers)?;
    let seat = shared.seat().await?;
    let text = body::text(body, LARGEST_DOCUMENT).await?;
    let operation = Act::Put { text, origin: String::new(), line: 0, key: Some((&key).into()) };
    let request = one(Change { operation, expect }, query);
    answer(carry_out::apply(&shared, seat, &pass, what, request).await, expect)
}

async fn remove(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Named(key): Named,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let expect = expectation(&headers)?;
    let seat = shared.seat().await?;
    let request = one(Change { operation: Act::Delete { key: (&key).into() }, expect }, query);
    answer(carry_out::apply(&shared, seat, &pass, format!("delete {key}"), request).await, expect)
}

async fn history(
    State(shared): State<Arc<Shared>>,
    Named(key): Named,
) -> Result<Json<Vec<Version>>, Failure> {
    Ok(Json(shared.source.resources().history(&key).await?))
}

async fn rollback(
    State(shared): State<Arc<Shared>>,
    Extension(pass): Extension<Pass>,
    Named(key): Named,
    Asked(query): Asked<DryRunQuery>,
    body: Body,
) -> Result<Json<ApplyResult>, Failure> {
    let seat = shared.seat().await?;
    let mut request: RollbackRequest = body::json(body, LARGEST_REQUEST).await?;
    request.dry_run |= query.dry_run;
    Ok(Json(carry_out::roll_back(&shared, seat, &pass, key, request).await?))
}

fn one(change: Change, query: WriteQuery) -> ApplyRequest {
    let WriteQuery { dry_run, force, message } = query;
    ApplyRequest { changes: vec![change], dry_run, force, message, ..ApplyRequest::default() }
}

/// What became of the one change that was made under a condition.
fn answer(result: Result<ApplyResult, Problem>, expect: Expect) -> Result<Response, Failure> {
    let result = result.map_err(|problem| conditional(problem, expect))?;
    let tag = revision(&result).filter(|_| !result.dry_run).map(etag);
    Ok((tag.unwrap_or_default(), Json(result)).into_response())
}

/// A condition in a header that does not hold has a code of its own.
fn conditional(problem: Problem, expect: Expect) -> Failure {
    if expect != Expect::Anything && problem.kind == ProblemKind::Conflict {
        return Failure::with_status(problem, StatusCode::PRECONDITION_FAILED);
    }
    problem.into()
}

/// The revision of the one object that was written.
fn revision(result: &ApplyResult) -> Option<u64> {
    let [change] = result.changes.as_slice() else { return None };
    match change.action {
        Action::Created | Action::Changed => Some(result.revision),
        Action::Unchanged => change.before,
        Action::Deleted | Action::Pruned => None,
    }
}

fn etag(revision: u64) -> HeaderMap {
    let tag = HeaderValue::from_str(&format!("\"{revision}\"")).expect("digits between quotes");
    HeaderMap::from_iter([(header::ETAG, tag)])
}
