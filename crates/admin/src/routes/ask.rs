//! What a path, a query and the headers say, read into types; what cannot be read is a [`Failure`] that says so.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use biplane_admin_api::resources::{Expect, Filter};
use biplane_admin_api::wire::ListQuery;
use biplane_admin_api::words::kind_of;
use biplane_admin_api::{Problem, ProblemKind};
use biplane_core::key::{ObjectKey, check_name};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// A query in which every word must be known: one that is not could have been meant to hold a change back.
pub(crate) struct Asked<T>(pub(crate) T);

/// Whether a change is only to be tried out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct DryRunQuery {
    /// Change nothing, and say what would be changed and found.
    pub(crate) dry_run: bool,
}

/// No query at all.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// The object that a path names.
pub(crate) struct Named(pub(crate) ObjectKey);

/// The source that a path names.
pub(crate) struct NamedSource(pub(crate) String);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|error| Failure::bad_request(error.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((kind, namespace, name)) = path.map_err(|error| Failure::bad_request(error.body_text()))?;
        let kind = kind_of(&kind).map_err(|error| Problem::new(ProblemKind::NotFound, error.to_string()))?;
        for (what, text) in [("namespace", &namespace), ("name", &name)] {
            check_name(text)
                .map_err(|error| Failure::bad_request(format!("the {what} cannot be used: {error}")))?;
        }
        Ok(Self(ObjectKey::new(kind, namespace, name)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedSource {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|error| Failure::bad_request(error.body_text()))
    }
}

/// The filter that a query means.
pub(crate) fn filter(query: ListQuery) -> Result<Filter, Failure> {
    query.filter().map_err(|error| Failure::bad_request(error.to_string()))
}

/// What `If-Match: "12"` and `If-None-Match: *` ask for.
pub(crate) fn expectation(headers: &HeaderMap) -> Result<Expect, Failure> {
    let text = |name: HeaderName| {
        let value = headers.get(&name)?;
        Some(value.to_str().map(str::trim).map_err(|_| misread(&name)))
    };
    match (text(header::IF_MATCH).transpose()?, text(header::IF_NONE_MATCH).transpose()?) {
        (None, None) => Ok(Expect::Anything),
        (None, Some("*")) => Ok(Expect::Absent),
        (Some(tag), None) => revision(tag).map(Expect::Revision).ok_or_else(|| misread(&header::IF_MATCH)),
        (_, Some(_)) => Err(misread(&header::IF_NONE_MATCH)),
    }
}

fn revision(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn misread(header: &HeaderName) -> Failure {
    let problem = Problem::new(ProblemKind::BadRequest, format!("the header {header} cannot be read"));
    problem.hint("write If-Match: \"REVISION\" with the revision that was read, or If-None-Match: * for a new object").into()
}
