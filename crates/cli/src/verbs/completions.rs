//! `biplane completions SHELL`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command_line::CommandLine;
use crate::exit::{Code, Outcome};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script: it is made as a whole first, so that a closed pipe is not clap's to handle.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "biplane", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Code::Success)
}
