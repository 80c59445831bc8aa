//! A Vault for what OpenBao has not: the AWS engine and its leases, as HashiCorp documents their wire.
//!
//! It has tokens that log in by a JWT that is any text, or by AWS, and counts what it was asked. What it makes for AWS is
//! named by number: `AKIA1`, `AKIA2`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use biplane_store_vault::{Auth, VaultOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::aws_method::{Caller, Method};
use crate::harness::{World, options};

/// How the engine behaves.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// Seconds that a lease is granted for, and beyond which it is not renewed.
    pub(crate) lease: u64,
    pub(crate) max: u64,
    /// Seconds that tokens live.
    pub(crate) token: u64,
    /// Whether credentials are those of a user.
    pub(crate) users: bool,
    pub(crate) is_down: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self { lease: 3600, max: 7200, token: 3600, users: true, is_down: false }
    }
}

struct Lease {
    token: String,
    made: Instant,
    ends: Instant,
}

#[derive(Default)]
struct Memory {
    engine: Engine,
    logins: u64,
    tokens: BTreeMap<String, Instant>,
    leases: BTreeMap<String, Lease>,
    made: u64,
    renewed: u64,
    asked: Vec<String>,
    method: Option<Method>,
    callers: Vec<Caller>,
}

/// A running fake.
pub(crate) struct Fake {
    address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    server: AbortHandle,
}

type Shared = State<Arc<Mutex<Memory>>>;

