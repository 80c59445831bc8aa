//! An xDS client that does what it is told, to see what a server puts on the wire.
//!
//! It decodes names, versions and nonces and leaves resources as bytes, so that it is never the bottleneck of a
//! benchmark. It knows the protocol from Envoy's definitions alone and shares no code with our server: what both
//! agree on is the protocol. Nothing is acknowledged unless the test says so, and what is not asked for with
//! `next` is not read from the connection, so that a test can be a slow client.

mod message;
mod stream;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

pub use message::{DeltaRequest, DeltaResponse, Node, Resource, SotwRequest, SotwResponse};
use stream::Stream;

use crate::http::ClientTls;

/// Type URLs by their usual names.
pub mod type_url {
    /// Clusters.
    pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    /// Endpoints of a cluster.
    pub const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    /// Listeners.
    pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
    /// Route configurations.
    pub const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
    /// Secrets.
    pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
}

/// Paths of the aggregated streams; each type has streams of its own beside them.
pub mod path {
    /// Delta, all types.
    pub const DELTA_ADS: &str =
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
    /// State of the world, all types.
    pub const SOTW_ADS: &str =
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
}

/// What a client shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// TLS, with a certificate or without.
    pub tls: Option<ClientTls>,
    /// A token.
    pub token: Option<String>,
}

/// A client on a delta stream.
#[derive(Debug)]
pub struct Delta {
    stream: Stream,
    /// Sent with the first request only, as Envoy does.
    node: Option<Node>,
}

impl Delta {
    /// Opens the aggregated stream.
    pub async fn connect(address: SocketAddr, node: Node) -> Result<Self> {
        Self::connect_to(address, path::DELTA_ADS, node).await
    }

    /// Opens another delta stream.
    pub async fn connect_to(address: SocketAddr, path: &str, node: Node) -> Result<Self> {
        Self::connect_with(address, path, node, &Proof::default()).await
    }

    /// Opens a delta stream, and shows something.
    pub async fn connect_with(address: SocketAddr, path: &str, node: Node, proof: &Proof) -> Result<Self> {
        Ok(Self { stream: Stream::open(address, path, proof).await?, node: Some(node) })
    }

    /// Has the next request tell of another node.
    pub fn rename(&mut self, node: Node) {
        self.node = Some(node);
    }

    /// Sends any request.
    pub fn send(&mut self, request: &DeltaRequest) {
        self.stream.send(&request.encode(self.node.take().as_ref()));
    }

    /// Asks for resources by name; `*` asks for all of them.
    pub fn subscribe(&mut self, type_url: &str, names: &[&str]) {
        let subscribe = names.iter().map(|&name| name.to_owned()).collect();
        self.send(&DeltaRequest { type_url: type_url.to_owned(), subscribe, ..DeltaRequest::default() });
    }

    /// Asks for resources as a client that has been here before and holds these versions.
    pub fn resume(&mut self, type_url: &str, names: &[&str], held: BTreeMap<String, String>) {
        let subscribe = names.iter().map(|&name| name.to_owned()).collect();
        let request = DeltaRequest {
            type_url: type_url.to_owned(),
            subscribe,
            initial_versions: held,
            ..DeltaRequest::default()
        };
        self.send(&request);
    }

    /// The next response of any type.
    pub async fn next(&mut self, patience: Duration) -> Result<DeltaResponse> {
        DeltaResponse::decode(&self.stream.next(patience).await?).context("a delta response")
    }

    /// Accepts a response.
    pub fn ack(&mut self, response: &DeltaResponse) {
        self.send(&DeltaRequest {
            type_url: response.type_url.clone(),
            nonce: response.nonce.clone(),
            ..DeltaRequest::default()
        });
    }

    /// Refuses a response.
    pub fn nack(&mut self, response: &DeltaResponse, why: &str) {
        self.send(&DeltaRequest {
            type_url: response.type_url.clone(),
            nonce: response.nonce.clone(),
            error: Some(why.to_owned()),
            ..DeltaRequest::default()
        });
    }

    /// Says that no more requests will come; the server ends the stream in its turn.
    pub fn finish(&mut self) {
        self.stream.finish();
    }
}

/// A client on a state-of-the-world stream.
#[derive(Debug)]
pub struct Sotw {
    stream: Stream,
    node: Option<Node>,
}

impl Sotw {
    /// Opens the aggregated stream.
    pub async fn connect(address: SocketAddr, node: Node) -> Result<Self> {
        Self::connect_to(address, path::SOTW_ADS, node).await
    }

    /// Opens another state-of-the-world stream.
    pub async fn connect_to(address: SocketAddr, path: &str, node: Node) -> Result<Self> {
        Self::connect_with(address, path, node, &Proof::default()).await
    }

    /// Opens a state-of-the-world stream, and shows something.
    pub async fn connect_with(address: SocketAddr, path: &str, node: Node, proof: &Proof) -> Result<Self> {
        Ok(Self { stream: Stream::open(address, path, proof).await?, node: Some(node) })
    }

    /// Sends any request.
    pub fn send(&mut self, request: &SotwRequest) {
        self.stream.send(&request.encode(self.node.take().as_ref()));
    }

    /// Asks for resources by name; no name asks for all of them.
    pub fn subscribe(&mut self, type_url: &str, names: &[&str]) {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.send(&SotwRequest { type_url: type_url.to_owned(), names, ..SotwRequest::default() });
    }

    /// The next response of any type.
    pub async fn next(&mut self, patience: Duration) -> Result<SotwResponse> {
        SotwResponse::decode(&self.stream.next(patience).await?).context("a state-of-the-world response")
    }

    /// Accepts a response; `names` are those still asked for.
    pub fn ack(&mut self, response: &SotwResponse, names: &[&str]) {
        self.send(&SotwRequest {
            type_url: response.type_url.clone(),
            version: response.version.clone(),
            nonce: response.nonce.clone(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            error: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Upstream;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// An upstream echoes gRPC messages, so that the request comes back as if it were a response.
    #[tokio::test]
    async fn requests_go_out_as_grpc_messages_and_messages_come_in() {
        let echo = Upstream::start("echo");
        let node = Node::new("node-1", "fleet");
        let mut client = Delta::connect(echo.address(), node.clone()).await.expect("a stream");
        let request = |type_url: &str| DeltaRequest { type_url: type_url.into(), ..DeltaRequest::default() };
        client.send(&request("one"));
        client.send(&request("two"));
        client.finish();
        let first = client.stream.next(PATIENCE).await.expect("an echo");
        let second = client.stream.next(PATIENCE).await.expect("an echo");
        assert_eq!(first, request("one").encode(Some(&node)), "the node goes with the first request");
        assert_eq!(second, request("two").encode(None), "and with no other");
        let end = client.stream.next(PATIENCE).await.expect_err("the stream has ended");
        assert!(end.to_string().contains("status 0"), "{end}");
    }

    #[tokio::test]
    async fn a_status_that_is_not_ok_is_reported() {
        let echo = Upstream::start("broken");
        echo.behave(|behaviour| behaviour.status = 503);
        let mut client =
            Delta::connect(echo.address(), Node::new("node-1", "fleet")).await.expect("a stream");
        client.finish();
        let error = client.next(PATIENCE).await.expect_err("unavailable");
        assert!(format!("{error:#}").contains("status 14"), "{error:#}");
    }
}
