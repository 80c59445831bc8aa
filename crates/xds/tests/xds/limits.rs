//! What nobody gets more of than the limits say, whatever it has shown: streams, connections, time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use biplane_xds::wire::{self, DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use biplane_xds::{Change, Handshakes, Limits, Pass, ServerOptions};
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::door::{Porter, pass};
use crate::harness::*;
use crate::socket::{Server, first};

/// What a limit is in these tests, where it is a time.
const SOON: Duration = Duration::from_millis(100);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How HTTP/2 begins: a fixed text and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn limited(limits: Limits) -> (ServerOptions, Registry) {
    let (options, mut registry) = (ServerOptions { limits, ..ServerOptions::default() }, Registry::default());
    options.metrics.register(&mut registry);
    (options, registry)
}

fn shows(registry: &Registry, line: &str) {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
}

fn counted(registry: &Registry, attempt: &str, times: usize) {
    shows(registry, &format!("xds_refused_total{{attempt=\"{attempt}\"}} {times}"));
}

async fn refused(server: &Server) -> Option<Status> {
    server.open::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(wire::DELTA_ADS).await.err()
}

/// Asks until there is a stream, which is given back.
async fn until_let_in(server: &Server) {
    let let_in = async { while refused(server).await.is_some() {} };
    timeout(PATIENCE, let_in).await.expect("a stream");
}

/// Another way to a server, which tells of each connection that has ended.
async fn relay(server: SocketAddr) -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (way, (tell, ended)) = (listener.local_addr().unwrap(), mpsc::channel(1));
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(server).await.unwrap();
            // One that is cut off has ended too.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            let _ = tell.send(()).await;
        }
    });
    (way, ended)
}

/// Says something on a new connection, and reads until the server ends it.
async fn until_ended(address: SocketAddr, says: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be gone before it has said anything.
    let _ = stream.write_all(says).await;
    let end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    timeout(PATIENCE, end).await.expect("the server ends it");
}

#[tokio::test]
async fn streams_of_all_are_bounded() {
    let (options, registry) = limited(Limits { streams: 1, ..Limits::default() });
    let server = Server::start(options).await;
    let one = server.delta().await;
    assert_eq!(refused(&server).await.expect("none is left").code(), Code::ResourceExhausted);
    counted(&registry, "stream_over_limit", 1);
    drop(one);
    until_let_in(&server).await;
}

#[tokio::test]
async fn an_identity_with_many_streams_leaves_room_for_others() {
    let limits = Limits { streams_per_identity: 2, streams_per_node: 1, ..Limits::default() };
    let porter = Porter::new(Ok(pass(FLEET)));
    let (options, registry) = limited(limits);
    let server = Server::start(ServerOptions { doorkeeper: porter.clone(), ..options }).await;
    let _streams = (server.delta().await, server.delta().await);
    let status = refused(&server).await.expect("it has all it may have");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("of this identity"), "{status}");
    counted(&registry, "stream_over_limit", 1);

    let node = Pass { who: "a node".into(), node: Some("n".into()), ..pass(FLEET) };
    porter.set(Ok(node));
    let _its_own = server.delta().await;
    assert_eq!(refused(&server).await.expect("it is one node").code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_stream_on_which_nothing_is_asked_for_is_ended_and_one_that_asked_stays() {
    let (options, registry) = limited(Limits { first_request: SOON, ..Limits::default() });
    let server = Server::start(options).await;
    server.fleets.publish(FLEET, Change::default());
    let mut asking = server.delta().await;
    asking.ask(first(CDS)).await;
    let mut silent = server.delta().await;
    // While nobody is listened to, nobody is late.
    timeout(SOON * 3, silent.next()).await.expect_err("the gate is closed");

    server.fleets.open();
    assert_eq!(silent.next().await.unwrap_err().code(), Code::DeadlineExceeded);
    counted(&registry, "silent_stream", 1);
    asking.response().await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    asking.ask(first(LDS)).await;
    asking.response().await;
}

#[tokio::test]
async fn a_connection_that_does_not_get_to_a_stream_is_ended() {
    let (options, _) = limited(Limits { opening: SOON, ..Limits::default() });
    let server = Server::start(options.clone()).await;
    until_ended(server.address, b"").await;
    until_ended(server.address, PREFACE).await;
    until_ended(server.address, &PREFACE[..10]).await;

    // By TLS, that does not get to its end.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = Arc::new(config.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(Nothing)));
    let tls = Some(Handshakes(Arc::new(move || Some(config.clone()))));
    let address = Server::listen(ServerOptions { tls, ..options }).await;
    until_ended(address, b"").await;
    until_ended(address, b"\x16\x03\x01").await;
}

#[tokio::test]
async fn a_connection_whose_streams_have_gone_is_ended_and_one_with_a_stream_stays() {
    let (options, registry) = limited(Limits { idle: SOON, ..Limits::default() });
    let mut server = Server::start(options).await;
    let (way, mut ended) = relay(server.address).await;
    server.approach(way);
    server.fleets.publish(FLEET, Change::default());
    server.fleets.open();
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    client.response().await;
    timeout(SOON * 3, client.next()).await.expect_err("there is nothing to tell");
    shows(&registry, "xds_connections 1");
    drop(client);
    timeout(PATIENCE, ended.recv()).await.expect("the server ends it");
    shows(&registry, "xds_connections 0");
    // The client connects again when it needs to.
    let _client = server.delta().await;
}

#[tokio::test]
async fn connections_are_bounded_and_those_that_are_open_stay() {
    let (options, registry) = limited(Limits { connections: 1, ..Limits::default() });
    let server = Server::start(options).await;
    let _first = server.delta().await;
    shows(&registry, "xds_connections 1");
    until_ended(server.address, PREFACE).await;
    until_ended(server.address, PREFACE).await;
    counted(&registry, "connection", 2);
    let _client = server.delta().await;
}

/// Has no certificate for anybody.
#[derive(Debug)]
struct Nothing;

impl ResolvesServerCert for Nothing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
