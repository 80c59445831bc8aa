//! `biplane check`: names every object, source and node that something is wrong with, with where, why
//! and what to try. Silence is good news, and the exit code says how bad it is.

mod verdict;

use clap::{Args, ValueEnum};

use crate::config::GlobalFlags;
use crate::connect::{End, Target};
use crate::exit::Outcome;
use crate::output;
use crate::standing;
use verdict::Verdict;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
Each finding is a line `critical|error|warning: ...`, with a line `hint: ...` below it where there is advice:
  critical  a source cannot be read or is not trusted, or nothing is served yet
            exit code 8
  error     an object, or part of it, is not used; a node refused something, or gets nothing
            exit code 1
  warning   it works, but perhaps not as meant
            exit code 0, with --strict 1

With --store, it reads the store and says what a control plane would say of its objects.")]
pub(crate) struct Arguments {
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A line a finding
    #[default]
    #[value(alias = "table")]
    Text,
    /// One object with all findings, for machines
    Json,
}

/// Asks, judges, prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let verdict = match &arguments.target.connect(global)?.end {
        End::ControlPlane(client) => Verdict::of_status(&standing::status(client).await?),
        End::Store(store) => {
            let (objects, reports) = standing::of_store(&**store).await?;
            Verdict::of_reports(objects, &reports)
        }
    };
    output::print(&match arguments.output {
        Format::Text => verdict.text(),
        Format::Json => output::json(&verdict)?,
    })?;
    output::say(&verdict.summary());
    Ok(verdict.code(arguments.strict))
}
