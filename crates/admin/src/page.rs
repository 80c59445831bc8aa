//! The page that people look at. It is three files inside the binary and asks for nothing from elsewhere.
//!
//! The page is the same for everybody; its script reads `/v1/status` and puts every value on the
//! page as text, never as markup, so that no name or message can become part of the page. The
//! content policy holds the browser to the same.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::Source;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its parts.
pub(crate) fn router() -> Router<Arc<dyn Source>> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route(
            "/page/status.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("page/status.js"))),
        )
        .route(
            "/page/style.css",
            get(async || file("text/css; charset=utf-8", include_str!("page/style.css"))),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}
