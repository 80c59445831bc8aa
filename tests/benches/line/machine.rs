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
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let version = biplane::run(["version"]).stdout;
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            envoy: envoy_version(),
            biplane: version.lines().next().unwrap_or_default().to_owned(),
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
        write!(f, "Envoy {}; {}", self.envoy, self.biplane)
    }
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
