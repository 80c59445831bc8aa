//! The gRPC server: accepts connections and puts a session behind each discovery method.
//!
//! Invariant: nobody gets a stream whom the doorkeeper does not let in, and nobody from outside is served unless
//! whoever wires the server has said that this doorkeeper is fit for it.

use std::future::{Ready, ready};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tracing::{info, warn};

use crate::audit::{self, Attempt};
use crate::codec::DiscoveryCodec;
use crate::connection::{self, Shown};
use crate::door::{Caller, Doorkeeper, Handshakes, Trusting};
use crate::fleets::Fleets;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::resource::ResourceType;
use crate::seats::Seats;
use crate::session::{self, Context, Request};
use crate::standing::Standing;
use crate::stream::Response;
use crate::usage::Usage;
use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest, Method};

/// How long to leave the listener alone after it failed: it is out of file descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits and deadlines of the server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The longest request that is read.
    pub max_request_bytes: usize,
    /// Responses are cut when they get longer than this.
    pub response_bytes: usize,
    /// How much callers may have of it.
    pub limits: Limits,
    /// How often a connection is asked whether it is still there.
    pub keepalive_interval: Duration,
    /// How long it may take to say so.
    pub keepalive_timeout: Duration,
    /// The age at which a stream is ended so that clients spread over replicas, up to a tenth more or less.
    pub max_stream_age: Option<Duration>,
    /// How long connections may take to end on shutdown.
    pub drain: Duration,
    /// Where to count.
    pub metrics: Metrics,
    /// Who judges callers; the default believes what they say.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// TLS, if it is to be.
    pub tls: Option<Handshakes>,
    /// Whether doorkeeper and TLS are fit for callers from outside: without it only loopback is served.
    pub beyond_loopback: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            // An Envoy that comes back lists each load assignment twice, with its version: 4 MiB would shut out
            // one with 40,000 clusters for good.
            max_request_bytes: 64 << 20,
            response_bytes: 1 << 20,
            limits: Limits::default(),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            max_stream_age: None,
            drain: Duration::from_secs(5),
            metrics: Metrics::default(),
            doorkeeper: Arc::new(Trusting::default()),
            tls: None,
            beyond_loopback: false,
        }
    }
}

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can be reached from other hosts.
    #[error(
        "refusing to serve xDS on {0}: nodes have no way to prove who they are here, so only loopback is safe; \
         hint: listen on 127.0.0.1 or [::1] and run Envoy on the same host, or set up TLS and rules"
    )]
    NotLoopback(SocketAddr),
    /// The listener has no address.
    #[error("the xDS listener is unusable")]
    Listener(#[source] io::Error),
}

/// Serves until `shutdown`. Then every stream is ended with `UNAVAILABLE`, so that clients reconnect
/// elsewhere, and connections get a bounded time to say good-bye.
pub async fn serve(
    listener: TcpListener,
    fleets: Fleets,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    if !options.beyond_loopback && !address.ip().to_canonical().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    info!(%address, "xDS server listens");
    let drain = options.drain;
    let seats = Seats::new(options.limits.clone());
    let shared = Arc::new(Shared { fleets, options, seats, shutdown: shutdown.clone() });
    let mut connections = JoinSet::new();
    let mut is_full = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let was_full = is_full;
                    is_full = has_no_room(&mut connections, shared.options.limits.connections);
                    if is_full {
                        turn_away(&shared.options, remote, was_full);
                    } else {
                        drop(connections.spawn(connection::serve(stream, remote, shared.clone())));
                    }
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    finish(connections, drain).await;
    Ok(())
}

fn has_no_room(connections: &mut JoinSet<()>, most: usize) -> bool {
    while connections.try_join_next().is_some() {}
    connections.len() >= most
}

/// Each is counted. The log has one line until there was room again: it is not to be filled by somebody whom nobody knows.
fn turn_away(options: &ServerOptions, remote: SocketAddr, was_full: bool) {
    let most = options.limits.connections;
    if was_full {
        options.metrics.refused(Attempt::Connection);
        return;
    }
    let reason = format!("{most} connections are open, which is all there may be");
    audit::refused(&options.metrics, Attempt::Connection, remote, "somebody", &reason);
    warn!(most, "too many xDS connections: more are turned away");
}

