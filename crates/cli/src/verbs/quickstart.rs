//! `biplane quickstart`: the whole line on one machine, in one command.
//!
//! ```text
//! request ─▶ Envoy (child process) ─▶ demo upstream (in this process)
//!              ▲ delta ADS
//!          control plane (in this process) ◀─ directory of resources
//! ```
//!
//! Everything is in a temporary directory and on loopback, and ends with this process; when something
//! goes wrong the directory stays, with the logs in it. Steps go to stderr; the request and its
//! answer go to stdout.

mod demo;
mod envoy;
mod ports;
mod resources;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use biplane_admin::AccessOptions;
use biplane_admin_api::Client;
use biplane_admin_api::client::Answer;
use biplane_control_plane::{Server, Settings};
use biplane_editor::Editor;
use clap::Args;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::GlobalFlags;
use crate::exit::{Code, Failure, Outcome};
use crate::{backends, logging, output, signals};
use envoy::Envoy;
use ports::Ports;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Envoy binary; `cargo xtask quickstart` installs one and passes it here
    #[arg(long, value_name = "PATH")]
    envoy: PathBuf,
    /// Ask one request, check the answer, and end: exit code 0 when it is right
    #[arg(long)]
    once: bool,
}

/// The folder of the resources that `biplane apply` writes.
const WRITABLE: &str = "managed";

/// How long each part may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo. Whatever happens, Envoy and the rest are ended before this returns.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let stop = signals::stop_token()?;
    // Taken, so that it ends nothing: files are followed without it.
    let _hang_up = signals::hang_up()?;
    let version = envoy::version(&arguments.envoy).await?;
    let directory = tempfile::Builder::new()
        .prefix("biplane-quickstart-")
        .tempdir()
        .map_err(|error| Failure::failed(format!("cannot make a temporary directory: {error}")))?;
    start_log(global, directory.path())?;
    let mut demo =
        Demo { directory: directory.path().to_owned(), version, stop: stop.clone(), parts: Parts::default() };
    let outcome = tokio::select! {
        outcome = demo.run(arguments) => outcome,
        () = stop.cancelled() => Ok(Code::Success),
    };
    demo.end().await;
    outcome.map_err(|failure| keep(directory, failure))
}

/// The log of the control plane goes to a file, since a person reads stderr here.
fn start_log(global: &GlobalFlags, directory: &Path) -> Result<(), Failure> {
    let filter = logging::parse_filter(global.log.as_deref().unwrap_or("info")).map_err(Failure::usage)?;
    logging::to_file(filter, &directory.join("biplane.log"))
}

/// A failure names the logs, which stay.
fn keep(directory: TempDir, failure: Failure) -> Failure {
    let path = directory.keep();
    let tail = envoy::tail(&path);
    let tail = if tail.is_empty() { tail } else { format!("\nthe end of Envoy's log:\n{tail}") };
    Failure { message: format!("{}{tail}", failure.message), ..failure }
        .hint(format!("the logs and the configuration are kept in {}", path.display()))
}

/// The parts that run, to be ended in the order in which requests meet them.
#[derive(Default)]
struct Parts {
    envoy: Option<Envoy>,
    control_plane: Option<JoinHandle<anyhow::Result<()>>>,
}

struct Demo {
    directory: PathBuf,
    version: String,
    stop: CancellationToken,
    parts: Parts,
}

impl Demo {
    async fn run(&mut self, arguments: &Arguments) -> Outcome {
        let upstream = demo::start().await?;
        let ports = Ports::choose(arguments.once)?;
        let resources = resources::write(&self.directory, ports.gateway, upstream)?;
        step(1, &format!("resources written to {}", resources.display()));
        step(2, &format!("demo upstream answers on {upstream}"));
        let xds = self.start_control_plane(&resources, ports).await?;
        step(3, &format!("control plane serves Envoys on {xds}"));
        self.start_envoy(&arguments.envoy, ports, xds)?;
        step(4, &format!("Envoy {} listens on {}", self.version, loopback(ports.gateway)));
        self.ask(ports, upstream).await?;
        if arguments.once {
            return Ok(Code::Success);
        }
        invite(ports, &resources, &self.directory);
        self.stay().await
    }

