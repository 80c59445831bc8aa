//! The page that people look at. It is three files inside the binary and asks for nothing from elsewhere.
//!
//! The page is the same for everybody; its script reads `/v1/status` and puts every value on the
//! page as text, never as markup, so that no name or message can become part of the page. The
//! content policy holds the browser to the same.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::access::Need;
use crate::openapi::{Operation, Tag};
use crate::routes::Route;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its parts.
pub(crate) fn routes() -> Vec<Route> {
    let file = |path, id, summary, kind, text| {
        let operation = Operation::new(Tag::Page, id, summary).text(200, "The file.", media(kind));
        Route::get(path, Need::Nothing, operation, get(async move || serve(kind, text)))
    };
    vec![
        file(
            "/",
            "page",
            "A page that shows the status.",
            "text/html; charset=utf-8",
            include_str!("page/index.html"),
        ),
        file(
            "/page/status.js",
            "pageScript",
            "The page's script.",
            "text/javascript; charset=utf-8",
            include_str!("page/status.js"),
        ),
        file(
            "/page/style.css",
            "pageStyle",
            "The page's style.",
            "text/css; charset=utf-8",
            include_str!("page/style.css"),
        ),
    ]
}

/// The type without its parameters.
fn media(kind: &'static str) -> &'static str {
    kind.split(';').next().unwrap_or(kind)
}

fn serve(kind: &'static str, text: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind);
    let policy = HeaderValue::from_static(POLICY);
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, policy)], text).into_response()
}