async fn pause(error: &io::Error) {
    warn!(%error, "cannot accept an xDS connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

async fn finish(mut connections: JoinSet<()>, drain: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, all).await.is_err() {
        warn!(connections = connections.len(), "xDS connections did not end in time and are cut");
        connections.shutdown().await;
    }
}

/// What all connections have in common.
pub(crate) struct Shared {
    fleets: Fleets,
    pub(crate) options: ServerOptions,
    seats: Seats,
    pub(crate) shutdown: CancellationToken,
}

impl Shared {
    /// Answers a call. Whoever is not let in is told so whatever it calls.
    pub(crate) async fn call(
        &self,
        request: http::Request<Incoming>,
        remote: SocketAddr,
        certificates: Shown,
        usage: &Usage,
    ) -> http::Response<Body> {
        let caller = Caller { remote, certificates, token: bearer(request.headers()) };
        let ServerOptions { doorkeeper, metrics, .. } = &self.options;
        let standing = tokio::select! {
            () = self.shutdown.cancelled() => Err(Status::unavailable("the server is shutting down")),
            standing = Standing::judge(caller, doorkeeper.clone(), metrics.clone()) => standing,
        };
        match (standing, Method::from_path(request.uri().path())) {
            (Err(status), _) => status.into_http(),
            (Ok(standing), Some(Method::Delta(only))) => {
                self.stream::<DeltaDiscoveryRequest>(request, only, standing, usage).await
            }
            (Ok(standing), Some(Method::Sotw(only))) => {
                self.stream::<DiscoveryRequest>(request, only, standing, usage).await
            }
            (Ok(standing), None) => {
                let path = request.uri().path();
                audit::refused(
                    metrics,
                    Attempt::Method,
                    remote,
                    standing.who(),
                    &format!("{path} is not served"),
                );
                Status::unimplemented("Biplane serves the streaming discovery methods only").into_http()
            }
        }
    }

    async fn stream<R: Request>(
        &self,
        request: http::Request<Incoming>,
        only: Option<ResourceType>,
        standing: Standing,
        usage: &Usage,
    ) -> http::Response<Body> {
        let seat = match self.seats.take(standing.pass()) {
            Ok(seat) => seat,
            Err(full) => {
                standing.note(Attempt::OneMoreStream, &full.to_string());
                return Status::resource_exhausted(full.to_string()).into_http();
            }
        };
        let remote = standing.remote();
        let context = Context {
            fleets: self.fleets.clone(),
            metrics: self.options.metrics.clone(),
            shutdown: self.shutdown.clone(),
            standing,
            only,
            response_bytes: self.options.response_bytes,
            until: self.options.max_stream_age.map(|age| Instant::now() + jittered(age, remote)),
            first_request: self.options.limits.first_request,
            _seat: seat,
            _in_use: usage.begin(),
        };
        let codec = DiscoveryCodec::<R>::default();
        let mut grpc = Grpc::new(codec).max_decoding_message_size(self.options.max_request_bytes);
        grpc.streaming(Handler(Some(context)), request).await
    }
}

/// The token of a request; one that is there and cannot be read is one that nobody knows.
fn bearer(headers: &http::HeaderMap) -> Option<String> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let is_bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    Some(if is_bearer { value[7..].trim().to_owned() } else { String::new() })
}

/// An age between nine tenths and eleven tenths.
fn jittered(age: Duration, seed: SocketAddr) -> Duration {
    let random = RandomState::new().hash_one(seed) % 201;
    age * 9 / 10 + age * u32::try_from(random).expect("at most 200") / 1000
}

/// Serves one stream.
struct Handler(Option<Context>);

impl<R: Request> StreamingService<R> for Handler {
    type Response = Response;
    type ResponseStream = BoxStream<'static, Result<Response, Status>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<R>>) -> Self::Future {
        let context = self.0.take().ok_or_else(|| Status::internal("a handler serves one stream"));
        ready(context.map(|context| tonic::Response::new(session::responses(request.into_inner(), context))))
    }
}
