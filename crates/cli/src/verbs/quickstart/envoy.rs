//! Envoy as a child process: started from a bootstrap of ours, ended by its own pid.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::exit::Failure;
use crate::output;
use crate::verbs::envoy::bootstrap::{Bootstrap, Protocol};
use crate::verbs::envoy::proof::Proof;

const LOG: &str = "envoy.log";

/// How long Envoy may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many lines of the log a failure shows.
const TAIL: usize = 15;

/// A running Envoy. It is killed when this is dropped.
pub(super) struct Envoy {
    child: Child,
}

/// What a binary says its version is: `1.40.0`.
pub(super) async fn version(binary: &Path) -> Result<String, Failure> {
    let fail = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot run Envoy ({}): {why}", binary.display()))
            .hint("`cargo xtask quickstart` installs an Envoy; --envoy names another one")
    };
    let output = Command::new(binary).arg("--version").output().await.map_err(|error| fail(&error))?;
    // `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_once("version:").and_then(|(_, rest)| rest.trim().split('/').nth(1));
    version.map(str::to_owned).ok_or_else(|| fail(&"it does not say its version"))
}

impl Envoy {
    /// Starts an Envoy that gets its configuration at `xds`.
    pub(super) fn start(
        binary: &Path,
        directory: &Path,
        xds: SocketAddr,
        admin: SocketAddr,
    ) -> Result<Self, Failure> {
        let bootstrap = Bootstrap {
            proof: Proof::default(),
            xds_host: xds.ip().to_string(),
            xds_port: xds.port(),
            fleet: "gateway-proxy".to_owned(),
            id: "quickstart".to_owned(),
            admin,
            protocol: Protocol::Delta,
        };
        let path = directory.join("bootstrap.yaml");
        fs::write(&path, output::yaml(&bootstrap.build())?)
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
        let log = directory.join(LOG);
        let child = spawn(binary, &path, &log)
            .map_err(|error| Failure::failed(format!("cannot start Envoy: {error}")))?;
        Ok(Self { child })
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Asks it to end; one that does not is killed.
    pub(super) async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Without an id it has ended and was waited for.
        let Some(pid) = pid else { return };
        let _ = kill_process(pid, Signal::TERM);
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// In a process group of its own, so that Ctrl-C in a terminal reaches us alone and we end it in order.
fn spawn(binary: &Path, bootstrap: &Path, log: &Path) -> std::io::Result<Child> {
    let log = File::create(log)?;
    Command::new(binary)
        .arg("--config-path")
        .arg(bootstrap)
        .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "info"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// The last lines of Envoy's log.
pub(super) fn tail(directory: &Path) -> String {
    let log = fs::read_to_string(directory.join(LOG)).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
