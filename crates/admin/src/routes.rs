//! All paths, in one table: what each needs, what it answers, and what the OpenAPI document says of it.

mod ask;
mod carry_out;
mod changes;
mod explain;
mod probes;
mod resources;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::routing::MethodRouter;
use biplane_admin_api::{Problem, ProblemKind};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Need;
use crate::failure::Failure;
use crate::openapi::{self, Operation};
use crate::{Access, Source, guard, page};

/// How many changes may be read and carried out at a time: each may hold 32 MiB.
const MOST_CHANGES: usize = 8;

/// How many watches there may be: each holds a connection for as long as it likes.
const MOST_WATCHES: usize = 64;

/// What all routes share.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) access: Access,
    pub(crate) shutdown: CancellationToken,
    pub(crate) changes: Arc<Semaphore>,
    /// Changes that are under way: they end, and are told in the log, also when their caller has gone.
    pub(crate) under_way: TaskTracker,
    pub(crate) watches: Arc<Semaphore>,
    /// The OpenAPI document as it is served.
    pub(crate) document: Bytes,
}

/// One path and method.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// What it takes to ask for it.
    pub(crate) need: Need,
    /// Whether it has dry runs, which take the right to read only. It then asks [`guard::Pass::check`].
    pub(crate) dry_runs: bool,
    pub(crate) operation: Operation,
    handler: MethodRouter<Arc<Shared>>,
}

impl Shared {
    pub(crate) fn new(source: Arc<dyn Source>, access: Access, shutdown: CancellationToken) -> Arc<Self> {
        let document = serde_json::to_vec(&openapi::document(&table())).expect("plain data").into();
        let changes = Arc::new(Semaphore::new(MOST_CHANGES));
        let watches = Arc::new(Semaphore::new(MOST_WATCHES));
        let under_way = TaskTracker::new();
        Arc::new(Self { source, access, shutdown, changes, under_way, watches, document })
    }
}

impl Route {
    pub(crate) const fn get(
        path: &'static str,
        need: Need,
        operation: Operation,
        handler: MethodRouter<Arc<Shared>>,
    ) -> Self {
        Self { method: Method::GET, path, need, dry_runs: false, operation, handler }
    }

    /// A route that changes something.
    pub(crate) const fn change(
        method: Method,
        path: &'static str,
        operation: Operation,
        handler: MethodRouter<Arc<Shared>>,
    ) -> Self {
        Self { method, path, need: Need::Write, dry_runs: false, operation, handler }
    }

    /// The same route, of which a dry run takes the right to read only.
    pub(crate) const fn with_dry_runs(mut self) -> Self {
        self.dry_runs = true;
        self
    }

    fn guarded(self) -> (&'static str, MethodRouter<Arc<Shared>>) {
        let (need, dry_runs) = (self.need, self.dry_runs);
        let check = move |request: Request, next: Next| guard::authorize(need, dry_runs, request, next);
        (self.path, self.handler.route_layer(middleware::from_fn(check)))
    }
}

/// Everything that is served.
pub(crate) fn table() -> Vec<Route> {
    let all = [
        probes::routes(),
        explain::routes(),
        resources::routes(),
        changes::routes(),
        watch::routes(),
        page::routes(),
    ];
    all.into_iter().flatten().collect()
}

/// The table, behind the guard.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for route in table() {
        let (path, handler) = route.guarded();
        router = router.route(path, handler);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(shared.clone(), guard::admit))
        .with_state(shared)
}

async fn not_found() -> Failure {
    let problem = Problem::new(ProblemKind::NotFound, "nothing is here");
    problem.hint("GET /v1/openapi.json lists everything").into()
}

async fn not_allowed() -> Failure {
    let problem = Problem::new(ProblemKind::BadRequest, "this path does not take this method");
    Failure::with_status(
        problem.hint("GET /v1/openapi.json lists everything"),
        StatusCode::METHOD_NOT_ALLOWED,
    )
}
