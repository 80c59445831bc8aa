//! What a request brings: read within a bound and a deadline, before anything looks at it.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use biplane_admin_api::{Problem, ProblemKind};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use hyper::StatusCode;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::failure::Failure;

/// How long a body may take to arrive, all in.
const DEADLINE: Duration = Duration::from_secs(30);

/// A body of at most `most` bytes.
pub(crate) async fn bytes(body: Body, most: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let read = timeout(DEADLINE, Limited::new(body, most).collect()).await.map_err(|_| late())?;
    read.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return too_large(most);
        }
        Failure::bad_request(format!("the body broke off: {error}"))
    })
}

/// A body of text.
pub(crate) async fn text(body: Body, most: usize) -> Result<String, Failure> {
    let bytes = bytes(body, most).await?;
    String::from_utf8(bytes.into()).map_err(|_| Failure::bad_request("the body is not text in UTF-8"))
}

/// A body in JSON.
pub(crate) async fn json<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Failure> {
    from_json(&bytes(body, most).await?)
}

/// A body in JSON, or its default where there is none.
pub(crate) async fn optional_json<T: DeserializeOwned + Default>(
    body: Body,
    most: usize,
) -> Result<T, Failure> {
    let bytes = bytes(body, most).await?;
    if bytes.is_empty() { Ok(T::default()) } else { from_json(&bytes) }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Where, and not what: the message of the parser may quote a value.
        let (line, column) = (error.line(), error.column());
        let why = if error.is_data() { "is not what this path takes" } else { "is not JSON" };
        let problem =
            Problem::new(ProblemKind::BadRequest, format!("the body {why}: line {line}, column {column}"));
        problem.hint("GET /v1/openapi.json describes what each path takes").into()
    })
}

fn too_large(most: usize) -> Failure {
    let size = if most >= 1024 * 1024 {
        format!("{} MiB", most / 1024 / 1024)
    } else {
        format!("{} KiB", most / 1024)
    };
    let problem = Problem::new(
        ProblemKind::TooLarge,
        format!("the body is larger than the {size} that are taken here"),
    );
    problem.hint("apply fewer objects at a time").into()
}

fn late() -> Failure {
    let message = format!("the body did not arrive within {} s", DEADLINE.as_secs());
    Failure::with_status(Problem::new(ProblemKind::BadRequest, message), StatusCode::REQUEST_TIMEOUT)
}
