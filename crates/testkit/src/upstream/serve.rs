//! The serving half of an upstream: accept, read, answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::{Behaviour, NAME_HEADER, Shared};

type Body = BoxBody<Bytes, Infallible>;

/// Bound already, so that a client may connect before the thread runs.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Accepts until the runtime ends.
pub(super) async fn run(listener: Listener, tls: Option<Arc<ServerConfig>>, shared: Arc<Shared>) {
    match listener {
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true).expect("a listener can be made non-blocking");
            let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime has I/O");
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                tokio::spawn(secure(stream, tls.clone(), Arc::clone(&shared)));
            }
        }
        Listener::Unix(listener) => {
            listener.set_nonblocking(true).expect("a listener can be made non-blocking");
            let listener = tokio::net::UnixListener::from_std(listener).expect("the runtime has I/O");
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(secure(stream, tls.clone(), Arc::clone(&shared)));
            }
        }
    }
}

async fn secure<S>(stream: S, tls: Option<Arc<ServerConfig>>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(config) = tls else {
        return serve(stream, shared, Value::Null).await;
    };
    // A client that does not trust us, or whom we do not, is a case that tests provoke.
    let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    let session = stream.get_ref().1;
    let session = json!({
        "server_name": session.server_name(),
        "alpn": session.alpn_protocol().map(String::from_utf8_lossy),
        "client_certificate": session.peer_certificates().is_some_and(|shown| !shown.is_empty()),
    });
    serve(stream, shared, session).await;
}

async fn serve<S>(stream: S, shared: Arc<Shared>, session: Value)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&shared), session.clone()));
    let server = auto::Builder::new(TokioExecutor::new());
    // The end of a connection is the client's business.
    let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>, session: Value) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = head.uri.authority().map(ToString::to_string).or_else(|| text(&head.headers, "host"));
    let seen = json!({
        "name": shared.name,
        "method": head.method.as_str(),
        "path": path,
        "host": host,
        "protocol": format!("{:?}", head.version),
        "headers": headers(&head.headers),
        "body": String::from_utf8_lossy(&body),
        "tls": session,
    });
    shared.remember(seen.clone());
    let behaviour = shared.decide();
    tokio::time::sleep(behaviour.delay).await;
    if behaviour.reset {
        return Err(anyhow!("told to close the connection"));
    }
    let grpc = text(&head.headers, "content-type").filter(|kind| kind.starts_with("application/grpc"));
    match grpc {
        Some(kind) => echo_grpc(&kind, body, &behaviour, &shared.name),
        None => tell(&seen, head.uri.path(), &behaviour, &shared.name),
    }
}

fn tell(seen: &Value, path: &str, behaviour: &Behaviour, name: &str) -> Result<Response<Body>> {
    let status = behaviour.paths.get(path).copied().unwrap_or(behaviour.status);
    let mut builder = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header(NAME_HEADER, name);
    for (header, value) in &behaviour.headers {
        builder = builder.header(header, value);
    }
    Ok(builder.body(Full::new(Bytes::from(format!("{seen}\n"))).boxed())?)
}

/// A failure is a status in the trailers: the HTTP status of gRPC is always 200.
fn echo_grpc(kind: &str, body: Bytes, behaviour: &Behaviour, name: &str) -> Result<Response<Body>> {
    const OK: &str = "0";
    const UNAVAILABLE: &str = "14";
    let status = if behaviour.status == 200 { OK } else { UNAVAILABLE };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse()?);
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
    Ok(Response::builder().header("content-type", kind).header(NAME_HEADER, name).body(body.boxed())?)
}

/// Repeated headers are joined, as HTTP allows.
fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.to_string())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
