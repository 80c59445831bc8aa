//! A bidirectional gRPC stream of raw messages over a connection of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Proof;
use crate::http::ClientTls;

/// The compression flag and the length before each message.
const HEAD: usize = 5;

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    requests: Option<mpsc::UnboundedSender<Bytes>>,
    answer: Answer,
    received: BytesMut,
    /// What the server said at the end.
    trailers: Option<HeaderMap>,
}

/// The server may keep its headers back until it has something to say.
#[derive(Debug)]
enum Answer {
    Pending(tokio::task::JoinHandle<hyper::Result<hyper::Response<Incoming>>>),
    Open(Incoming),
}

impl Stream {
    /// Connects and opens the stream.
    pub(super) async fn open(address: SocketAddr, path: &str, proof: &Proof) -> Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let mut sender = match &proof.tls {
            None => speak(stream).await?,
            Some(tls) => speak(encrypt(stream, tls, address).await?).await?,
        };
        let (requests, outgoing) = mpsc::unbounded_channel();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{address}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(token) = &proof.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Outgoing(outgoing))?;
        let answer = Answer::Pending(tokio::spawn(async move { sender.send_request(request).await }));
        Ok(Self { requests: Some(requests), answer, received: BytesMut::new(), trailers: None })
    }

    /// Sends a message. A stream that the server has ended takes it too: `next` says that it has ended.
    pub(super) fn send(&mut self, message: &Bytes) {
        let mut framed = BytesMut::with_capacity(HEAD + message.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("a request is short"));
        framed.put_slice(message);
        if let Some(requests) = &self.requests {
            let _ = requests.send(framed.freeze());
        }
    }

    /// No more messages will be sent.
    pub(super) fn finish(&mut self) {
        self.requests = None;
    }

    /// The next message; an error if there is none in time, or if the server has ended the stream.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Bytes> {
        timeout(patience, self.message()).await.with_context(|| format!("no message within {patience:?}"))?
    }

    async fn message(&mut self) -> Result<Bytes> {
        loop {
            if let Some(message) = self.whole_message()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    fn whole_message(&mut self) -> Result<Option<Bytes>> {
        if self.received.len() < HEAD {
            return Ok(None);
        }
        ensure!(self.received[0] == 0, "a compressed message, which nobody asked for");
        let mut head = &self.received[1..HEAD];
        let length = head.get_u32() as usize;
        if self.received.len() < HEAD + length {
            self.received.reserve(HEAD + length - self.received.len());
            return Ok(None);
        }
        self.received.advance(HEAD);
        Ok(Some(self.received.split_to(length).freeze()))
    }

    /// Cut off at any point, it goes on where it was.
    async fn read(&mut self) -> Result<()> {
        if let Some(trailers) = &self.trailers {
            bail!("the server has ended the stream with {}", status(trailers));
        }
        let body = match &mut self.answer {
            Answer::Open(body) => body,
            Answer::Pending(answer) => {
                let answer = answer.await.expect("it does not panic").context("no answer to the stream")?;
                self.trailers =
                    answer.headers().contains_key("grpc-status").then(|| answer.headers().clone());
                self.answer = Answer::Open(answer.into_body());
                return Ok(());
            }
        };
        match body.frame().await.transpose().context("the stream was cut")?.map(Frame::into_data) {
            Some(Ok(data)) => self.received.extend_from_slice(&data),
            Some(Err(frame)) => self.trailers = frame.into_trailers().ok(),
            None => self.trailers = Some(HeaderMap::new()),
        }
        Ok(())
    }
}

async fn encrypt(stream: TcpStream, tls: &ClientTls, address: SocketAddr) -> Result<TlsStream<TcpStream>> {
    let (config, _) = crate::tls::client(tls, &["h2"])?;
    let name = tls.server_name.clone().unwrap_or_else(|| address.ip().to_string());
    let name = ServerName::try_from(name).context("the server name")?;
    TlsConnector::from(config).connect(name, stream).await.context("TLS handshake")
}

async fn speak<S>(stream: S) -> Result<http2::SendRequest<Outgoing>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn status(trailers: &HeaderMap) -> String {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok());
    let status = text("grpc-status").map_or("no status".to_owned(), |status| format!("status {status}"));
    text("grpc-message").map_or(status.clone(), |message| format!("{status}: {message}"))
}

/// What we send, as hyper wants it.
#[derive(Debug)]
struct Outgoing(mpsc::UnboundedReceiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}
