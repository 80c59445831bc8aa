//! One agent: its configuration and data, which outlive its process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use hyper::Method;

use super::Access;
use super::config::Config;
use crate::process::Process;
use crate::tools::Tool;

pub(super) const CONSUL: Tool =
    Tool { variable: "BIPLANE_CONSUL", package: "consul", version: "1.20.6", file: "consul" };

/// How long an agent may take to join, elect and take a write.
const PATIENCE: Duration = Duration::from_mins(1);

/// An agent, server or client.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) process: Process,
    runs: bool,
    config: Config,
    file: PathBuf,
}

impl Node {
    pub(super) fn start(config: Config, folder: &Path, directory: &Path) -> Self {
        let file = folder.join(format!("{}.json", config.name));
        let json = config.json(&folder.join(&config.name)).to_string();
        fs::write(&file, json).expect("the temporary directory is writable");
        Self { process: spawn(&config, &file, directory), runs: true, config, file }
    }

    pub(super) fn spawn(&mut self, directory: &Path) {
        assert!(!self.runs, "{} still runs", self.config.name);
        self.process = spawn(&self.config, &self.file, directory);
        self.runs = true;
    }

    pub(super) fn runs(&self) -> bool {
        self.runs
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.config.http()
    }

    pub(super) fn wan(&self) -> u16 {
        self.config.ports.wan
    }

    pub(super) fn kill(&mut self) {
        self.process.kill();
        self.runs = false;
    }

    pub(super) async fn stop(&mut self) {
        if self.runs {
            self.process.terminate().await;
            self.runs = false;
        }
    }

    /// Waits until it has a leader, takes a write, and has registered itself: sessions hang on that.
    pub(super) async fn writable(&mut self, access: &Access) {
        let (address, name) = (self.http(), self.config.name.clone());
        self.process.until("a write", PATIENCE, async || writes(access, address, &name).await).await;
    }
}

async fn writes(access: &Access, address: SocketAddr, name: &str) -> Result<()> {
    const PROBE: &str = "/v1/kv/biplane-testkit-probe";
    let leader = access.call(address, Method::GET, "/v1/status/leader", Bytes::new()).await?.json()?;
    ensure!(leader.as_str().is_some_and(|leader| !leader.is_empty()), "there is no leader");
    access.call(address, Method::PUT, PROBE, Bytes::new()).await?;
    access.call(address, Method::DELETE, PROBE, Bytes::new()).await?;
    let health = format!("/v1/health/node/{name}");
    let checks = access.call(address, Method::GET, &health, Bytes::new()).await?.json()?;
    ensure!(checks[0]["Status"] == "passing", "the node's checks are {checks}");
    Ok(())
}

fn spawn(config: &Config, file: &Path, directory: &Path) -> Process {
    let mut command = CONSUL.command();
    command.arg("agent");
    if config.in_memory() {
        command.arg("-dev");
    }
    command.arg("-config-file").arg(file);
    Process::spawn(&config.name, command, directory)
}
