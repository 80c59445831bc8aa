//! Connections: accepted up to a bound, each with bounds on what it may send and how long it may
//! take, and all of them closed when the server stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use biplane_tls::ServerTls;
use futures::future::join_all;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::access::Remote;
use crate::link::{Link, Patient};
use crate::routes::{self, Shared};
use crate::{Access, Listener, Source};

/// Probes, a Prometheus or two, a few people, and who watches; beyond that callers wait in the
/// backlog. Each listener has its own, so that the socket file stays open when the port is full.
const MOST_CONNECTIONS: usize = 128;

/// How long a client may take to send its headers, which is also how long it may keep an idle connection.
const HEADER_DEADLINE: Duration = Duration::from_secs(15);

/// How long a TLS handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How long a client may leave everything that it is sent.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a connection without a watch may live, so that a client that reads a byte at a time cannot hold
/// one for ever.
const LONGEST_CONNECTION: Duration = Duration::from_mins(5);

/// How long an answer that is under way may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// How long a change that is under way may take after that: its caller may have gone, its writing must not.
const FINISH_CHANGES: Duration = Duration::from_secs(5);

/// The most headers of a request, and the most bytes that are buffered for it.
const MOST_HEADERS: usize = 64;
const LARGEST_BUFFER: usize = 64 * 1024;

/// How long to wait after an accept that failed for lack of something (file descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the API on all `listeners` until `shutdown`, then lets the answers that are under way finish.
pub async fn serve(
    listeners: Vec<Listener>,
    source: Arc<dyn Source>,
    access: Access,
    shutdown: CancellationToken,
) -> io::Result<()> {
    for listener in &listeners {
        if let Some(address) = listener.tcp_address()? {
            access.check_address(address)?;
        }
    }
    let tls = access.tls().cloned();
    let shared = Shared::new(source, access, shutdown.clone());
    let door = Door { tls, router: routes::router(shared.clone()), shutdown };
    join_all(listeners.into_iter().map(|listener| door.keep(listener))).await;
    shared.under_way.close();
    if timeout(FINISH_CHANGES, shared.under_way.wait()).await.is_err() {
        warn!(
            changes = shared.under_way.len(),
            "stopped before a change had ended: look whether it was written"
        );
    }
    Ok(())
}

/// What every connection is met with.
#[derive(Clone)]
struct Door {
    router: Router,
    tls: Option<ServerTls>,
    shutdown: CancellationToken,
}

/// A connection as it was accepted.
enum Arrival {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Door {
    async fn keep(&self, listener: Listener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
                accepted = accept(&listener), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok(arrival) => {
                        connections.spawn(self.clone().meet(arrival));
                    }
                    Err(error) => {
                        warn!(%error, "admin connection not accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        listener.clean_up();
        drop(listener);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }

    async fn meet(self, arrival: Arrival) {
        match arrival {
            Arrival::Unix(stream) => {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                self.converse(stream, Remote::Unix { uid }).await;
            }
            Arrival::Tcp(stream, address) => {
                let _ = stream.set_nodelay(true);
                // `::ffff:127.0.0.1` is loopback.
                let remote = Remote::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()));
                let Some(tls) = &self.tls else { return self.converse(stream, remote).await };
                // As the files are now: connections that are open keep what they have.
                let Some(config) = tls.current() else { return };
                match timeout(HANDSHAKE_DEADLINE, TlsAcceptor::from(config).accept(stream)).await {
                    Ok(Ok(stream)) => self.converse(stream, remote).await,
                    Ok(Err(error)) => debug!(%address, %error, "admin connection without TLS of ours"),
                    Err(_) => debug!(%address, "admin connection that did not finish its handshake"),
                }
            }
        }
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin, remote: Remote) {
        let link = Link::new(remote);
        let stream = TokioIo::new(Patient::new(stream, PATIENCE));
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(link.clone());
            router.call(request)
        });
        let mut serving = pin!(builder().serve_connection(stream, service));
        loop {
            tokio::select! {
                ended = serving.as_mut() => return log(ended),
                () = self.shutdown.cancelled() => break,
                () = sleep(LONGEST_CONNECTION) => if !link.is_streaming() { break },
            }
        }
        serving.as_mut().graceful_shutdown();
        finish(serving).await;
    }
}

async fn accept(listener: &Listener) -> io::Result<Arrival> {
    match listener {
        Listener::Tcp(listener) => {
            listener.accept().await.map(|(stream, address)| Arrival::Tcp(stream, address))
        }
        Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| Arrival::Unix(stream)),
    }
}

/// A panic in one answer ends its connection and nothing else.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "admin connection ended by a fault of ours");
    }
}

async fn finish(serving: impl Future<Output = hyper::Result<()>>) {
    if let Ok(ended) = timeout(DRAIN, serving).await {
        log(ended);
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "admin connection ended");
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_BUFFER);
    builder
}
