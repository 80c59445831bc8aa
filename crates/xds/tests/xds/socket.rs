//! The server over loopback gRPC, as a tonic client sees it.

use std::net::SocketAddr;
use std::time::Duration;

use biplane_xds::wire::{
    self, DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, ErrorDetail,
    Message, Node,
};
use biplane_xds::{Change, Fleets, Protocol, ResourceType, ServeError, ServerOptions, serve};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::harness::*;

/// A server with a fleet, and a way to it: its connection is made with the first stream.
pub(crate) struct Server {
    pub(crate) fleets: Fleets,
    pub(crate) address: SocketAddr,
    channel: Channel,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(options: ServerOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fleets, shutdown) = (Fleets::new(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, fleets.clone(), options, shutdown.clone()));
        Self { fleets, address, channel: channel(address), shutdown, task }
    }

    /// Has clients come another way from now on.
    pub(crate) fn approach(&mut self, by: SocketAddr) {
        self.channel = channel(by);
    }

    /// A server that nobody is connected to, for as long as the test lasts.
    pub(crate) async fn listen(options: ServerOptions) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Fleets::new(), options, CancellationToken::new()));
        address
    }

    pub(crate) async fn open<Q, S>(&self, path: &'static str) -> Result<Client<Q, S>, Status>
    where
        Q: Message + Default + 'static,
        S: Message + Default + 'static,
    {
        let (requests, receiver) = mpsc::channel(16);
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let request = Request::new(ReceiverStream::new(receiver));
        let path = PathAndQuery::from_static(path);
        let response = grpc.streaming(request, path, ProstCodec::<Q, S>::default()).await?;
        Ok(Client { requests, responses: response.into_inner() })
    }

    pub(crate) async fn delta(&self) -> Client<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
        self.open(wire::DELTA_ADS).await.unwrap()
    }
}

fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

pub(crate) struct Client<Q, S> {
    requests: mpsc::Sender<Q>,
    responses: Streaming<S>,
}

impl<Q: Message, S: Message> Client<Q, S> {
    pub(crate) async fn ask(&self, request: Q) {
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Result<Option<S>, Status> {
        let wait = tokio::time::timeout(Duration::from_secs(10), self.responses.message());
        wait.await.expect("the server answers")
    }

    pub(crate) async fn response(&mut self) -> S {
        self.next().await.unwrap().expect("a response")
    }
}

fn node() -> Node {
    Node { id: "envoy-1".into(), cluster: FLEET.into(), ..Node::default() }
}

pub(crate) fn first(kind: ResourceType) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { node: Some(node()), type_url: kind.type_url().into(), ..Default::default() }
}

fn answer(response: &DeltaDiscoveryResponse, error: Option<&str>) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        error_detail: error.map(|message| ErrorDetail { code: 3, message: message.into() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn delta_client_gets_changes_and_its_node_is_listed() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1"), resource("cds/x", "bad", &[])]));
    server.fleets.open();
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    let both = client.response().await;
    assert_eq!(both.resources.iter().map(|entry| &*entry.name).collect::<Vec<_>>(), ["a", "x"]);
    client.ask(answer(&both, Some("no"))).await;
    let one = client.response().await;
    client.ask(answer(&one, None)).await;
    let other = client.response().await;
    assert_eq!(other.resources[0].name, "x");
    client.ask(answer(&other, Some("x is bad"))).await;
    server.fleets.publish(FLEET, upserts([cluster("b", "1")]));
    assert_eq!(client.response().await.resources[0].name, "b");
    let nodes = server.fleets.nodes();
    assert_eq!(nodes.len(), 1);
    assert_eq!((&*nodes[0].id, &*nodes[0].fleet, nodes[0].protocol), ("envoy-1", FLEET, Protocol::Delta));
    assert_eq!(nodes[0].rejected[0].resource, Some(name("cds/x")));
    assert_eq!(nodes[0].rejected[0].error, "x is bad");
    assert_eq!(nodes[0].types[0].kind, CDS);
}

#[tokio::test]
async fn sotw_client_gets_full_sets() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    server.fleets.open();
    let mut client = server.open::<DiscoveryRequest, DiscoveryResponse>(wire::SOTW_ADS).await.unwrap();
    let request =
        DiscoveryRequest { node: Some(node()), type_url: CDS.type_url().into(), ..Default::default() };
    client.ask(request.clone()).await;
    let one = client.response().await;
    assert_eq!(one.resources.len(), 1);
    let ack =
        DiscoveryRequest { node: None, response_nonce: one.nonce, version_info: one.version_info, ..request };
    client.ask(ack).await;
    server.fleets.publish(FLEET, upserts([cluster("b", "1")]));
    let two = client.response().await;
    assert_eq!(two.resources.iter().map(|any| &*any.value).collect::<Vec<_>>(), [b"cds/a@1", b"cds/b@1"]);
}

