//! `cargo xtask test`: everything that must be green, in the order in which it fails quickest.

mod report;
pub(crate) mod runner;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command;
use crate::failure::{Attempt, Failure, Result};
use crate::progress::{self, Step, Steps};
use crate::tools::{self, Tools};
use crate::{USAGE, deb, lint, quickstart, workspace};
use report::{Binaries, Report};

/// The package whose tests need real servers.
const END_TO_END: &str = "biplane-tests";

/// In the names of the tests that try the Debian package, which are long.
const PACKAGING: &str = "long_package";

/// Where these find the packages.
const PACKAGES: &str = "BIPLANE_DEBS";

/// How the name of a long test begins, as the test harness sees it: behind the module that it is in. A bare `long_`
/// would be found in `belong_to` as well.
const LONG: &str = "::long_";

/// What a test without `--all` is told in the summary.
const LONG_LEFT_OUT: &str = "the long tests were left out, `cargo xtask test --all` runs them\n";

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The long tests too.
    all: bool,
    /// Unit tests only.
    quick: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

impl Options {
    /// `[--all] [--quick] [FILTER]`
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--all" => options.all = true,
                "--quick" => options.quick = true,
                flag if flag.starts_with('-') => {
                    return Err(Failure::usage(format!("test does not take {flag:?}"), USAGE));
                }
                filter if options.filter.is_none() => options.filter = Some(filter.to_owned()),
                extra => {
                    return Err(Failure::usage(
                        format!("one filter is enough, {extra:?} is the second"),
                        USAGE,
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Whether this run decides that everything is green.
    fn is_whole(&self) -> bool {
        !self.quick && self.filter.is_none()
    }

    /// What cargo is to test.
    fn selection(&self) -> Vec<&str> {
        if self.quick {
            return vec!["--workspace", "--exclude", END_TO_END, "--lib", "--bins"];
        }
        vec!["--workspace"]
    }

    /// Whether long tests run: on request, or because the filter names one.
    fn with_long(&self) -> bool {
        self.all || self.filter.as_deref().is_some_and(|filter| filter.contains("long_"))
    }

    /// Whether the Debian package is tried, which only root can: long tests run, and the filter lets it.
    fn with_machines(&self) -> bool {
        self.all || self.filter.as_deref().is_some_and(|filter| filter.contains(PACKAGING))
    }

    /// What the test harness is told.
    fn for_harness(&self) -> Vec<&str> {
        let skip: &[&str] = if self.with_long() { &[] } else { &["--skip", LONG] };
        self.filter.as_deref().into_iter().chain(skip.iter().copied()).collect()
    }

    fn steps(&self) -> usize {
        let machines = tools::STEPS_FOR_PACKAGES + tools::STEPS_FOR_MACHINES + 1;
        let machines = if self.with_machines() && !self.quick { machines } else { 0 };
        match (self.is_whole(), self.quick) {
            (true, _) => tools::STEPS + machines + 5,
            (false, true) => 3,
            (false, false) => tools::STEPS + machines + 3,
        }
    }
}

/// `cargo xtask test`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(options.steps());
    let tools = if options.quick { None } else { Some(tools::install(&mut steps)?) };
    if options.quick {
        tools::for_builds(&mut steps)?;
    }
    if options.is_whole() {
        let step = steps.next("lint");
        lint::check(&step)?;
        step.done("clean");
    }
    let mut servers = tools.map(|tools| Servers::build(tools, &mut steps)).transpose()?;
    if let Some(servers) = servers.as_mut().filter(|_| options.with_machines()) {
        servers.pack(&mut steps)?;
    }
    let binaries = build_tests(options, &mut steps)?;
    let report = run_tests(options, servers.as_ref(), binaries, &mut steps)?;
    let quickstart = match &servers {
        Some(servers) if options.is_whole() && report.is_green() => {
            Some(run_quickstart(servers, &mut steps)?)
        }
        _ => None,
    };
    progress::print(&report.table());
    if !options.with_long() {
        progress::print(LONG_LEFT_OUT);
    }
    summary(&report, quickstart, &steps)
}

/// What tests with real servers run.
struct Servers {
    biplane: PathBuf,
    tools: Tools,
    /// The Debian to boot and the packages to try in it.
    machines: Vec<(&'static str, PathBuf)>,
}

impl Servers {
    fn build(tools: Tools, steps: &mut Steps) -> Result<Self> {
        let step = steps.next("biplane");
        let biplane = quickstart::build(&step)?;
        step.done("built");
        Ok(Self { biplane, tools, machines: Vec::new() })
    }

    /// Makes what is tried on machines of their own.
    fn pack(&mut self, steps: &mut Steps) -> Result<()> {
        let tools = tools::for_packages(steps)?;
        let tree = tools::for_machines(steps)?;
        let step = steps.next("Debian package");
        let packages = deb::for_tests(&self.biplane, &tools, &step)?;
        step.done("lintian has nothing to say");
        self.machines = vec![tree, (PACKAGES, packages)];
        Ok(())
    }

    fn environment(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let machines = self.machines.iter().map(|(variable, path)| (*variable, path.as_path()));
        self.tools.environment().chain(machines)
    }
}

/// Builds first and runs later, so that the time of the tests is theirs alone.
fn build_tests(options: &Options, steps: &mut Steps) -> Result<Binaries> {
    let step = steps.next("tests");
    step.say("building ...");
    let mut cargo = command::cargo();
    cargo.args(["test", "--locked", "--no-run", "--message-format", "json-render-diagnostics"]);
    cargo.args(options.selection());
    let messages = command::messages(&mut cargo)?;
    step.done("built");
    Ok(Binaries::read(&messages))
}

fn run_tests(
    options: &Options,
    servers: Option<&Servers>,
    binaries: Binaries,
    steps: &mut Steps,
) -> Result<Report> {
    let step = steps.next("tests");
    let mut cargo = command::cargo();
    cargo.args(["test", "--locked", "--no-fail-fast", "--color", "never"]).args(options.selection());
    if let Some(servers) = servers {
        cargo.envs(servers.environment()).env("BIPLANE_BIN", &servers.biplane);
    }
    runner::choose(&mut cargo)?;
    cargo.arg("--").args(options.for_harness());
    let report = follow(cargo, &step, binaries)?;
    step.done(if report.is_green() { "green" } else { "not green" });
    Ok(report)
}

/// Reads both streams through one pipe, so that results stay behind the name of the binary that they belong to.
fn follow(mut cargo: Command, step: &Step, binaries: Binaries) -> Result<Report> {
    let log = log_file()?;
    step.say(&format!("running, every line is kept in {} ...", log.display()));
    let mut file = File::create(&log).attempt(|| format!("cannot create {}", log.display()))?;
    let (reader, writer) = std::io::pipe().attempt(|| "cannot create a pipe".into())?;
    let errors = writer.try_clone().attempt(|| "cannot share a pipe".into())?;
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn()
        .attempt(|| command::describe(&cargo))?;
    // The command holds the pipe's other end; it has to go before the end of the output can be seen.
    drop(cargo);
    let mut report = Report::new(binaries);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.attempt(|| "cannot read what the tests say".into())?;
        let line = String::from_utf8_lossy(&line);
        let _ = writeln!(file, "{line}");
        if report.line(&line) {
            progress::say(&line);
        }
    }
    let status = child.wait().attempt(|| "cannot wait for cargo".into())?;
    report.end(status.success());
    Ok(report)
}

fn log_file() -> Result<PathBuf> {
    let folder = workspace::target().join("xtask");
    fs::create_dir_all(&folder).attempt(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join("test.log"))
}

fn run_quickstart(servers: &Servers, steps: &mut Steps) -> Result<Duration> {
    let step = steps.next("quickstart --once");
    step.say("one request through Biplane's Envoy ...");
    quickstart::once(&servers.biplane, &servers.tools.envoy)?;
    Ok(step.done("answered"))
}

fn summary(report: &Report, quickstart: Option<Duration>, steps: &Steps) -> Result<()> {
    if let Some(duration) = quickstart {
        progress::print(&format!("quickstart --once answered in {}\n", progress::seconds(duration)));
    }
    progress::print(&format!("all of it took {}\n", progress::seconds(steps.elapsed())));
    progress::print(&report.total());
    match report.fault() {
        None => Ok(()),
        Some(fault) => Err(Failure::new(fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_run_without_options_is_the_whole_of_it() {
        assert!(parse("").expect("valid").is_whole());
        assert!(!parse("--quick").expect("valid").is_whole());
        assert!(!parse("delta").expect("valid").is_whole());
    }

    #[test]
    fn tests_that_are_long_run_on_request_or_when_the_filter_names_one() {
        assert_eq!(parse("").expect("valid").for_harness(), ["--skip", "::long_"]);
        assert_eq!(parse("delta").expect("valid").for_harness(), ["delta", "--skip", "::long_"]);
        assert_eq!(parse("long_outage").expect("valid").for_harness(), ["long_outage"]);
        assert!(parse("--all").expect("valid").for_harness().is_empty());
        assert!(parse("--all").expect("valid").is_whole());
    }

    #[test]
    fn an_unknown_flag_or_a_second_filter_is_refused() {
        assert_eq!(parse("--fast").expect_err("unknown").exit_code(), 2);
        assert_eq!(parse("one two").expect_err("two filters").exit_code(), 2);
    }

    #[test]
    fn quick_runs_leave_out_what_needs_servers() {
        let options = parse("--quick").expect("valid");
        assert_eq!(options.selection(), ["--workspace", "--exclude", END_TO_END, "--lib", "--bins"]);
    }
}
