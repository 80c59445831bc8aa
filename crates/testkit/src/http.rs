//! An HTTP client that does what it is told: one protocol, no redirects, no retries.

mod client;
mod connection;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
pub use hyper::{HeaderMap, Method};
use rustls_pki_types::CertificateDer;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::certificates::Identity;
pub use client::Client;
use connection::{Connection, SendError};

/// How long an answer may take unless the request says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request, and how to connect for it. Its fields are public; the methods are for reading well.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The `Host` or `:authority`, and the server name in TLS.
    pub host: String,
    /// The path with its query.
    pub path: String,
    /// More headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// HTTP/1.1 or HTTP/2.
    pub protocol: Protocol,
    /// Whether and how to encrypt.
    pub tls: Option<ClientTls>,
    /// How long to wait for the whole answer.
    pub patience: Duration,
}

/// The protocol of a connection, decided beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2, with prior knowledge where there is no TLS
    Http2,
}

/// How a client speaks TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// The authority to trust, as PEM.
    pub authority: String,
    /// The certificate to show if the server asks.
    pub identity: Option<Identity>,
    /// The server name to ask for, if it is not the host of the request.
    pub server_name: Option<String>,
    /// What kind of keys the server may have.
    pub keys: Keys,
}

/// Kinds of keys, by the signatures that they make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keys {
    /// All.
    #[default]
    Any,
    /// RSA, as of a client that knows nothing newer.
    Rsa,
}

impl ClientTls {
    /// Trusts one authority.
    pub fn trusting(authority: &str) -> Self {
        Self { authority: authority.to_owned(), identity: None, server_name: None, keys: Keys::Any }
    }
}

impl Request {
    /// A request without body.
    pub fn new(method: Method, host: &str, path: &str) -> Self {
        Self {
            method,
            host: host.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            protocol: Protocol::Http1,
            tls: None,
            patience: PATIENCE,
        }
    }

    /// `GET`
    pub fn get(host: &str, path: &str) -> Self {
        Self::new(Method::GET, host, path)
    }

    /// `POST` with a body.
    pub fn post(host: &str, path: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new(Method::POST, host, path) }
    }

    /// A gRPC call with prior knowledge of HTTP/2; the body is a framed message already.
    pub fn grpc(host: &str, path: &str, body: impl Into<Bytes>) -> Self {
        Self::post(host, path, body)
            .http2()
            .header("content-type", "application/grpc")
            .header("te", "trailers")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Speaks HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    /// Encrypts.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Waits no longer than this.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends it to a port on loopback.
    pub async fn send(&self, port: u16) -> Result<Response> {
        self.send_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Sends it over a connection of its own.
    pub async fn send_to(&self, address: SocketAddr) -> Result<Response> {
        let exchange = async {
            let mut connection = Connection::open(address, self).await?;
            connection.send(self).await.map_err(SendError::into_error)
        };
        self.explain(address, timeout(self.patience, exchange).await)
    }

    /// What became of it, with what was asked where in an error.
    fn explain(&self, address: SocketAddr, answer: Result<Result<Response>, Elapsed>) -> Result<Response> {
        let what = || format!("{} {}{} at {address}", self.method, self.host, self.path);
        answer
            .with_context(|| format!("{}: no answer within {:?}", what(), self.patience))?
            .with_context(what)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What came behind the body, as gRPC's status does.
    pub trailers: HeaderMap,
    /// The certificate that the server has shown.
    pub certificate: Option<CertificateDer<'static>>,
    /// The OCSP response that came with it.
    pub staple: Option<Vec<u8>>,
}

impl Response {
    /// The first value of a header; `None` where it is absent or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A trailer, or the header of that name where an answer has no body.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.get(name).or_else(|| self.headers.get(name))?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, body {:?}", self.status, self.text()))
    }

    /// The name of the [`Upstream`](crate::Upstream) that answered.
    pub fn upstream(&self) -> Option<&str> {
        self.header(crate::upstream::NAME_HEADER)
    }
}

/// A name as part of a path. Slashes stay.
pub(crate) fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    name.bytes().map(escape).collect()
}
