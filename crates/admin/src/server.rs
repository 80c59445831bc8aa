//! Connections: accepted up to a bound, each with bounds on what it may send and how long it may
//! take, and all of them closed when the server stops.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Source, check_address, routes};

/// Probes, a Prometheus or two, and a few people with a browser; beyond that callers wait in the backlog.
const MOST_CONNECTIONS: usize = 128;

/// How long a client may take to send its headers, which is also how long it may keep an idle connection.
const HEADER_DEADLINE: Duration = Duration::from_secs(15);

/// How long one connection may live, so that a client that stops reading cannot hold one for ever.
const LONGEST_CONNECTION: Duration = Duration::from_mins(5);

/// How long an answer that is under way may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// The most headers of a request, and the most bytes that are buffered for it.
const MOST_HEADERS: usize = 64;
const LARGEST_BUFFER: usize = 64 * 1024;

/// How long to wait after an accept that failed for lack of something (file descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the API on `listener` until `shutdown`, then lets the answers that are under way finish.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    check_address(listener.local_addr()?)?;
    let router = routes::router(source);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), shutdown.clone()));
                }
                Err(error) => {
                    warn!(%error, "admin connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
    Ok(())
}

/// A panic in one answer ends its connection and nothing else.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "admin connection ended by a fault of ours");
    }
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    let serving = builder().serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return log(ended),
        () = shutdown.cancelled() => {}
        () = sleep(LONGEST_CONNECTION) => {}
    }
    serving.as_mut().graceful_shutdown();
    finish(serving).await;
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
