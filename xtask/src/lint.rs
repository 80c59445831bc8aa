//! `cargo xtask lint`: what a reviewer should not have to say.

use std::process::Command;

use crate::command;
use crate::failure::Result;
use crate::progress::{Step, Steps};
use crate::tools::{self, debian};
use crate::{edges, shape, workspace};

/// `cargo xtask lint`.
pub(crate) fn run() -> Result<()> {
    let step = Steps::new(1).next("lint");
    check(&step)?;
    step.done("clean");
    Ok(())
}

/// The quick checks first.
pub(crate) fn check(step: &Step) -> Result<()> {
    step.say("crate edges, shape of the sources, rustfmt");
    edges::check(&workspace::packages()?)?;
    shape::check()?;
    command::in_view(command::cargo().args(["fmt", "--all", "--check"]))
        .map_err(|failure| failure.hint("run `cargo fmt --all`"))?;
    tools::check_format()?;
    step.say("dependencies");
    dependencies(step)?;
    step.say("clippy");
    debian::install(debian::FOR_BUILDS, step)?;
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    command::in_view(command::cargo().args(arguments))
}

/// Licences, banned crates and sources, as deny.toml has them. Not the advisories, which change without us.
fn dependencies(step: &Step) -> Result<()> {
    let mut deny = Command::new(tools::cargo_deny(step)?);
    deny.current_dir(workspace::root()).args(["--locked", "check", "bans", "licenses", "sources"]);
    command::in_view(&mut deny).map_err(|failure| failure.hint("deny.toml says what may come in, and why"))
}
