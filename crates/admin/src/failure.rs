//! A problem as an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use biplane_admin_api::{Problem, ProblemKind, wire};
use tracing::error;

/// A [`Problem`] and the status code that it is answered with.
#[derive(Debug)]
pub(crate) struct Failure {
    problem: Problem,
    status: StatusCode,
}

impl Failure {
    /// A problem for which HTTP has a more telling code than the usual one of its kind.
    pub(crate) const fn with_status(problem: Problem, status: StatusCode) -> Self {
        Self { problem, status }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Problem::new(ProblemKind::BadRequest, message).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { problem, status }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.problem.kind == ProblemKind::Internal {
            error!(message = self.problem.message, "a request met a fault of ours");
        }
        let body = serde_json::to_vec(&self.problem).expect("plain data");
        let mut response = (self.status, [(header::CONTENT_TYPE, wire::PROBLEM)], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"biplane\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