#[tokio::test]
async fn every_type_has_a_stream_of_its_own() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1"), endpoints("a", "1")]));
    server.fleets.open();
    let path = "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints";
    let mut client = server.open::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(path).await.unwrap();
    let request = DeltaDiscoveryRequest {
        node: Some(node()),
        resource_names_subscribe: owned(&["a"]),
        ..Default::default()
    };
    client.ask(request).await;
    assert_eq!(client.response().await.resources[0].name, "a");
    let path = "/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters";
    let refused = server.open::<DiscoveryRequest, DiscoveryResponse>(path).await.map(drop);
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn answers_are_held_until_the_gate_opens() {
    let server = Server::start(ServerOptions::default()).await;
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    let none = tokio::time::timeout(Duration::from_millis(50), client.responses.message()).await;
    assert!(none.is_err());
    server.fleets.open();
    assert_eq!(client.response().await.resources[0].name, "a");
}

#[tokio::test]
async fn fleet_that_nobody_configured_gets_nothing_and_loses_nothing_until_it_is() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.open();
    let mut client = server.delta().await;
    let mut request = first(CDS);
    request.initial_resource_versions.insert("held".into(), "x".into());
    client.ask(request).await;
    client.ask(first(LDS)).await;
    for kind in [LDS, CDS] {
        let response = client.response().await;
        assert_eq!(response.type_url, kind.type_url());
        assert!(response.resources.is_empty() && response.removed_resources.is_empty());
        client.ask(answer(&response, None)).await;
    }
    server.fleets.publish(FLEET, Change::default());
    assert_eq!(client.response().await.removed_resources, ["held"]);
}

#[tokio::test]
async fn node_must_be_told_and_may_not_change() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, Change::default());
    server.fleets.open();
    let mut nobody = server.delta().await;
    nobody.ask(DeltaDiscoveryRequest { node: None, ..first(CDS) }).await;
    assert_eq!(nobody.next().await.unwrap_err().code(), Code::InvalidArgument);
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    client.response().await;
    let other = Node { id: "envoy-2".into(), ..Node::default() };
    client.ask(DeltaDiscoveryRequest { node: Some(other), ..first(LDS) }).await;
    assert_eq!(client.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn shutdown_ends_streams_and_the_server() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, Change::default());
    server.fleets.open();
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    client.response().await;
    server.shutdown.cancel();
    assert_eq!(client.next().await.unwrap_err().code(), Code::Unavailable);
    let ended = tokio::time::timeout(Duration::from_secs(10), server.task).await;
    ended.expect("the server ends in time").unwrap().unwrap();
    assert!(server.fleets.nodes().is_empty());
}

#[tokio::test]
async fn old_stream_is_ended_so_that_its_client_moves() {
    let options =
        ServerOptions { max_stream_age: Some(Duration::from_millis(50)), ..ServerOptions::default() };
    let server = Server::start(options).await;
    let mut client = server.delta().await;
    assert_eq!(client.next().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn address_that_others_can_reach_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let served = serve(listener, Fleets::new(), ServerOptions::default(), CancellationToken::new()).await;
    let error = served.unwrap_err();
    assert!(matches!(error, ServeError::NotLoopback(_)));
    assert!(error.to_string().contains("hint: listen on 127.0.0.1"));
}

#[tokio::test]
async fn metrics_count_by_type() {
    let options = ServerOptions::default();
    let mut registry = Registry::default();
    options.metrics.register(&mut registry);
    let server = Server::start(options).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    server.fleets.open();
    let mut client = server.delta().await;
    client.ask(first(CDS)).await;
    let got = client.response().await;
    client.ask(answer(&got, None)).await;
    server.fleets.publish(FLEET, upserts([cluster("b", "1")]));
    client.response().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "xds_streams{protocol=\"delta\"} 1",
        "xds_responses_total{type=\"cds\"} 2",
        "xds_acks_total{type=\"cds\"} 1",
        "xds_change_to_ack_seconds_count{type=\"cds\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn client_of_a_replica_that_is_ahead_is_not_moved_backwards() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    let behind = server.fleets.clone();
    server.fleets.set_freshen(Box::new(move || {
        let behind = behind.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            behind.publish(FLEET, upserts([cluster("a", "2")]));
        })
    }));
    server.fleets.open();
    let mut client = server.delta().await;
    let ahead = cluster("a", "2").version.to_string();
    let held = [("a".to_owned(), ahead)].into_iter().collect();
    client.ask(DeltaDiscoveryRequest { initial_resource_versions: held, ..first(CDS) }).await;
    server.fleets.publish(FLEET, upserts([cluster("b", "1")]));
    let response = client.response().await;
    let told: Vec<_> = response.resources.iter().map(|entry| &*entry.name).collect();
    assert_eq!((told, response.removed_resources), (vec!["b"], Vec::new()));
}

#[tokio::test]
async fn client_whose_versions_are_known_waits_for_nothing() {
    let server = Server::start(ServerOptions::default()).await;
    server.fleets.set_freshen(Box::new(|| Box::pin(std::future::pending())));
    server.fleets.publish(FLEET, upserts([cluster("a", "1"), cluster("b", "1")]));
    server.fleets.open();
    let mut client = server.delta().await;
    let held = [("a".to_owned(), cluster("a", "1").version.to_string())].into_iter().collect();
    client.ask(DeltaDiscoveryRequest { initial_resource_versions: held, ..first(CDS) }).await;
    assert_eq!(client.response().await.resources[0].name, "b");
}
