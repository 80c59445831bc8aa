//! What is checked before a route sees a request: who asks, for whom, from where, and with what.
//!
//! Two traps are set for browsers by pages of somebody else. A page may reach loopback by a name of its own
//! (DNS rebinding): without a token only loopback's own names are answered. A page may make a
//! browser send a request that changes something (cross-site request forgery): a change that a browser sends needs a
//! token and the same origin.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use biplane_admin_api::{Problem, ProblemKind};

use crate::access::{Caller, Need, Remote};
use crate::audit;
use crate::failure::Failure;
use crate::link::Link;
use crate::routes::Shared;

/// Who asks, or why that cannot be told.
type Identity = Result<Caller, Problem>;

/// The right to change something, or to try it out.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) caller: Caller,
}

impl Pass {
    /// Whoever may read may try out what a change would do.
    pub(crate) fn check(&self, what: &str, dry_run: bool) -> Result<(), Problem> {
        if dry_run || self.caller.may >= Need::Write {
            return Ok(());
        }
        let problem = refusal(&self.caller, Need::Write);
        audit::denied(&self.caller.name, what, &problem);
        Err(problem)
    }
}

/// Refuses what no client of ours sends, finds out who asks, and marks every answer as one to be neither kept nor
/// guessed at.
pub(crate) async fn admit(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let link = request.extensions().get::<Arc<Link>>().cloned().expect("the server puts one on each request");
    let identity = identify(&shared, &link.remote, request.headers());
    let mut response = if let Err(failure) = check(&request, &link.remote, identity.as_ref().ok()) {
        failure.into_response()
    } else {
        request.extensions_mut().insert(identity);
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Lets a request through to its route if who asks may do what the route needs.
pub(crate) async fn authorize(need: Need, dry_runs: bool, mut request: Request, next: Next) -> Response {
    let identity = request.extensions_mut().remove::<Identity>().expect("`admit` puts one on each request");
    // Whether it is one of those that change nothing stands in its body: `Pass::check` asks then.
    let least = if dry_runs { need.min(Need::Read) } else { need };
    match judge(identity, least) {
        Ok(pass) => {
            request.extensions_mut().insert(pass);
            next.run(request).await
        }
        Err((who, problem)) => {
            if need == Need::Write {
                audit::denied(&who, &format!("{} {}", request.method(), request.uri().path()), &problem);
            }
            Failure::from(problem).into_response()
        }
    }
}

fn judge(identity: Identity, need: Need) -> Result<Pass, (String, Problem)> {
    match identity {
        Ok(caller) if caller.may >= need => Ok(Pass { caller }),
        // A probe with a token that has ended is still a probe.
        Err(_) if need == Need::Nothing => {
            Ok(Pass { caller: Caller { name: "?".to_owned(), may: Need::Nothing, by_token: false } })
        }
        Ok(caller) => {
            let problem = refusal(&caller, need);
            Err((caller.name, problem))
        }
        Err(problem) => Err(("?".to_owned(), problem)),
    }
}

fn refusal(caller: &Caller, need: Need) -> Problem {
    if caller.by_token {
        let message = format!("the token {} may not {need}", caller.name);
        return Problem::new(ProblemKind::Forbidden, message).hint("it takes a token with the role write");
    }
    let hint = match need {
        Need::Write => {
            "send a token of the role write (adminTokensFile), use the admin socket, or for development set adminAnonymousWrite"
        }
        _ => "send a token (adminTokensFile), or use the admin socket",
    };
    Problem::new(ProblemKind::Unauthenticated, format!("to {need} takes a token")).hint(hint)
}

fn identify(shared: &Shared, remote: &Remote, headers: &HeaderMap) -> Identity {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return shared.access.identify(remote, None) };
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            shared.access.identify(remote, Some(token.trim()))
        }
        _ => {
            let problem = Problem::new(
                ProblemKind::Unauthenticated,
                "only `Authorization: Bearer TOKEN` is known here",
            );
            Err(problem)
        }
    }
}

fn check(request: &Request, remote: &Remote, caller: Option<&Caller>) -> Result<(), Failure> {
    let by_token = caller.is_some_and(|caller| caller.by_token);
    let takes_body = matches!(*request.method(), Method::PUT | Method::POST);
    if !takes_body && !request.body().is_end_stream() {
        let message = format!("{} takes no body here", request.method());
        return Err(Problem::new(ProblemKind::TooLarge, message).into());
    }
    if remote.is_loopback() && !by_token && !is_for_loopback(request.headers()) {
        let problem = Problem::new(
            ProblemKind::Forbidden,
            "without a token this API answers to the names of loopback only",
        );
        let problem = problem.hint("ask for 127.0.0.1 or localhost");
        return Err(Failure::with_status(problem, StatusCode::MISDIRECTED_REQUEST));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !safe && is_from_browser(request.headers()) && !(by_token && is_same_origin(request.headers())) {
        let problem = Problem::new(ProblemKind::Forbidden, "a browser may change nothing from here");
        return Err(problem.hint("a page of the same origin may, with a token").into());
    }
    Ok(())
}

/// Every browser puts one of these on a request that could change something.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| text(header::HOST) == Some(authority))
}

/// A browser that was lured here by a name of somebody else says that name. A client without a `Host`
/// is no browser.
fn is_for_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
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
    fn the_same_origin_is_the_same_host_and_port() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
                .collect::<HeaderMap>()
        };
        let same = [("host", "127.0.0.1:9978"), ("origin", "http://127.0.0.1:9978")];
        let other_port = [("host", "127.0.0.1:9978"), ("origin", "http://127.0.0.1:80")];
        let site = [("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "same-site")];
        assert!(is_same_origin(&headers(&same)));
        assert!(!is_same_origin(&headers(&other_port)));
        assert!(!is_same_origin(&headers(&site)));
        assert!(!is_same_origin(&headers(&[("host", "a"), ("origin", "null")])));
    }
}
