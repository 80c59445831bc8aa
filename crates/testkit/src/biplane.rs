//! Biplane as its users run it: the built binary, as a server and as a command.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

pub use crate::command::Output;
use crate::directory::TempDir;
use crate::http::{Request, Response};
use crate::ports::free_port;
use crate::process::Process;

/// How long Biplane may take to bind its addresses.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_mins(1);

/// A running `biplane serve`.
#[derive(Debug)]
pub struct Biplane {
    process: Process,
    launch: Launch,
}

/// How to start one.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tells the files of several Biplanes in one directory apart.
    pub name: String,
    /// The value of `--store`.
    pub store: String,
    /// Where it keeps its last known good configuration; `<name>.state` in the test's directory unless set.
    pub state: Option<PathBuf>,
    /// More arguments for `serve`.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Options {
    /// A file store.
    pub fn files(root: &Path) -> Self {
        Self::store(format!("file://{}", root.display()))
    }

    /// Any store, by its URL.
    pub fn store(url: impl Into<String>) -> Self {
        Self {
            name: "biplane".into(),
            store: url.into(),
            state: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Names it: replicas that share a test's directory each need a name of their own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds arguments for `serve`.
    #[must_use]
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }
}

/// What a restart needs again: its ports stay the same.
#[derive(Debug)]
struct Launch {
    options: Options,
    directory: PathBuf,
    state: PathBuf,
    xds: SocketAddr,
    admin: SocketAddr,
}

impl Biplane {
    /// Serves the resources under `root`, and waits until its addresses are bound; what it serves by then is
    /// another question.
    pub async fn start(root: &Path, directory: &TempDir) -> Self {
        Self::start_with(Options::files(root), directory).await
    }

    /// Starts with options.
    pub async fn start_with(options: Options, directory: &TempDir) -> Self {
        let state =
            options.state.clone().unwrap_or_else(|| directory.join(format!("{}.state", options.name)));
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let launch = Launch {
            state,
            directory: directory.path().to_owned(),
            xds: address(),
            admin: address(),
            options,
        };
        Self { process: launch.start().await, launch }
    }

    /// The process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where Envoys connect.
    pub fn xds(&self) -> SocketAddr {
        self.launch.xds
    }

    /// Where its admin interface is.
    pub fn admin(&self) -> SocketAddr {
        self.launch.admin
    }

    /// Its state directory.
    pub fn state(&self) -> &Path {
        &self.launch.state
    }

    /// A page of its admin interface.
    pub async fn get(&self, path: &str) -> Result<Response> {
        Request::get("admin", path).send_to(self.launch.admin).await
    }

    /// A bootstrap for an Envoy of a fleet, made by `biplane envoy bootstrap`.
    pub fn bootstrap(&self, fleet: &str, id: &str) -> String {
        let xds = self.launch.xds.to_string();
        let arguments =
            ["envoy", "bootstrap", "--xds", &xds, "--fleet", fleet, "--id", id, "--admin", "127.0.0.1:0"];
        let output = run(arguments);
        assert_eq!(output.code, 0, "`biplane envoy bootstrap` failed: {}", output.stderr);
        output.stdout
    }

    /// Ends it in order.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.terminate().await
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it where it is (`kill -STOP`): its connections stay open and nobody answers.
    pub async fn pause(&mut self) {
        self.process.pause().await;
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Ends it in order and starts it again on the same ports, with the same state.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub async fn start_again(&mut self) {
        self.process = self.launch.start().await;
    }
}

impl Launch {
    async fn start(&self) -> Process {
        let ready = self.directory.join(format!("{}.ready", self.options.name));
        let _ = fs::remove_file(&ready);
        let mut command = Command::new(binary());
        command.args(["serve", "--store", &self.options.store]);
        command.args(["--xds", &self.xds.to_string(), "--admin", &self.admin.to_string()]);
        command.arg("--state-dir").arg(&self.state).arg("--ready-file").arg(&ready);
        command.args(&self.options.arguments).envs(self.options.environment.iter().cloned());
        let mut process = Process::spawn(&self.options.name, command, &self.directory);
        let bound = async || {
            let text = fs::read_to_string(&ready).context("no ready file yet")?;
            serde_json::from_str::<Value>(&text).context("the ready file is written in one step")
        };
        process.until("bound addresses", PATIENCE, bound).await;
        process
    }
}

/// Runs `biplane` with arguments until it ends.
pub fn run<I, S>(arguments: I) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = Command::new(binary());
    command.args(arguments).env("NO_COLOR", "1");
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")).into()
}

/// Runs `biplane` with more variables and an input, without blocking the test's runtime.
pub async fn run_with<I, S>(arguments: I, environment: &[(&str, &str)], input: &str) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = Command::new(binary());
    command.args(arguments).env("NO_COLOR", "1").envs(environment.iter().copied());
    crate::command::run(command, input.as_bytes(), COMMAND_PATIENCE)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}

/// The binary to test: `BIPLANE_BIN`, or the one that cargo built beside this test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("BIPLANE_BIN").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test is a file");
    let profile = test.ancestors().nth(2).expect("tests are built in target/<profile>/deps");
    let path = profile.join("biplane");
    assert!(path.is_file(), "there is no {}: run `cargo build` (`cargo xtask test` does)", path.display());
    warn_if_stale(&path);
    path
}

/// Cargo does not rebuild the binary for a test of another package. Says so where a failing test shows it.
fn warn_if_stale(binary: &Path) {
    let built = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let sources = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let newer = sources.split_whitespace().skip(1).find(|source| built(Path::new(source)) > built(binary));
    if let Some(source) = newer {
        eprintln!("warning: {source} is newer than {}; run `cargo build`", binary.display());
    }
}
