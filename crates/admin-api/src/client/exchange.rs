//! One request and its answer, within a deadline and a bound.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Fuse};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Client, ClientError};
use crate::resources::Problem;
use crate::wire;

/// How long a small question may take, all in.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a change, or the reading of everything, may take: a store may be slow and a list long.
const LONG_DEADLINE: Duration = Duration::from_mins(1);

/// The largest answer: twice the largest configuration that is accepted, as text and as JSON, stays below it.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// What is asked.
pub(super) struct Call {
    method: Method,
    /// Path and query.
    path: String,
    body: Option<Bytes>,
    deadline: Duration,
}

/// An answer, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer of which the body is still to be read.
pub(super) struct Open {
    pub(super) response: Response<Incoming>,
    /// Drives the connection: the body comes only while this is polled.
    pub(super) connection: Fuse<BoxFuture<'static, ()>>,
}

impl Call {
    pub(super) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), body: None, deadline: DEADLINE }
    }

    pub(super) fn new(method: Method, path: String) -> Self {
        Self { method, path, body: None, deadline: LONG_DEADLINE }
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("plain data").into());
        self
    }

    /// Adds `name=value` to the query.
    pub(super) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            self.path = format!("{}{mark}{name}={}", self.path, encoded(value));
        }
        self
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl Client {
    /// Asks, and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let path = call.path.clone();
        let reply = self.exchange(call).await?;
        if reply.status.is_success() {
            return serde_json::from_slice(&reply.body).map_err(|error| self.unexpected(&path, &error));
        }
        Err(self.problem(&path, &reply))
    }

    /// What an answer that is no success says.
    pub(super) fn problem(&self, path: &str, reply: &Reply) -> ClientError {
        let kind = reply.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        if !kind.starts_with(wire::PROBLEM.as_bytes()) {
            return self.refused(path, reply.status.as_u16(), &reply.body);
        }
        match serde_json::from_slice::<Problem>(&reply.body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(error) => self.unexpected(path, &error),
        }
    }

    /// Asks, and reads the answer to its end.
    pub(super) async fn exchange(&self, call: Call) -> Result<Reply, ClientError> {
        let deadline = call.deadline;
        let late = |_| self.unreachable(format!("no answer within {} s", deadline.as_secs()));
        timeout(deadline, self.ask_and_read(call)).await.map_err(late)?
    }

    /// Asks, and gives the answer when it begins.
    pub(super) async fn ask(&self, call: Call) -> Result<Open, ClientError> {
        let stream = self.inner.transport.connect().await;
        let stream = stream.map_err(|error| self.unreachable(error.to_string()))?;
        let path = call.path.clone();
        let unexpected = |error: hyper::Error| self.unexpected(&path, &error);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unexpected)?;
        let mut connection = async move { drop(connection.await) }.boxed().fuse();
        let mut sending = std::pin::pin!(sender.send_request(self.request(call)?));
        let response = loop {
            tokio::select! {
                biased;
                response = &mut sending => break response,
                // It ends first where the server closes behind its answer.
                () = &mut connection => {}
            }
        };
        Ok(Open { response: response.map_err(unexpected)?, connection })
    }

    async fn ask_and_read(&self, call: Call) -> Result<Reply, ClientError> {
        let path = call.path.clone();
        let Open { response, connection } = self.ask(call).await?;
        let (parts, body) = response.into_parts();
        let mut reading = std::pin::pin!(Limited::new(body, LARGEST_ANSWER).collect());
        let body = tokio::select! {
            body = &mut reading => body,
            () = connection => reading.await,
        };
        let body = body.map_err(|error| self.unexpected(&path, &error))?.to_bytes();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }

    fn request(&self, call: Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header(header::HOST, self.inner.address.authority())
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.inner.token {
            let token = token.header().map_err(|problem| ClientError::Problem(Box::new(problem)))?;
            let mut token = header::HeaderValue::from_str(&token).expect("a token is one printable word");
            token.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, token);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Full::new(call.body.unwrap_or_default());
        request.body(body).map_err(|error| self.unexpected(&call.path, &error))
    }
}

/// A text as one part of a path, or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The first line of a text, cut where it gets long: for messages.
pub(super) fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(500).collect()
}
