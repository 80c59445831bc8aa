//! A real OpenBao, which speaks Vault's API: one node or several, and the hands that write to it over plain HTTP.
//!
//! ```text
//!  Bao (processes) <-- what is under test, at address()
//!        ^
//!        +-- Hand: a token and a namespace; Kv, Pki: one engine, seen through a hand
//! ```
//!
//! In memory it is up in a second and forgets everything when its process ends; with data it keeps everything, and is
//! sealed when it starts again. The key stays with the test, which opens and seals it as an operator does. A hand of
//! [`root`](Bao::root) may do everything; its token is [`ROOT_TOKEN`] unless the builder says otherwise.

mod access;
mod auth;
mod builder;
mod config;
mod hand;
mod jwt;
mod kv;
mod node;
mod pki;
mod quota;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use crate::directory::TempDir;
use crate::http::ClientTls;
use crate::process::Process;
pub use access::Token;
pub use auth::AppRole;
pub use builder::Builder;
pub use hand::Hand;
pub use jwt::JwtIssuer;
pub use kv::Kv;
use node::Node;
pub use pki::{Issued, Pki};

/// The token that may do everything, unless the builder names another.
pub const ROOT_TOKEN: &str = "root-token-of-the-tests";

/// How long nodes may take to find each other and to agree who is active.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running OpenBao.
#[derive(Debug)]
pub struct Bao {
    nodes: Vec<Node>,
    root_token: String,
    tls: Option<ClientTls>,
    directory: PathBuf,
    key: Option<String>,
}

/// OpenBao's own command: `BIPLANE_BAO`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    node::BAO.path()
}

impl Bao {
    /// In memory, over plain HTTP, open, with version 2 of KV at `secret`.
    pub async fn start(directory: &TempDir) -> Self {
        Self::builder().start(directory).await
    }

    /// Data that survives, standbys, TLS.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients connect: the first node.
    pub fn address(&self) -> SocketAddr {
        self.nodes[0].address()
    }

    /// Where every node is.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// The first node's URL, as `VAULT_ADDR` has it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// A hand with the root token at the first node.
    pub fn root(&self) -> Hand {
        self.stranger().with_token(&self.root_token)
    }

    /// A hand without a token at the first node.
    pub fn stranger(&self) -> Hand {
        Hand::new(self.address(), self.tls.clone())
    }

