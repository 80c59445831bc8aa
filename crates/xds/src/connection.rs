//! One connection: its handshake, and then HTTP/2 for as long as it is of use.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::audit::{self, Attempt};
use crate::door::Handshakes;
use crate::server::Shared;
use crate::usage::Usage;

/// How long a connection that is of no use may take to end in order.
const FAREWELL: Duration = Duration::from_secs(1);

/// The certificates that a client has shown.
pub(crate) type Shown = Arc<[CertificateDer<'static>]>;

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: TcpStream, remote: SocketAddr, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%remote, %error, "connection ended before it began");
        return;
    }
    let Some(handshakes) = &shared.options.tls else {
        return talk(stream, remote, Shown::default(), shared).await;
    };
    match handshake(stream, handshakes, shared.options.limits.opening).await {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let shown = shown.iter().map(|certificate| certificate.clone().into_owned()).collect();
            talk(stream, remote, shown, shared).await;
        }
        Err(Some(reason)) => {
            audit::refused(&shared.options.metrics, Attempt::Handshake, remote, "somebody", &reason);
        }
        // A load balancer that looks whether somebody listens is no attempt at anything.
        Err(None) => debug!(%remote, "connection ended before its handshake"),
    }
}

/// Why there is no TLS; nothing if the client has gone, or has not come to an end in time: checks of a port do that.
async fn handshake(
    stream: TcpStream,
    handshakes: &Handshakes,
    deadline: Duration,
) -> Result<TlsStream<TcpStream>, Option<String>> {
    let config = (handshakes.0)().ok_or_else(|| Some("there is no certificate to show yet".to_owned()))?;
    let accept = TlsAcceptor::from(config).accept(stream);
    match timeout(deadline, accept).await {
        Ok(accepted) => accepted.map_err(|error| {
            let has_gone = error.kind() == io::ErrorKind::UnexpectedEof;
            (!has_gone).then(|| error.to_string())
        }),
        Err(_) => Err(None),
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    remote: SocketAddr,
    shown: Shown,
    shared: Arc<Shared>,
) {
    let (shutdown, limits) = (shared.shutdown.clone(), shared.options.limits.clone());
    let (usage, _counted) = (Usage::default(), shared.options.metrics.connection());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(shared.options.keepalive_interval)
        .keep_alive_timeout(shared.options.keepalive_timeout);
    let used = usage.clone();
    let service = service_fn(move |request| {
        let (shared, shown, used) = (shared.clone(), shown.clone(), used.clone());
        async move { Ok::<_, Infallible>(shared.call(request, remote, shown, &used).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = usage.ceases(limits.opening, limits.idle) => {
            debug!(%remote, "a connection without a stream is ended");
            connection.as_mut().graceful_shutdown();
            timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%remote, %error, "connection ended");
    }
}
