//! One member: its ports and data, which outlive its process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;

use super::access::Access;
use crate::http::Request;
use crate::ports::free_port;
use crate::process::Process;
use crate::tools::Tool;

const ETCD: Tool = Tool { variable: "BIPLANE_ETCD", package: "etcd", version: "3.6.8", file: "etcd" };

/// How long a member may take to hear from a leader.
const PATIENCE: Duration = Duration::from_mins(1);

/// A member of a cluster.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: SocketAddr,
    pub(super) process: Process,
    state: State,
    identity: Identity,
    /// Where its health is told without TLS and users.
    metrics: SocketAddr,
    arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Paused,
    Ended,
}

/// What a member is in its cluster.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) data: PathBuf,
    pub(super) peer: String,
    /// All members, as `--initial-cluster` wants them.
    pub(super) cluster: String,
}

impl Member {
    /// Starts all members of a new cluster; none is ready before a majority has met.
    pub(super) fn cluster(
        name: &str,
        size: usize,
        folder: &Path,
        access: &Access,
        more: &[String],
    ) -> Vec<Self> {
        let name = |number: usize| format!("{name}-{number}");
        let peers: Vec<String> = (0..size).map(|_| format!("http://{}", loopback())).collect();
        let cluster = peers.iter().enumerate().map(|(number, peer)| format!("{}={peer}", name(number)));
        let cluster = cluster.collect::<Vec<_>>().join(",");
        let start = |(number, peer): (usize, String)| {
            let name = name(number);
            let identity = Identity { data: folder.join(&name), name, peer, cluster: cluster.clone() };
            Self::start(identity, folder.parent().expect("below the test's directory"), access, more)
        };
        peers.into_iter().enumerate().map(start).collect()
    }

    fn start(identity: Identity, directory: &Path, access: &Access, more: &[String]) -> Self {
        let (client, metrics) = (loopback(), loopback());
        let mut arguments = arguments(&identity, &access.url(client), metrics);
        arguments.extend_from_slice(more);
        let process = spawn(&identity.name, &arguments, directory);
        Self { client, process, state: State::Running, identity, metrics, arguments }
    }

    pub(super) fn spawn(&mut self, directory: &Path) {
        assert_eq!(self.state, State::Ended, "{} still runs", self.identity.name);
        self.process = spawn(&self.identity.name, &self.arguments, directory);
        self.state = State::Running;
    }

    /// Waits until it can do a linearizable read.
    pub(super) async fn ready(&mut self) {
        let metrics = self.metrics;
        let healthy = async || {
            let answer = Request::get("localhost", "/health").send_to(metrics).await?;
            ensure!(answer.status == 200, "{}", answer.text().trim());
            Ok(())
        };
        self.process.until("health", PATIENCE, healthy).await;
    }

    pub(super) fn answers(&self) -> bool {
        self.state == State::Running
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) async fn pause(&mut self) {
        self.process.pause().await;
        self.state = State::Paused;
    }

    pub(super) fn resume(&mut self) {
        assert_eq!(self.state, State::Paused, "{} is not paused", self.identity.name);
        self.process.resume();
        self.state = State::Running;
    }

    pub(super) fn kill(&mut self) {
        self.process.kill();
        self.state = State::Ended;
    }

    pub(super) async fn stop(&mut self) {
        if self.state == State::Ended {
            return;
        }
        self.process.terminate().await;
        self.state = State::Ended;
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

fn spawn(name: &str, arguments: &[String], directory: &Path) -> Process {
    let mut command = ETCD.command();
    command.args(arguments);
    Process::spawn(name, command, directory)
}

fn arguments(identity: &Identity, client: &str, metrics: SocketAddr) -> Vec<String> {
    let Identity { name, data, peer, cluster } = identity;
    vec![
        format!("--name={name}"),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={cluster}"),
        format!("--listen-metrics-urls=http://{metrics}"),
        // A process that is killed loses nothing by it, and a busy disk moves no leader.
        "--unsafe-no-fsync=true".into(),
    ]
}
