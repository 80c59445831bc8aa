//! Why a request would be answered as it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use biplane_admin_api::explain::{ExplainQuery, Explanation};
use biplane_admin_api::path;

use super::ask::Asked;
use super::{Route, Shared};
use crate::access::Need;
use crate::failure::Failure;
use crate::openapi::{Operation, Tag, examples};

pub(super) fn routes() -> Vec<Route> {
    let explain = Operation::new(
        Tag::State,
        "explain",
        "Which route answers a request, which do not and why, and where the request goes.",
    )
    .query::<ExplainQuery>()
    .json::<Explanation>(
        200,
        "What each gateway that could take the request does.",
        &examples::explanation(),
    );
    vec![Route::get(path::EXPLAIN, Need::Read, explain, get(self::explain))]
}

/// The query is read as pairs: a header may be given several times.
async fn explain(
    State(shared): State<Arc<Shared>>,
    Asked(pairs): Asked<Vec<(String, String)>>,
) -> Result<Json<Explanation>, Failure> {
    let query = ExplainQuery::of_pairs(pairs).map_err(|error| Failure::bad_request(error.to_string()))?;
    Ok(Json(shared.source.explain(&query)?))
}
