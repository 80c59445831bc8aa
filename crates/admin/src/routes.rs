//! The paths and their answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use biplane_admin_api::path;

use crate::{Source, guard, page};

/// What Prometheus asks for by `Accept`, and takes as the answer's type.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Shared = State<Arc<dyn Source>>;

/// All paths.
pub(crate) fn router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route(path::LIVE, get(live))
        .route(path::READY, get(ready))
        .route(path::METRICS, get(metrics))
        .route(path::STATUS, get(status))
        .merge(page::router())
        .fallback(not_found)
        .layer(middleware::from_fn(guard::check_request))
        .with_state(source)
}

async fn live(State(source): Shared) -> Response {
    verdict(source.live(), "live")
}

async fn ready(State(source): Shared) -> Response {
    verdict(source.ready(), "ready")
}

async fn metrics(State(source): Shared) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], source.metrics()).into_response()
}

async fn status(State(source): Shared) -> Response {
    Json(source.status()).into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "nothing is here; the page at / links to everything\n").into_response()
}

/// A probe's answer: one line, whatever the reason looks like.
fn verdict(state: Result<(), String>, word: &str) -> Response {
    match state {
        Ok(()) => format!("{word}\n").into_response(),
        Err(reason) => {
            let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
        }
    }
}
