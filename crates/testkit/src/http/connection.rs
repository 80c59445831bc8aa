//! One connection to a server, for one request or for many.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Method, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{ClientTls, Protocol, Request, Response};
use crate::tls;

type Body = Full<Bytes>;

/// An open connection.
pub(crate) struct Connection {
    sender: Sender,
    certificate: Option<CertificateDer<'static>>,
    staple: Option<Vec<u8>>,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// Why there is no answer.
pub(crate) enum SendError {
    /// Not a byte of the request was written: another connection may take it, as any client would do.
    NotSent(anyhow::Error),
    /// The request was on its way.
    Failed(anyhow::Error),
}

impl SendError {
    /// The error, whichever it is.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::NotSent(error) | Self::Failed(error) => error,
        }
    }
}

impl Connection {
    /// Connects as `request` wants it.
    pub(crate) async fn open(address: SocketAddr, request: &Request) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let Some(tls) = &request.tls else {
            let sender = handshake(stream, request.protocol).await?;
            return Ok(Self { sender, certificate: None, staple: None });
        };
        let (stream, staple) = encrypt(stream, tls, request).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        Ok(Self { sender: handshake(stream, request.protocol).await?, certificate, staple })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Response, SendError> {
        let answer = self.exchange(request).await?;
        self.read(answer).await.map_err(SendError::Failed)
    }

    /// Whether it can take another request.
    pub(crate) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    async fn exchange(&mut self, request: &Request) -> Result<hyper::Response<Incoming>, SendError> {
        let message = message(request).map_err(SendError::NotSent)?;
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(|error| SendError::NotSent(error.into()))?;
                sender.try_send_request(message).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(|error| SendError::NotSent(error.into()))?;
                sender.try_send_request(message).await
            }
        };
        answer.map_err(|mut error| match error.take_message() {
            Some(_) => SendError::NotSent(error.into_error().into()),
            None => SendError::Failed(error.into_error().into()),
        })
    }

    async fn read(&self, answer: hyper::Response<Incoming>) -> Result<Response> {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.context("the answer breaks off")?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let certificate = self.certificate.clone();
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
            trailers,
            certificate,
            staple: self.staple.clone(),
        })
    }
}

async fn encrypt(
    stream: TcpStream,
    tls: &ClientTls,
    request: &Request,
) -> Result<(tokio_rustls::client::TlsStream<TcpStream>, Option<Vec<u8>>)> {
    let alpn: &[&str] = match request.protocol {
        Protocol::Http1 => &["http/1.1"],
        Protocol::Http2 => &["h2"],
    };
    let (config, staple) = tls::client(tls, alpn)?;
    let name = tls.server_name.as_deref().unwrap_or(host_of(&request.host)).to_owned();
    let name = ServerName::try_from(name).context("the server name")?;
    let stream = TlsConnector::from(config).connect(name, stream).await.context("TLS handshake")?;
    Ok((stream, staple.take()))
}

fn host_of(authority: &str) -> &str {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

async fn handshake<S>(stream: S, protocol: Protocol) -> Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection.with_upgrades());
            Ok(Sender::Http1(sender))
        }
        Protocol::Http2 => {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            Ok(Sender::Http2(sender))
        }
    }
}

fn message(request: &Request) -> Result<hyper::Request<Body>> {
    let mut builder = hyper::Request::builder().method(request.method.clone()).uri(target(request));
    if request.protocol == Protocol::Http1 {
        builder = builder.header(header::HOST, &request.host);
    }
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(request.body.clone())).context("the request is not valid")
}

/// HTTP/1 names the host in a header, HTTP/2 and CONNECT in the target itself.
fn target(request: &Request) -> String {
    let scheme = if request.tls.is_some() { "https" } else { "http" };
    match (request.protocol, &request.method) {
        (_, &Method::CONNECT) => request.host.clone(),
        (Protocol::Http1, _) => request.path.clone(),
        (Protocol::Http2, _) => format!("{scheme}://{}{}", request.host, request.path),
    }
}
