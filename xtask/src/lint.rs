//! `cargo xtask lint`: what a reviewer should not have to say.

use crate::command;
use crate::failure::Result;
use crate::progress::{Step, Steps};
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
    step.say("clippy");
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    command::in_view(command::cargo().args(arguments))
}
