//! What machines ask in order to know whether all is well: probes, metrics, status, and the API's description.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use biplane_admin_api::status::{EndpointsStatus, SecretStatus, ServiceStatus};
use biplane_admin_api::{Status, path};

use super::{Route, Shared};
use crate::access::Need;
use crate::openapi::{Operation, Tag, examples};

/// What Prometheus asks for by `Accept`, and takes as the answer's type.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Vec<Route> {
    let probe = |id, summary| {
        Operation::new(Tag::State, id, summary).text(200, "Yes.", "text/plain").text(
            503,
            "No, and why, in one line.",
            "text/plain",
        )
    };
    let metrics = Operation::new(Tag::State, "metrics", "All metrics.");
    let status =
        Operation::new(Tag::State, "status", "Sources, fleets, nodes, and what is wrong with which object.");
    let secrets = Operation::new(
        Tag::State,
        "secrets",
        "Secrets: where they come from, how long they last, and who uses them.",
    );
    let endpoints = Operation::new(
        Tag::State,
        "endpoints",
        "The endpoints of upstreams: where they come from, how old that is, and who uses them.",
    );
    let services = Operation::new(
        Tag::State,
        "services",
        "Services that sources know: their tags, their instances, and the hosts that their tags made.",
    );
    let document = Operation::new(Tag::State, "openapi", "This document.");
    vec![
        Route::get(
            path::LIVE,
            Need::Nothing,
            probe("live", "Whether the process makes progress."),
            get(live),
        ),
        Route::get(
            path::READY,
            Need::Nothing,
            probe("ready", "Whether Envoys get their configuration from here."),
            get(ready),
        ),
        Route::get(
            path::METRICS,
            Need::Status,
            metrics.text(200, "Metrics.", "application/openmetrics-text"),
            get(self::metrics),
        ),
        Route::get(
            path::STATUS,
            Need::Status,
            status.json::<Status>(200, "The state of the control plane.", &examples::status()),
            get(self::status),
        ),
        Route::get(
            path::SECRETS,
            Need::Read,
            secrets.json::<Vec<SecretStatus>>(200, "All secrets, never their values.", &examples::secrets()),
            get(self::secrets),
        ),
        Route::get(
            path::ENDPOINTS,
            Need::Read,
            endpoints.json::<Vec<EndpointsStatus>>(
                200,
                "The endpoints of all upstreams.",
                &examples::endpoints(),
            ),
            get(self::endpoints),
        ),
        Route::get(
            path::SERVICES,
            Need::Read,
            services.json::<Vec<ServiceStatus>>(200, "All services.", &examples::services()),
            get(self::services),
        ),
        Route::get(path::OPENAPI, Need::Status, document.any_json(200, "OpenAPI 3.1."), get(openapi)),
    ]
}

async fn live(State(shared): State<Arc<Shared>>) -> Response {
    verdict(shared.source.live(), "live")
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    verdict(shared.source.ready(), "ready")
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], shared.source.metrics()).into_response()
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(shared.source.status())
}

async fn secrets(State(shared): State<Arc<Shared>>) -> Json<Vec<SecretStatus>> {
    Json(shared.source.secrets())
}

async fn endpoints(State(shared): State<Arc<Shared>>) -> Json<Vec<EndpointsStatus>> {
    Json(shared.source.endpoints())
}

async fn services(State(shared): State<Arc<Shared>>) -> Json<Vec<ServiceStatus>> {
    Json(shared.source.services().await)
}

async fn openapi(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shared.document.clone()).into_response()
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