    async fn start_control_plane(&mut self, resources: &Path, ports: Ports) -> Result<SocketAddr, Failure> {
        // Changes by the API go to a folder beside the files that are edited by hand.
        let store = backends::open_writable(&resources.display().to_string(), Some(Path::new(WRITABLE)))?;
        let settings = Settings {
            xds: loopback(ports.xds),
            admin: loopback(ports.admin),
            state_dir: Some(self.directory.join("state")),
            access: AccessOptions { anonymous_write: true, ..AccessOptions::default() },
            ..Settings::default()
        };
        let editor = Arc::new(Editor::new(store.clone()));
        let server = Server::bind(settings, store, editor).await.map_err(|error| Failure::of(&error))?;
        let xds = server.xds;
        self.parts.control_plane = Some(tokio::spawn(server.run(self.stop.clone())));
        Ok(xds)
    }

    fn start_envoy(&mut self, binary: &Path, ports: Ports, xds: SocketAddr) -> Result<(), Failure> {
        self.parts.envoy = Some(Envoy::start(binary, &self.directory, xds, loopback(ports.envoy_admin))?);
        Ok(())
    }

    /// Asks until Envoy has its configuration, then prints the request and its answer, and checks it.
    async fn ask(&mut self, ports: Ports, upstream: SocketAddr) -> Result<(), Failure> {
        let answer = self.answer(loopback(ports.gateway)).await?;
        step(5, "a request through Envoy and its answer:");
        let body = String::from_utf8_lossy(&answer.body);
        output::print(&format!(
            "GET http://{}{}\n{}\n{}",
            loopback(ports.gateway),
            resources::PATH,
            answer.status,
            body.trim_end()
        ))?;
        if answer.status == 200 && demo::is_answer(&answer.body, resources::PATH) {
            return Ok(());
        }
        Err(Failure {
            code: Code::Findings,
            ..Failure::failed(format!("this is not the answer of the demo upstream on {upstream}"))
        })
    }

    async fn answer(&mut self, gateway: SocketAddr) -> Result<Answer, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = match Client::new(gateway).get(resources::PATH).await {
                // The listener comes before its routes' endpoints: a 404 or 503 may be an answer of the start.
                Ok(answer) if !matches!(answer.status, 404 | 503) => return Ok(answer),
                Ok(answer) => format!("the last answer was {}", answer.status),
                Err(_) => format!("nothing answers on {gateway}"),
            };
            self.check_envoy()?;
            if Instant::now() > deadline {
                return Err(Failure::failed(format!(
                    "no request got through Envoy within {} s: {last}",
                    PATIENCE.as_secs()
                )));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn check_envoy(&mut self) -> Result<(), Failure> {
        match self.parts.envoy.as_mut().and_then(Envoy::ended) {
            Some(how) => Err(Failure::failed(format!("Envoy ended: {how}"))),
            None => Ok(()),
        }
    }

    /// Runs until a part ends by itself; Ctrl-C ends the future that this is part of.
    async fn stay(&mut self) -> Outcome {
        let (Some(envoy), Some(control_plane)) = (&mut self.parts.envoy, &mut self.parts.control_plane)
        else {
            return Ok(Code::Success);
        };
        Err(tokio::select! {
            how = envoy.wait() => Failure::failed(format!("Envoy ended: {how}")),
            ended = control_plane => ended_early(ended),
        })
    }

    async fn end(&mut self) {
        if let Some(envoy) = self.parts.envoy.take() {
            envoy.stop().await;
        }
        self.stop.cancel();
        if let Some(control_plane) = self.parts.control_plane.take() {
            // It drains within its own deadline; if not, the process ends all the same.
            let _ = timeout(PATIENCE, control_plane).await;
        }
    }
}

fn ended_early(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::failed("the control plane ended"),
        Ok(Err(error)) => Failure::of(&error),
        Err(error) => Failure::failed(format!("the control plane failed: {error}")),
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn step(number: u32, text: &str) {
    output::say(&format!("[{number}/5] {text}"));
}

fn invite(ports: Ports, resources: &Path, directory: &Path) {
    output::say(&format!(
        "
All of it runs until Ctrl-C. To look at:
  gateway       http://{gateway}/
  Biplane       http://{admin}/
  Envoy         http://{envoy_admin}/
  status        biplane status --api {admin}
  resources     biplane get --api {admin}
  logs          {logs}
To change: edit a file in {resources}, or biplane apply --api {admin} -f FILE
  A saved file is live at once; one with a mistake changes nothing, and biplane check --api {admin} says where it is.",
        gateway = loopback(ports.gateway),
        admin = loopback(ports.admin),
        envoy_admin = loopback(ports.envoy_admin),
        logs = directory.join("*.log").display(),
        resources = resources.display(),
    ));
}
