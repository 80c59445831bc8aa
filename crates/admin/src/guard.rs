//! Who may ask: loopback only, and only for loopback.

use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Whether the API may be served at `address`.
pub fn check_address(address: SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "the admin address {address} is not on loopback, and there is no way yet to tell who asks from elsewhere\n\
         hint: use 127.0.0.1:{} and reach it through ssh or a proxy that authenticates",
        address.port()
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Refuses what no client of ours sends, and marks every answer as one to be neither kept nor guessed at.
pub(crate) async fn check_request(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refusal(request: &Request) -> Option<(StatusCode, &'static str)> {
    if !request.body().is_end_stream() {
        return Some((StatusCode::PAYLOAD_TOO_LARGE, "no path here takes a body\n"));
    }
    if !is_for_loopback(request) {
        return Some((
            StatusCode::MISDIRECTED_REQUEST,
            "this API answers on loopback only: ask for 127.0.0.1 or localhost\n",
        ));
    }
    None
}

/// A browser that was lured here by a name of somebody else says that name. A client without a `Host`
/// is no browser.
fn is_for_loopback(request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    host.to_str().is_ok_and(names_loopback)
}

fn names_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => is_local_name(name),
    }
}

/// `localhost`, or a name of this network alone (`biplane` in a hosts file): nobody outside can own a name
/// without a dot.
fn is_local_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_spellings() {
        for host in [
            "127.0.0.1:9978",
            "127.0.0.1",
            "localhost",
            "biplane:9978",
            "LocalHost:80",
            "[::1]:9978",
            "[::1]",
            "127.9.9.9:1",
        ] {
            assert!(names_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_name_of_somebody_else_is_not_loopback() {
        for host in [
            "evil.example",
            "evil.example:9978",
            "localhost.evil.example",
            "10.0.0.1:9978",
            "",
            "localhost:x",
        ] {
            assert!(!names_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_address_beyond_loopback_is_refused_with_advice() {
        let error = check_address(([0, 0, 0, 0], 9978).into()).expect_err("not loopback");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("hint: use 127.0.0.1:9978"), "{error}");
    }
}
