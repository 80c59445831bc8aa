//! The demo upstream: an HTTP server that says what it was asked.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use crate::exit::Failure;

/// What the answers call the upstream.
const NAME: &str = "demo";

/// Starts the server on a free port. It runs for as long as the process does.
pub(super) async fn start() -> Result<SocketAddr, Failure> {
    let fail = |error| Failure::failed(format!("cannot start the demo upstream: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    tokio::spawn(accept(listener));
    Ok(address)
}

/// Whether `body` is what the server answers to a request for `path`.
pub(super) fn is_answer(body: &[u8], path: &str) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["upstream"] == NAME && answer["path"] == path
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream))),
            Err(error) => debug!(%error, "demo upstream cannot accept"),
        }
    }
}

async fn serve(stream: TcpStream) {
    let answer = service_fn(async |request| Ok::<_, Infallible>(answer(&request)));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
        debug!(%error, "demo upstream connection ended");
    }
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let told = json!({
        "upstream": NAME,
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "host": host,
    });
    let mut response = Response::new(Full::from(format!("{told}\n")));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
