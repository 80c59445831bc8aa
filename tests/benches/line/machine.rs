//! What the figures were measured on: without it they mean nothing.

use std::fmt;
use std::fs;
use std::process::Command;

use biplane_testkit::{biplane, envoy};
use serde_json::{Value, json};

/// A machine and the versions of what ran on it.
#[derive(Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory: String,
    kernel: String,
    envoy: String,
    biplane: String,
    /// What else runs: the load of the last minute before we began.
    load: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let version = biplane::run(["version"]).stdout;
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: first_word("/proc/sys/kernel/osrelease"),
            envoy: envoy_version(),
            biplane: version.lines().next().unwrap_or_default().to_owned(),
            load: first_word("/proc/loadavg"),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "memory": self.memory,
            "kernel": self.kernel,
            "envoy": self.envoy,
            "biplane": self.biplane,
            "load": self.load,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "machine: {}, {} cores, {}, Linux {}",
            self.processor, self.cores, self.memory, self.kernel
        )?;
        write!(f, "Envoy {}, {}; load average {}", self.envoy, self.biplane, self.load)
    }
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// The value of the first line `key : value`.
fn field(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':'))
        .map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// `<path>  version: <commit>/<version>/...`
fn envoy_version() -> String {
    let output = Command::new(envoy::binary()).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.split_once("version: ").and_then(|(_, version)| version.split('/').nth(1));
    version.unwrap_or("unknown").to_owned()
}
