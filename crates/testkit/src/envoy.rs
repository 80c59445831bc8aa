//! A real Envoy as a process, and the questions that tests ask of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::directory::TempDir;
use crate::http::{Method, Request, Response};
use crate::process::Process;
use crate::tools::Tool;

const ENVOY: Tool = Tool { variable: "BIPLANE_ENVOY", package: "envoy", version: "1.40.0", file: "envoy" };

/// How long Envoy may take to open its admin port, or to be ready.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    launch: Launch,
}

/// How to start one.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tells the files of several Envoys in one directory apart.
    pub name: String,
    /// Its worker threads.
    pub concurrency: u32,
    /// Its log level.
    pub log_level: String,
    /// More arguments for its command line.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: "envoy".into(), concurrency: 1, log_level: "info".into(), arguments: Vec::new() }
    }
}

/// What a restart needs again.
#[derive(Debug)]
struct Launch {
    options: Options,
    directory: PathBuf,
    bootstrap: PathBuf,
}

impl Envoy {
    /// Starts Envoy with a bootstrap in YAML or JSON, and waits for its admin port. Let the bootstrap's admin
    /// address have port 0: Envoy picks one and tells us.
    pub async fn start(bootstrap: &str, directory: &TempDir) -> Self {
        Self::start_with(bootstrap, directory, Options::default()).await
    }

    /// Starts Envoy with options.
    pub async fn start_with(bootstrap: &str, directory: &TempDir, options: Options) -> Self {
        let bootstrap = write(bootstrap, directory.path(), &options.name);
        let launch = Launch { options, directory: directory.path().to_owned(), bootstrap };
        let (process, admin) = launch.start().await;
        Self { process, admin, launch }
    }

    /// The process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its admin interface is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Waits until it is live: its first configuration is complete.
    pub async fn ready(&mut self) {
        let admin = self.admin;
        let live = async || {
            let answer = Request::get("admin", "/ready").send_to(admin).await?;
            ensure!(answer.status == 200, "{}", answer.text().trim());
            Ok(())
        };
        self.process.until("readiness", PATIENCE, live).await;
    }

    /// One counter or gauge by its full name. A name that Envoy does not know is an error.
    pub async fn stat(&self, name: &str) -> Result<u64> {
        let stats = self.stats_matching(&format!("^{}$", escape(name))).await?;
        stats.get(name).copied().with_context(|| format!("Envoy has no counter or gauge {name:?}"))
    }

    /// Counters and gauges whose names begin with `prefix`.
    pub async fn stats(&self, prefix: &str) -> Result<BTreeMap<String, u64>> {
        self.stats_matching(&format!("^{}", escape(prefix))).await
    }

    /// Counters and gauges whose names match an RE2 expression.
    pub async fn stats_matching(&self, expression: &str) -> Result<BTreeMap<String, u64>> {
        let text = self.ask(&format!("/stats?filter={}", percent_encode(expression))).await?.text();
        Ok(text.lines().filter_map(stat).collect())
    }

    /// What a restart of the control plane, or any harmless change, leaves as it was: removed clusters, removed
    /// listeners and refused updates, by name.
    pub async fn losses(&self) -> Result<BTreeMap<String, u64>> {
        self.stats_matching("(cluster_removed|listener_removed|update_rejected)$").await
    }

    /// The configuration that it has now, endpoints included.
    pub async fn config_dump(&self) -> Result<Value> {
        self.ask("/config_dump?include_eds").await?.json()
    }

    /// Its clusters with the health of their endpoints.
    pub async fn clusters(&self) -> Result<Value> {
        self.ask("/clusters?format=json").await?.json()
    }

    /// A page of its admin interface.
    pub async fn ask(&self, path: &str) -> Result<Response> {
        self.admin_request(Method::GET, path).await
    }

    /// Sends a request to one of its listeners.
    pub async fn request(&self, port: u16, request: &Request) -> Result<Response> {
        request.send(port).await
    }

    /// `GET` at one of its listeners.
    pub async fn get(&self, port: u16, host: &str, path: &str) -> Result<Response> {
        Request::get(host, path).send(port).await
    }

    /// Tells its clients to go elsewhere.
    pub async fn drain(&self) -> Result<()> {
        self.admin_request(Method::POST, "/drain_listeners?graceful").await.map(|_| ())
    }

    /// Ends it in order.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.terminate().await
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it in order and starts it again with the same bootstrap.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub async fn start_again(&mut self) {
        (self.process, self.admin) = self.launch.start().await;
    }

    async fn admin_request(&self, method: Method, path: &str) -> Result<Response> {
        let answer = Request::new(method, "admin", path).send_to(self.admin).await?;
        ensure!(
            answer.status == 200,
            "Envoy's admin answers {path} with {}: {}",
            answer.status,
            answer.text()
        );
        Ok(answer)
    }
}

impl Launch {
    async fn start(&self) -> (Process, SocketAddr) {
        let name = &self.options.name;
        let admin = self.directory.join(format!("{name}.admin"));
        let _ = fs::remove_file(&admin);
        let mut command = Command::new(binary());
        command.arg("--config-path").arg(&self.bootstrap).arg("--admin-address-path").arg(&admin);
        command.args(["--disable-hot-restart", "--log-level", &self.options.log_level]);
        command.args(["--concurrency", &self.options.concurrency.to_string()]).args(&self.options.arguments);
        let mut process = Process::spawn(name, command, &self.directory);
        let address = async || fs::read_to_string(&admin)?.trim().parse().context("the admin address");
        let address = process.until("the admin port", PATIENCE, address).await;
        (process, address)
    }
}

/// Whether Envoy would start with this bootstrap; the error has Envoy's own words.
pub fn validate(bootstrap: &str) -> Result<()> {
    let directory = TempDir::new("validate");
    let path = write(bootstrap, directory.path(), "bootstrap");
    let mut command = Command::new(binary());
    command
        .args(["--mode", "validate", "--disable-hot-restart", "--log-level", "error", "--config-path"])
        .arg(path);
    let output = command.output().context("cannot run Envoy")?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{}", String::from_utf8_lossy(&output.stderr).trim())
}

/// The Envoy to test with: `BIPLANE_ENVOY`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    ENVOY.path()
}

/// Envoy tells YAML from JSON by the file's name.
fn write(bootstrap: &str, directory: &Path, name: &str) -> PathBuf {
    let extension = if bootstrap.trim_start().starts_with('{') { "json" } else { "yaml" };
    let path = directory.join(format!("{name}.{extension}"));
    fs::write(&path, bootstrap).expect("the temporary directory is writable");
    path
}

/// `name: 3`; histograms and texts are no numbers.
fn stat(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.rsplit_once(": ")?;
    Some((name.to_owned(), value.parse().ok()?))
}

fn escape(name: &str) -> String {
    let mut expression = String::new();
    for character in name.chars() {
        if !character.is_alphanumeric() && character != '_' {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
