//! A running `serve` for tests, and the two ways to resources: through it, and straight to the store.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use biplane_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Place, Run};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The store of tests: a directory, of which one folder may be written.
pub(crate) const STORE: &str = "file://resources?writable=managed";

/// A running `serve`; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts on a store, with more flags.
    pub(crate) async fn start(place: &Place, store: &str, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let flags =
            ["--xds", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", store, "--ready-file", "ready"];
        let log = fs::File::create(place.path("log")).expect("a log");
        let ready = place.path("ready");
        let _ = fs::remove_file(&ready);
        let arguments: Vec<_> = ["serve"].iter().chain(&flags).chain(more).copied().collect();
        let child = place
            .command(&arguments)
            .envs(variables.iter().copied())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary is built");
        let admin = eventually("the addresses are bound", PATIENCE, async || {
            let ready: Value = serde_json::from_str(&fs::read_to_string(&ready)?)?;
            Ok(ready["admin"].as_str().unwrap_or_default().parse::<SocketAddr>()?)
        })
        .await;
        Self { child, admin }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    pub(crate) async fn end(&mut self) -> Option<i32> {
        eventually("the server ends", PATIENCE, async || {
            self.child.try_wait()?.ok_or_else(|| anyhow::anyhow!("it still runs"))
        })
        .await
        .code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store in a directory, and a way to it.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) server: Option<Server>,
    way: [String; 2],
}

impl World {
    /// Straight to the store.
    pub(crate) fn direct() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("resources")).expect("a folder");
        Self { place, server: None, way: ["--store".to_owned(), STORE.to_owned()] }
    }

    /// Through a control plane, by its socket file.
    pub(crate) async fn served() -> Self {
        Self::served_with(&[]).await
    }

    /// The same, with more flags.
    pub(crate) async fn served_with(more: &[&str]) -> Self {
        let Self { place, .. } = Self::direct();
        let flags = [&["--admin-socket", "admin.sock"], more].concat();
        let server = Server::start(&place, STORE, &flags, &[]).await;
        let socket = format!("unix://{}", place.path("admin.sock").display());
        Self { place, server: Some(server), way: ["--api".to_owned(), socket] }
    }

    /// Both ways.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::direct(), Self::served().await]
    }

    /// The flags of the way.
    pub(crate) fn way(&self) -> [&str; 2] {
        [&self.way[0], &self.way[1]]
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.place.run(&[arguments, &self.way()].concat())
    }

    /// Runs a verb that must do what was asked.
    pub(crate) fn done(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
        run
    }

    /// Puts documents into the store.
    pub(crate) fn holds(&self, text: &str) {
        self.place.write("given.yaml", text);
        self.done(&["apply", "-f", "given.yaml"]);
    }
}
