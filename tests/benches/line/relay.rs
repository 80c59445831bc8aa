//! A relay between an Envoy and Biplane that passes every byte on at once and tells what it was part of. It is how
//! we know when Envoy's ACK comes without asking either of them, which would cost them time.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::exchange::{Exchange, Heard};
use crate::message::{Head, Side, Splitter};

/// Large enough that a whole configuration is never held up half-way.
const WINDOW: u32 = 64 << 20;

/// A running relay.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where Envoy connects.
    pub(crate) address: SocketAddr,
    /// What passes through.
    pub(crate) exchange: Exchange,
}

impl Relay {
    /// Relays to `target` until the runtime ends.
    pub(crate) async fn start(target: SocketAddr) -> Result<Self> {
        let (heard, exchange) = Exchange::new();
        let address = serve(move |request| forward(request, target, heard.clone())).await?;
        Ok(Self { address, exchange })
    }
}

/// Serves HTTP/2 on a free port until the runtime ends.
pub(crate) async fn serve<H, F, B>(handle: H) -> Result<SocketAddr>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(handle.clone())));
        }
    });
    Ok(address)
}

async fn forward(
    request: Request<Incoming>,
    target: SocketAddr,
    heard: mpsc::UnboundedSender<Heard>,
) -> Result<Response<Tap>> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = request.map(|body| Tap::new(body, Side::Envoy, heard.clone()));
    let path = request.uri().path().to_owned();
    *request.uri_mut() =
        Uri::builder().scheme("http").authority(target.to_string()).path_and_query(path).build()?;
    let response = sender.send_request(request).await?;
    Ok(response.map(|body| Tap::new(body, Side::Server, heard)))
}

/// A body that is passed on, and told about.
#[derive(Debug)]
struct Tap {
    inner: Incoming,
    side: Side,
    splitter: Splitter,
    heard: mpsc::UnboundedSender<Heard>,
}

impl Tap {
    fn new(inner: Incoming, side: Side, heard: mpsc::UnboundedSender<Heard>) -> Self {
        Self { inner, side, splitter: Splitter::default(), heard }
    }

    fn tell(&mut self, data: &[u8]) {
        for message in self.splitter.push(data) {
            let head = Head::read(self.side, &message);
            // Nobody listens any more once the benchmark is over.
            let _ = self.heard.send(Heard { at: Instant::now(), side: self.side, head });
        }
    }
}

impl Body for Tap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.tell(data);
        }
        Poll::Ready(frame)
    }
}

/// What a server of ours says: pieces of messages, until its stream ends.
#[derive(Debug)]
pub(crate) struct Outgoing(pub(crate) mpsc::UnboundedReceiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