impl Fake {
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::run(Memory { engine, ..Memory::default() }).await
    }

    /// With the method of AWS.
    pub(crate) async fn with_method(engine: Engine, method: Method) -> Self {
        Self::run(Memory { engine, method: Some(method), ..Memory::default() }).await
    }

    async fn run(memory: Memory) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let memory = Arc::new(Mutex::new(memory));
        let app = axum::Router::new()
            .route("/v1/auth/jwt/login", post(log_in))
            .route("/v1/auth/{mount}/login", post(log_in_by_aws))
            .route("/v1/auth/token/lookup-self", get(look_up))
            .route("/v1/auth/token/renew-self", post(renew_token))
            .route("/v1/sys/seal-status", get(async || Json(json!({ "version": "1.99.0", "sealed": false }))))
            .route("/v1/sys/leases/renew", post(renew_lease))
            .route("/v1/aws/creds/{role}", get(creds))
            .route("/v1/aws/sts/{role}", post(sts))
            .with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move { axum::serve(listener, app).await }).abort_handle();
        Self { address, memory, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Options that log in to it.
    pub(crate) fn options(&self, world: &World) -> VaultOptions {
        let file = world.file("jwt", "any text");
        options(self.address, Auth::Jwt { mount: "jwt".into(), role: None, file })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Engine)) {
        change(&mut self.memory.lock().expect("nobody panics with it").engine);
    }

    /// Sets the method of AWS up otherwise.
    pub(crate) fn change_method(&self, change: impl FnOnce(&mut Method)) {
        change(self.memory.lock().expect("nobody panics with it").method.as_mut().expect("it has one"));
    }

    /// Ends all tokens.
    pub(crate) fn revoke(&self) {
        self.memory.lock().expect("nobody panics with it").tokens.clear();
    }

    /// Who has logged in by AWS.
    pub(crate) fn callers(&self) -> Vec<Caller> {
        self.memory.lock().expect("nobody panics with it").callers.clone()
    }

    /// How many credentials were made, and how many leases renewed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let memory = self.memory.lock().expect("nobody panics with it");
        (memory.made, memory.renewed)
    }

    /// What was asked of the engine.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.memory.lock().expect("nobody panics with it").asked.clone()
    }

    /// Whether credentials work now: their lease and their token live.
    pub(crate) fn work(&self, access_key: &str) -> bool {
        let memory = self.memory.lock().expect("nobody panics with it");
        let now = Instant::now();
        memory.leases.get(access_key).is_some_and(|lease| {
            lease.ends > now && memory.tokens.get(&lease.token).is_some_and(|ends| *ends > now)
        })
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Memory {
    fn grant_new(&mut self) -> Response {
        self.logins += 1;
        self.grant(&format!("token-canary-{}", self.logins))
    }

    fn grant(&mut self, token: &str) -> Response {
        let life = self.engine.token;
        self.tokens.insert(token.to_owned(), Instant::now() + Duration::from_secs(life));
        Json(json!({ "auth": { "client_token": token, "lease_duration": life, "renewable": false } }))
            .into_response()
    }

    fn token(&self, headers: &HeaderMap) -> Option<String> {
        let token = headers.get("x-vault-token")?.to_str().ok()?;
        self.tokens.get(token).filter(|ends| **ends > Instant::now()).map(|_| token.to_owned())
    }

    fn make(&mut self, headers: &HeaderMap, asked: String) -> Response {
        let Some(token) = self.token(headers) else { return refusal(403, "permission denied") };
        if self.engine.is_down {
            return refusal(502, "AWS is away");
        }
        self.asked.push(asked);
        self.made += 1;
        let (life, now) = (self.engine.lease, Instant::now());
        let access_key = format!("AKIA{}", self.made);
        let ends = now + Duration::from_secs(life);
        self.leases.insert(access_key.clone(), Lease { token, made: now, ends });
        let session = (!self.engine.users).then_some("session-canary");
        Json(json!({
            "lease_id": format!("aws/creds/biplane/{access_key}"),
            "lease_duration": life,
            "renewable": self.engine.users,
            "data": {
                "access_key": access_key,
                "secret_key": "secret-canary",
                "security_token": session,
                "arn": "arn:aws:iam::1:user/vault",
            },
        }))
        .into_response()
    }
}

async fn log_in(State(memory): Shared) -> Response {
    memory.lock().expect("nobody panics with it").grant_new()
}

async fn log_in_by_aws(
    State(memory): Shared,
    Path(mount): Path<String>,
    Json(login): Json<Value>,
) -> Response {
    let method = memory.lock().expect("nobody panics with it").method.clone();
    let Some(method) = method else { return refusal(403, "permission denied") };
    match method.judge(&mount, &login).await {
        Ok(caller) => {
            let mut memory = memory.lock().expect("nobody panics with it");
            memory.callers.push(caller);
            memory.grant_new()
        }
        Err((status, words)) => refusal(status, &words),
    }
}

async fn look_up(State(memory): Shared, headers: HeaderMap) -> Response {
    match memory.lock().expect("nobody panics with it").token(&headers) {
        Some(_) => Json(json!({ "data": { "ttl": 100, "renewable": false } })).into_response(),
        None => refusal(403, "permission denied"),
    }
}

async fn renew_token(State(memory): Shared, headers: HeaderMap) -> Response {
    let mut memory = memory.lock().expect("nobody panics with it");
    match memory.token(&headers) {
        Some(token) => memory.grant(&token),
        None => refusal(403, "permission denied"),
    }
}

async fn renew_lease(State(memory): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut memory = memory.lock().expect("nobody panics with it");
    if memory.token(&headers).is_none() || memory.engine.is_down {
        return refusal(403, "permission denied");
    }
    let id = body["lease_id"].as_str().unwrap_or_default();
    let key = id.rsplit('/').next().unwrap_or_default().to_owned();
    let (life, max, now) = (memory.engine.lease, memory.engine.max, Instant::now());
    let Some(lease) = memory.leases.get_mut(&key).filter(|lease| lease.ends > now) else {
        return refusal(400, "lease not found");
    };
    let last = lease.made + Duration::from_secs(max);
    lease.ends = (now + Duration::from_secs(life)).min(last);
    let granted = lease.ends.duration_since(now).as_secs();
    memory.renewed += 1;
    Json(json!({ "lease_id": id, "lease_duration": granted, "renewable": true })).into_response()
}

async fn creds(State(memory): Shared, Path(role): Path<String>, headers: HeaderMap) -> Response {
    memory.lock().expect("nobody panics with it").make(&headers, format!("creds/{role}"))
}

async fn sts(
    State(memory): Shared,
    Path(role): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let asked = format!("sts/{role} {} {}", body["role_arn"], body["ttl"]);
    memory.lock().expect("nobody panics with it").make(&headers, asked)
}

fn refusal(status: u16, words: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(json!({ "errors": [words] }))).into_response()
}