    /// The first node's process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.nodes[0].process
    }

    /// What all nodes have said so far.
    pub fn logs(&self) -> String {
        self.nodes.iter().map(|node| node.process.log()).collect()
    }

    /// Stops the first node where it is (`kill -STOP`): its connections stay open and nobody answers.
    pub async fn pause(&mut self) {
        self.process().pause().await;
    }

    /// Lets a paused node go on.
    pub fn resume(&mut self) {
        self.process().resume();
    }

    /// Ends the first node at once, as a power cut does.
    pub fn kill(&mut self) {
        self.nodes[0].kill();
    }

    /// Ends the first node in order.
    pub async fn stop(&mut self) {
        self.nodes[0].stop().await;
    }

    /// Starts the first node again on its port, and opens it. In memory it is a new one, as after
    /// [`start`](Self::start); with data it has what it had.
    pub async fn start_again(&mut self) {
        self.start_sealed().await;
        self.unseal().await;
    }

    /// Starts the first node again and leaves it as it comes: sealed (503) with data, not initialized (501) in memory.
    pub async fn start_sealed(&mut self) {
        self.nodes[0].spawn(&self.directory);
        self.nodes[0].answers().await;
    }

    /// Ends the first node in order, starts it again and opens it.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Seals every node that runs: whoever asks is told 503.
    pub async fn seal(&self) -> Result<()> {
        for node in self.nodes.iter().filter(|node| node.runs()) {
            self.root().at(node.address()).call(Method::PUT, "sys/seal", &Value::Null).await?;
        }
        Ok(())
    }

    /// Opens every node that runs and is sealed, and waits until one of them is active and the others know it.
    pub async fn unseal(&mut self) {
        let fresh = self.nodes[0].runs() && self.health().await.is_ok_and(|status| status == 501);
        if fresh {
            self.initialize().await;
        }
        let key = self.key.clone().expect("a node that was never initialized has no key to open it");
        for node in self.nodes.iter_mut().filter(|node| node.runs()) {
            node.unseal(&key).await;
        }
        self.ready().await;
        if fresh {
            self.furnish().await.unwrap_or_else(|error| panic!("a new OpenBao: {error:#}"));
        }
    }

    /// Lets the active node step down. Alone, it serves nothing that needs an active node for the next 10 seconds;
    /// with standbys, one of them takes over.
    pub async fn step_down(&self) -> Result<()> {
        self.root().call(Method::PUT, "sys/step-down", &Value::Null).await.map(drop)
    }

    /// What the first node's `sys/health` answers: 200 active, 429 standby, 501 not initialized, 503 sealed.
    pub async fn health(&self) -> Result<u16> {
        health(&self.stranger()).await
    }

    /// Where the active node is. An error if there is none.
    pub async fn active(&self) -> Result<SocketAddr> {
        for node in self.nodes.iter().filter(|node| node.runs()) {
            if health(&self.stranger().at(node.address())).await? == 200 {
                return Ok(node.address());
            }
        }
        anyhow::bail!("no node is active")
    }

    /// Waits until one node is active and all others that run are its standbys.
    pub async fn ready(&mut self) {
        let addresses: Vec<_> = self.nodes.iter().filter(|node| node.runs()).map(Node::address).collect();
        let hand = self.stranger();
        let agree = async || {
            let mut active = 0;
            for address in &addresses {
                let status = health(&hand.at(*address)).await?;
                ensure!(status == 200 || status == 429, "the health of {address} is {status}");
                active += usize::from(status == 200);
            }
            ensure!(active == 1, "{active} nodes are active");
            Ok(())
        };
        self.nodes[0].process.until("an active node", PATIENCE, agree).await;
    }

    async fn initialize(&mut self) {
        let (key, root) = self.nodes[0].initialize().await;
        self.nodes[0].unseal(&key).await;
        self.key = Some(key);
        self.nodes[0].active().await;
        let born = self.stranger().with_token(&root);
        let token = json!({ "id": self.root_token, "policies": ["root"], "no_parent": true });
        let made = born.call(Method::POST, "auth/token/create", &token).await;
        made.unwrap_or_else(|error| panic!("the root token: {error:#}"));
    }

    /// What a development server has, and for several nodes that each of them has a vote.
    async fn furnish(&mut self) -> Result<()> {
        if self.nodes.len() > 1 {
            self.all_vote().await?;
        }
        self.root().mount_kv("secret", 2).await
    }

    /// A node that joined gets its vote only when it has been stable, for 10 seconds by default; before that it cannot
    /// take over.
    async fn all_vote(&mut self) -> Result<()> {
        let root = self.root();
        let quickly = json!({ "server_stabilization_time": "1s" });
        root.write("sys/storage/raft/autopilot/configuration", &quickly).await?;
        let nodes = self.nodes.len();
        let vote = async || {
            let answer = root.read("sys/storage/raft/configuration").await?.unwrap_or_default();
            let servers = answer["config"]["servers"].as_array().cloned().unwrap_or_default();
            let voters = servers.iter().filter(|server| server["voter"] == true).count();
            ensure!(voters == nodes, "{voters} of {nodes} vote");
            Ok(())
        };
        self.nodes[0].process.until("everybody's vote", PATIENCE, vote).await;
        Ok(())
    }
}

async fn health(hand: &Hand) -> Result<u16> {
    Ok(hand.send(Method::GET, "sys/health", &Value::Null).await?.status)
}
