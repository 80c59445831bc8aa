//! The hop that reads requests: it answers some, and passes on the others as they are, streams included.
//!
//! Only while a rule looks at bodies are they read to their end before a request passes.
//!
//! Each connection of a client has one of its own to the server, opened with the first request that passes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Shared;
use super::rules::Answer;

type Body = BoxBody<Bytes, hyper::Error>;

/// Serves one connection to its end.
pub(super) async fn serve(stream: DuplexStream, shared: &Arc<Shared>) {
    let server = Arc::new(Mutex::new(Server::default()));
    let service = service_fn(|request| answer(request, Arc::clone(shared), Arc::clone(&server)));
    // The end of a connection is the client's business.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    server: Arc<Mutex<Server>>,
) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let mut body = body.boxed();
    let mut read = Bytes::new();
    if shared.rules.wants_bodies() {
        read = body.collect().await?.to_bytes();
        body = whole(read.clone());
    }
    if let Some(answer) = shared.rules.decide(&head.method, &head.uri, &read) {
        // Read to its end, so that the connection can go on.
        body.collect().await?;
        return compose(&answer);
    }
    let sender = server.lock().await.sender(head.version, shared.target).await?;
    Ok(sender.send(Request::from_parts(head, body)).await?.map(BodyExt::boxed))
}

fn compose(answer: &Answer) -> Result<Response<Body>> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(whole(answer.body.clone().into()))?)
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

/// The connection to the server.
#[derive(Default)]
struct Server {
    sender: Option<Sender>,
    /// Ends with the client's connection.
    connection: JoinSet<()>,
}

#[derive(Clone)]
enum Sender {
    /// Shared, though HTTP/1.1 has one request at a time.
    Http1(Arc<Mutex<http1::SendRequest<Body>>>),
    Http2(http2::SendRequest<Body>),
}

impl Server {
    /// The sender, opened again if the server has closed its connection.
    async fn sender(&mut self, version: Version, target: SocketAddr) -> Result<Sender> {
        if let Some(open) = self.sender.take()
            && open.is_open().await
        {
            self.sender = Some(open.clone());
            return Ok(open);
        }
        let stream = TcpStream::connect(target).await.context("the server cannot be reached")?;
        stream.set_nodelay(true)?;
        let sender = self.handshake(version, TokioIo::new(stream)).await?;
        self.sender = Some(sender.clone());
        Ok(sender)
    }

    async fn handshake(&mut self, version: Version, stream: TokioIo<TcpStream>) -> Result<Sender> {
        if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            self.connection.spawn(async { drop(connection.await) });
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::handshake(stream).await?;
        self.connection.spawn(async { drop(connection.await) });
        Ok(Sender::Http1(Arc::new(Mutex::new(sender))))
    }
}

impl Sender {
    async fn is_open(&self) -> bool {
        match self {
            Self::Http1(sender) => !sender.lock().await.is_closed(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
            Self::Http2(mut sender) => {
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
        }
    }
}
