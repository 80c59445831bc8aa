//! The socket and its connections. It serves until it is told to end, or until nobody has been connected for a while:
//! whoever was killed cannot say good-bye, and leaves nobody behind.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::service;
use crate::provider::Provider;

/// How long one may stay that nobody is connected to: OpenTofu connects at once, and once.
const ALONE: Duration = Duration::from_secs(30);

/// How long the last answers may take to get out.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket that only its user reaches, in a folder that goes with it.
pub(super) struct Server {
    listener: UnixListener,
    path: PathBuf,
    tls: Option<TlsAcceptor>,
    _folder: TempDir,
}

impl Server {
    /// Listens in a new folder below `folder`.
    pub(super) fn bind(folder: Option<&Path>, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let mut named = tempfile::Builder::new();
        named.prefix("biplane-");
        let own = folder.map_or_else(|| named.tempdir(), |folder| named.tempdir_in(folder))?;
        let path = own.path().join("socket");
        Ok(Self { listener: UnixListener::bind(&path)?, path, tls, _folder: own })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until the end.
    pub(super) async fn serve(self, provider: &Arc<Provider>) {
        let stop = CancellationToken::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(ALONE), if connections.is_empty() => break,
                Ok((stream, _)) = self.listener.accept() => {
                    connections.spawn(connection(stream, self.tls.clone(), provider.clone(), stop.clone()));
                }
                // Of a user who presses Ctrl-C, OpenTofu tells us by `StopProvider` what we are to do.
                Ok(()) = tokio::signal::ctrl_c() => {}
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, all).await;
    }
}

async fn connection(
    stream: UnixStream,
    tls: Option<TlsAcceptor>,
    provider: Arc<Provider>,
    stop: CancellationToken,
) {
    let Some(tls) = tls else { return speak(stream, provider, stop).await };
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, provider, stop).await,
        Ok(Err(error)) => eprintln!("[WARN] a connection was refused: {error}"),
        Err(_) => eprintln!("[WARN] a connection was given up: it said nothing"),
    }
}

async fn speak<S>(stream: S, provider: Arc<Provider>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stopped = stop.clone();
    let service = service_fn(move |request| {
        let (provider, stop) = (provider.clone(), stop.clone());
        async move { Ok::<_, Infallible>(service::answer(request, &provider, &stop).await) }
    });
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is of no interest: nothing is kept that depends on it.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
