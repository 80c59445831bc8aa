//! A real Nomad: an agent that is server or client or both, runs tasks without containers, and the hand that runs jobs on it.
//!
//! The hand goes to the agent itself, with the management token where there are ACLs, so that what a test does to a
//! fault proxy never stands in its own way. Tasks outlive an agent that is killed, as they do in production; when
//! the value is dropped they end too.

mod acl;
mod builder;
mod config;
mod job;
mod remains;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::http::{ClientTls, Request, Response};
use crate::process::Process;
use crate::tools::Tool;
pub use acl::Token;
pub use builder::Builder;
use config::{Config, Role};
pub use job::{Check, Job, Update};

const NOMAD: Tool = Tool { variable: "BIPLANE_NOMAD", package: "nomad", version: "1.10.5", file: "nomad" };

/// How long an agent may take until it places allocations.
const PATIENCE: Duration = Duration::from_mins(1);

/// The token that may do everything, where there are ACLs.
pub const MANAGEMENT_TOKEN: &str = "a1a1a1a1-0000-4000-8000-000000000001";

/// A running Nomad.
#[derive(Debug)]
pub struct Nomad {
    process: Process,
    config: Config,
    /// What the agent keeps: its state, its allocations, what its tasks need.
    folder: PathBuf,
    directory: PathBuf,
    tls: Option<ClientTls>,
    runs: bool,
}

/// Nomad's own command: `BIPLANE_NOMAD`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    NOMAD.path()
}

impl Nomad {
    /// An agent without ACLs. It places allocations when this returns.
    pub async fn start(directory: &crate::TempDir) -> Self {
        Self::builder().start(directory).await
    }

    /// ACLs, TLS, regions, servers apart from nodes.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where its API is.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.config.ports.http).into()
    }

    /// The agent's process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where the agent keeps what it has.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the agent at once, as a power cut does; tasks go on.
    pub fn kill(&mut self) {
        self.process.kill();
        self.runs = false;
    }

    /// Starts the agent again with what it knew, and waits as [`Builder::start`] does.
    pub async fn start_again(&mut self) {
        assert!(!self.runs, "{} still runs", self.config.name);
        self.process = spawn(&self.config, &self.folder, &self.directory);
        self.runs = true;
        self.ready().await;
    }

    /// Forgets everything that the agent knew. What its tasks were is nobody's then, so they end.
    pub fn wipe(&mut self) {
        assert!(!self.runs, "{} still runs", self.config.name);
        remains::end(&self.folder);
        let data = config::data(&self.folder);
        fs::remove_dir_all(&data).expect("nothing holds it any more");
        fs::create_dir_all(&data).expect("the temporary directory is writable");
    }

    /// Meets the server of another region, so that each answers for both; waits until each knows the other.
    pub async fn join(&self, other: &Self) {
        let path = format!("/v1/agent/join?address=127.0.0.1:{}", other.config.ports.serf);
        for (one, another) in [(self, other), (other, self)] {
            eventually("another region", PATIENCE, async || {
                self.call(Method::PUT, &path, Bytes::new()).await?;
                let region = &another.config.region;
                one.json(&format!("/v1/status/leader?region={region}")).await.map(drop)
            })
            .await;
        }
    }

    /// Saves what the servers know.
    pub async fn snapshot_save(&self) -> Result<Bytes> {
        Ok(self.get("/v1/operator/snapshot").await?.body)
    }

    /// Puts a snapshot in the place of everything that the servers know.
    pub async fn snapshot_restore(&self, snapshot: &Bytes) -> Result<()> {
        self.call(Method::PUT, "/v1/operator/snapshot", snapshot.clone()).await.map(drop)
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let body = json!({ "Name": name }).to_string();
        self.call(Method::PUT, &format!("/v1/namespace/{name}"), body).await.map(drop)
    }

    /// `GET`, as JSON.
    pub async fn json(&self, path: &str) -> Result<Value> {
        self.get(path).await?.json()
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// A request with the hand's own rights; a status other than 200 is an error.
    pub async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Response> {
        let token = self.config.acl.then_some(MANAGEMENT_TOKEN);
        let answer = self.request(method, path, body.into(), token).send_to(self.address()).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text().trim());
        Ok(answer)
    }

    /// A request as somebody else would send it; any status is an answer.
    pub async fn call_as(&self, token: Option<&str>, method: Method, path: &str) -> Result<Response> {
        self.request(method, path, Bytes::new(), token).send_to(self.address()).await
    }

    fn request(&self, method: Method, path: &str, body: Bytes, token: Option<&str>) -> Request {
        let mut request = Request { body, tls: self.tls.clone(), ..Request::new(method, "localhost", path) };
        if let Some(token) = token {
            request = request.header("x-nomad-token", token);
        }
        request
    }

    /// Waits until there is a leader and, unless it is a server only, a node that takes tasks.
    async fn ready(&mut self) {
        let (address, tls) = (self.address(), self.tls.clone());
        let (acl, runs_no_tasks) = (self.config.acl, self.config.role == Role::Server);
        let ask = async |path: &str, method: Method, body: Bytes| {
            let mut request = Request { body, tls: tls.clone(), ..Request::new(method, "localhost", path) };
            if acl {
                request = request.header("x-nomad-token", MANAGEMENT_TOKEN);
            }
            request.send_to(address).await
        };
        let leads = async || {
            let leader = ask("/v1/status/leader", Method::GET, Bytes::new()).await?.json()?;
            ensure!(leader.as_str().is_some_and(|leader| !leader.is_empty()), "there is no leader");
            if acl {
                // It refuses the second time, which is what an agent with data does from the start.
                let secret = json!({ "BootstrapSecret": MANAGEMENT_TOKEN }).to_string();
                let made = ask("/v1/acl/bootstrap", Method::POST, secret.into()).await?;
                ensure!(made.status == 200 || made.text().contains("already"), "{}", made.text());
            }
            if runs_no_tasks {
                return Ok(());
            }
            let nodes = ask("/v1/nodes", Method::GET, Bytes::new()).await?.json()?;
            let nodes = nodes.as_array().context("no list of nodes")?;
            let is_ready =
                |node: &Value| node["Status"] == "ready" && node["Drivers"]["raw_exec"]["Healthy"] == true;
            ensure!(nodes.iter().any(is_ready), "no node is ready: {nodes:?}");
            Ok(())
        };
        self.process.until("a node that takes tasks", PATIENCE, leads).await;
    }
}

impl Drop for Nomad {
    fn drop(&mut self) {
        self.kill();
        remains::end(&self.folder);
    }
}

fn spawn(config: &Config, folder: &Path, directory: &Path) -> Process {
    let file = folder.join("agent.hcl");
    fs::write(&file, config.hcl(folder)).expect("the temporary directory is writable");
    let mut command = NOMAD.command();
    // Where its helpers work too, by which they are found when it is gone.
    command.current_dir(folder).args(["agent", "-config"]).arg(file);
    Process::spawn(&config.name, command, directory)
}
