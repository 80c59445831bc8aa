//! What an EC2 instance tells about itself, in version 2 of its protocol: nothing without a token. moto's answer lacks
//! the lifetime of the token, without which AWS's crates do not take it.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use serde_json::json;
use tokio::net::TcpListener;

/// What a client has to show.
pub(crate) const TOKEN: &str = "t0k3n-of-the-metadata";

const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const LIFETIME_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

type Answer = Result<String, StatusCode>;

/// Starts it, and returns its URL.
pub(crate) async fn start() -> String {
    let token = |headers: HeaderMap| async move {
        let lifetime = headers.get(LIFETIME_HEADER).cloned().ok_or(StatusCode::BAD_REQUEST)?;
        Ok::<_, StatusCode>(([(LIFETIME_HEADER, lifetime)], TOKEN))
    };
    let role = |headers| async move { to_whom_has_a_token(&headers, || "web".into()) };
    let credentials = |headers| async move { to_whom_has_a_token(&headers, credentials) };
    let region = |headers| async move { to_whom_has_a_token(&headers, || "eu-north-1".into()) };
    let router = Router::new()
        .route("/latest/api/token", put(token))
        .route(ROLES, get(role))
        .route(&format!("{ROLES}web"), get(credentials))
        .route("/latest/meta-data/placement/region", get(region));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn to_whom_has_a_token(headers: &HeaderMap, answer: impl FnOnce() -> String) -> Answer {
    match headers.get(TOKEN_HEADER) {
        Some(token) if token == TOKEN => Ok(answer()),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

fn credentials() -> String {
    json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": "ASIAINSTANCE", "SecretAccessKey": "s3cr3t-instance", "Token": "t0k3n-instance",
        "Expiration": "2999-01-01T00:00:00Z",
    })
    .to_string()
}
