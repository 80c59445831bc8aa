//! `cargo xtask bench`: builds what is measured with optimisations and runs every benchmark of the workspace.
//!
//! A benchmark is a `[[bench]]` of any package; nothing has to be registered here.

use std::process::Command;

use crate::command;
use crate::failure::{Failure, Result};
use crate::progress::{self, Steps};
use crate::tools::{self, debian};
use crate::workspace;

/// Optimised, and quick to build.
const PROFILE: &str = "ci";

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Benchmarks to run; all of them if empty.
    names: Vec<String>,
    /// Handed on to each of them.
    arguments: Vec<String>,
}

impl Options {
    /// `[NAME..] [-- ARGS]`
    pub(crate) fn parse(arguments: &[String]) -> Self {
        let mut parts = arguments.splitn(2, |argument| argument == "--");
        let mut next = || parts.next().unwrap_or_default().to_vec();
        Self { names: next(), arguments: next() }
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

/// `cargo xtask bench`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let benches = benches(options)?;
    let mut steps = Steps::new(tools::STEPS + 2 + benches.len());
    let tools = tools::install(&mut steps)?;
    let step = steps.next("valgrind");
    debian::install(debian::FOR_BENCHES, &step)?;
    step.done("ready");

    let step = steps.next("biplane and its provider");
    step.say("building with optimisations ...");
    let mut cargo = command::cargo();
    cargo.args(["build", "--locked", "--profile", PROFILE]);
    cargo.args(["--package", "biplane-cli", "--package", "biplane-terraform-provider"]);
    command::in_view(&mut cargo)?;
    step.done("built");

    progress::print(&machine());
    for (package, bench) in benches {
        let step = steps.next(&bench);
        let mut cargo = command::cargo();
        cargo.args([
            "bench",
            "--locked",
            "--profile",
            PROFILE,
            "--package",
            &package,
            "--bench",
            &bench,
            "--",
        ]);
        cargo.args(&options.arguments).envs(tools.environment());
        command::in_view(&mut cargo)?;
        step.done("measured");
    }
    Ok(())
}

/// The benchmarks asked for, as package and name.
fn benches(options: &Options) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for package in workspace::packages()? {
        let wanted = package.benches.into_iter().filter(|bench| options.wants(bench));
        found.extend(wanted.map(|bench| (package.name.clone(), bench)));
    }
    match options.names.iter().find(|name| !found.iter().any(|(_, bench)| bench == *name)) {
        Some(unknown) => Err(Failure::new(format!("no benchmark is named {unknown:?}"))
            .hint("`cargo xtask bench` without a name runs all of them")),
        None => Ok(found),
    }
}

/// What the figures were measured on.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        text.lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split(": ").nth(1))
            .map(str::to_owned)
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = command::quietly(Command::new("uname").args(["-sr"])).unwrap_or_default();
    format!(
        "machine: {}, {cores} cores, {}\n",
        processor.as_deref().unwrap_or("unknown processor"),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn names_come_before_the_dashes_and_arguments_after() {
        let options = Options::parse(&words("wire ack -- --routes 1000"));
        assert_eq!(options.names, ["wire", "ack"]);
        assert_eq!(options.arguments, ["--routes", "1000"]);
        assert_eq!(Options::parse(&[]), Options::default());
    }
}
