//! One node: its configuration and data, which outlive its process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::config::Config;
use super::hand::Hand;
use crate::http::ClientTls;
use crate::process::Process;
use crate::tools::Tool;

pub(super) const BAO: Tool = Tool { variable: "BIPLANE_BAO", package: "bao", version: "2.7.2", file: "bao" };

/// How long a node may take to answer, to be opened, to be active.
const PATIENCE: Duration = Duration::from_mins(1);

/// A node, active or standby.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) process: Process,
    /// Asks without a token.
    hand: Hand,
    runs: bool,
    config: Config,
    file: PathBuf,
}

impl Node {
    pub(super) fn start(config: Config, tls: Option<ClientTls>, folder: &Path, directory: &Path) -> Self {
        let file = folder.join(format!("{}.json", config.name));
        let data = folder.join(&config.name);
        if config.data {
            fs::create_dir_all(&data).expect("the temporary directory is writable");
        }
        fs::write(&file, config.json(&data).to_string()).expect("the temporary directory is writable");
        let hand = Hand::new(config.address(), tls);
        Self { process: spawn(&config, &file, directory), hand, runs: true, config, file }
    }

    pub(super) fn spawn(&mut self, directory: &Path) {
        assert!(!self.runs, "{} still runs", self.config.name);
        self.process = spawn(&self.config, &self.file, directory);
        self.runs = true;
    }

    pub(super) fn runs(&self) -> bool {
        self.runs
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.config.address()
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

    /// Waits until it says anything at all about its health.
    pub(super) async fn answers(&mut self) {
        let hand = self.hand.clone();
        self.process.until("an answer", PATIENCE, async || super::health(&hand).await).await;
    }

    /// Makes it a new one: with one key, which is returned with the first root token.
    pub(super) async fn initialize(&mut self) -> (String, String) {
        let hand = self.hand.clone();
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let answer = hand.call(Method::PUT, "sys/init", &shares).await;
        let answer = answer.unwrap_or_else(|error| panic!("a new OpenBao: {error:#}"));
        let text = |value: &Value| value.as_str().expect("OpenBao gives a key and a token").to_owned();
        (text(&answer["keys_base64"][0]), text(&answer["root_token"]))
    }

    /// Opens it. One that is still joining others cannot be opened yet.
    pub(super) async fn unseal(&mut self, key: &str) {
        let hand = self.hand.clone();
        let opened = async || {
            let key = json!({ "key": key });
            let answer = hand.call(Method::PUT, "sys/unseal", &key).await.context("it takes no key")?;
            ensure!(answer["sealed"] == false, "it is still sealed: {answer}");
            Ok(())
        };
        self.process.until("its seal to open", PATIENCE, opened).await;
    }

    /// Waits until it is the active node.
    pub(super) async fn active(&mut self) {
        let hand = self.hand.clone();
        let active = async || -> Result<()> {
            let status = super::health(&hand).await?;
            ensure!(status == 200, "its health is {status}");
            Ok(())
        };
        self.process.until("its being active", PATIENCE, active).await;
    }
}

fn spawn(config: &Config, file: &Path, directory: &Path) -> Process {
    let mut command = BAO.command();
    command.arg("server").arg("-config").arg(file);
    Process::spawn(&config.name, command, directory)
}
