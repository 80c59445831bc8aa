//! A real Consul: a server, perhaps a client agent in front of it, and the hand that writes to it over plain HTTP.
//!
//! The hand goes to the server, with the management token where there are ACLs, so that what a test does to the
//! agent or to a fault proxy never stands in its own way. What is under test goes to [`address`](Consul::address).

mod acl;
mod builder;
mod config;
mod independent;
mod kv;
mod node;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bytes::Bytes;
use hyper::Method;

use crate::directory::TempDir;
use crate::http::{ClientTls, Request, Response};
use crate::process::Process;
pub use acl::Token;
pub use builder::Builder;
use node::Node;

/// The token that may do everything, where there are ACLs.
pub const MANAGEMENT_TOKEN: &str = "b1b1b1b1-0000-4000-8000-000000000001";

/// A running Consul.
#[derive(Debug)]
pub struct Consul {
    server: Node,
    agent: Option<Node>,
    access: Access,
    directory: PathBuf,
    socket: Option<PathBuf>,
}

/// How the hand gets in.
#[derive(Debug, Clone, Default)]
struct Access {
    tls: Option<ClientTls>,
    token: Option<&'static str>,
}

/// Consul's own command: `BIPLANE_CONSUL`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    node::CONSUL.path()
}

impl Consul {
    /// A development agent: a server whose data is gone when it ends. It takes writes when this returns.
    pub async fn start(directory: &TempDir) -> Self {
        Self::builder().start(directory).await
    }

    /// Data that survives, ACLs, TLS, a client agent in front.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients connect: the client agent if there is one, else the server.
    pub fn address(&self) -> SocketAddr {
        self.agent.as_ref().unwrap_or(&self.server).http()
    }

    /// Where the server itself is.
    pub fn server_address(&self) -> SocketAddr {
        self.server.http()
    }

    /// The Unix socket, if one was asked for.
    pub fn socket(&self) -> &Path {
        self.socket.as_deref().expect("the builder was told to open a Unix socket")
    }

    /// The server's process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.server.process
    }

    /// Stops the server where it is (`kill -STOP`): its connections stay open and nobody answers.
    pub async fn pause(&mut self) {
        self.server.process.pause().await;
    }

    /// Lets a paused server go on.
    pub fn resume(&mut self) {
        self.server.process.resume();
    }

    /// Ends the server at once, as a power cut does.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Ends the server in order.
    pub async fn stop(&mut self) {
        self.server.stop().await;
    }

    /// Starts the server again on its ports and waits until it takes writes. A development agent starts empty.
    pub async fn start_again(&mut self) {
        self.server.spawn(&self.directory);
        self.ready().await;
    }

    /// Ends the server in order and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Waits until the server, and the agent if there is one, has a leader, takes writes and can hold sessions.
    pub async fn ready(&mut self) {
        self.server.writable(&self.access).await;
        if let Some(agent) = self.agent.as_mut().filter(|agent| agent.runs()) {
            agent.writable(&self.access).await;
        }
    }

    /// The client agent's process.
    pub fn agent(&mut self) -> &mut Process {
        &mut self.agent_node().process
    }

    /// Ends the client agent at once.
    pub fn kill_agent(&mut self) {
        self.agent_node().kill();
    }

    /// Starts the client agent again and waits until it has joined the server.
    pub async fn start_agent_again(&mut self) {
        let (directory, access) = (self.directory.clone(), self.access.clone());
        let agent = self.agent_node();
        agent.spawn(&directory);
        agent.writable(&access).await;
    }

    /// Where other datacenters' servers meet this one.
    pub(crate) fn wan_port(&self) -> u16 {
        self.server.wan()
    }

    /// Whether the server knows a leader.
    pub async fn leader(&self) -> Result<String> {
        let leader = self.get("/v1/status/leader").await?.json()?;
        let leader = leader.as_str().unwrap_or_default().to_owned();
        ensure!(!leader.is_empty(), "there is no leader");
        Ok(leader)
    }

    /// Saves a snapshot while Consul runs.
    pub async fn snapshot_save(&self) -> Result<Bytes> {
        Ok(self.get("/v1/snapshot").await?.body)
    }

    /// Puts a snapshot in the place of everything that is there.
    pub async fn snapshot_restore(&self, snapshot: &Bytes) -> Result<()> {
        self.call(Method::PUT, "/v1/snapshot", snapshot.clone()).await.map(drop)
    }

    /// `GET` at the server.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// A request to the server with the hand's own rights; a status other than 200 is an error.
    pub async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Response> {
        self.access.call(self.server.http(), method, path, body.into()).await
    }

    /// A request as somebody else would send it, to where clients connect; any status is an answer.
    pub async fn call_as(&self, token: Option<&str>, method: Method, path: &str) -> Result<Response> {
        self.access.request(method, path, Bytes::new(), token).send_to(self.address()).await
    }

    fn agent_node(&mut self) -> &mut Node {
        self.agent.as_mut().expect("the builder was told to start a client agent")
    }
}

impl Access {
    async fn call(&self, address: SocketAddr, method: Method, path: &str, body: Bytes) -> Result<Response> {
        let answer = self.request(method, path, body, self.token).send_to(address).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text().trim());
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str, body: Bytes, token: Option<&str>) -> Request {
        let mut request = Request { body, tls: self.tls.clone(), ..Request::new(method, "localhost", path) };
        if let Some(token) = token {
            request = request.header("x-consul-token", token);
        }
        request
    }
}
