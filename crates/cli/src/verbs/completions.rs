//! `biplane completions SHELL`

use biplane_core::key::Kind;
use clap::{Args, Command, CommandFactory};
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
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if arguments.shell == Shell::Fish {
        script.push_str(&kinds_for_fish(&CommandLine::command()));
    }
    output::print(&script)?;
    Ok(Code::Success)
}

/// The generator for fish knows no values of arguments that have no flag, and a kind is one.
fn kinds_for_fish(command: &Command) -> String {
    let kinds = Kind::ALL.map(Kind::plural).join(" ");
    let takes_a_kind = |verb: &&Command| verb.get_positionals().any(|argument| argument.get_id() == "kind");
    let lines = command.get_subcommands().filter(takes_a_kind).map(|verb| {
        format!(
            "complete -c biplane -n \"__fish_biplane_using_subcommand {}\" -f -a \"{kinds}\"\n",
            verb.get_name()
        )
    });
    lines.collect()
}
