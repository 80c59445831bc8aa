//! `cargo xtask quickstart`: builds Biplane and hands over to `biplane quickstart`, which does the work.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::progress::{Step, Steps};
use crate::{USAGE, tools, workspace};

/// The command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    once: bool,
}

impl Options {
    /// Reads the command line.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        match arguments {
            [] => Ok(Self { once: false }),
            [flag] if flag == "--once" => Ok(Self { once: true }),
            other => Err(Failure::usage(format!("quickstart does not take {:?}", other.join(" ")), USAGE)),
        }
    }
}

/// Does not come back if all goes well: `biplane quickstart` takes our place, and with it the terminal's Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(tools::STEPS_FOR_QUICKSTART + 2);
    let envoy = tools::for_quickstart(&mut steps)?;
    let step = steps.next("biplane");
    let biplane = build(&step)?;
    step.done("built");
    steps.next("quickstart").say("starting Biplane, Envoy and a demo upstream ...");
    let error = command_of(&biplane, &envoy, options.once).exec();
    Err(Failure::new(format!("cannot run {}: {error}", biplane.display())))
}

/// Answers one request through Envoy, checks the answer, and ends.
pub(crate) fn once(biplane: &Path, envoy: &Path) -> Result<()> {
    command::in_view(&mut command_of(biplane, envoy, true))
}

/// Builds the `biplane` binary and says where it is.
pub(crate) fn build(step: &Step) -> Result<PathBuf> {
    step.say("building (about three minutes the first time) ...");
    let mut cargo = command::cargo();
    cargo.args([
        "build",
        "--locked",
        "--package",
        "biplane-cli",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let messages = command::messages(&mut cargo)?;
    let executable = messages.lines().filter_map(executable_of).next_back();
    executable.ok_or_else(|| Failure::new("cargo built no binary named biplane"))
}

fn executable_of(message: &str) -> Option<PathBuf> {
    let message = Json::parse(message).ok()?;
    message.get("executable").text().map(PathBuf::from)
}

fn command_of(biplane: &Path, envoy: &Path, once: bool) -> Command {
    let mut command = Command::new(biplane);
    command.current_dir(workspace::root()).arg("quickstart").arg("--envoy").arg(envoy);
    if once {
        command.arg("--once");
    }
    command
}
