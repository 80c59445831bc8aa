//! `biplane status`: what a running control plane says about itself. Exit code 1 when something is wrong.

mod tables;

use biplane_admin_api::Status;
use clap::{Args, ValueEnum};

use crate::config::{ClientFlags, GlobalFlags};
use crate::connect;
use crate::exit::{Code, Outcome};
use crate::output;
use crate::standing;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The former name of --api
    #[arg(long, value_name = "IP:PORT", hide = true, conflicts_with = "api")]
    admin: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    /// With who each Envoy has proved to be, and until when that is good
    Wide,
    Json,
}

/// Asks and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let mut flags = arguments.client.clone();
    flags.api = flags.api.or_else(|| arguments.admin.clone());
    let status = standing::status(&connect::client(global, &flags)?).await?;
    output::print(&match arguments.output {
        Format::Table => tables::render(&status, false),
        Format::Wide => tables::render(&status, true),
        Format::Json => output::json(&status)?,
    })?;
    Ok(verdict(&status))
}

fn verdict(status: &Status) -> Code {
    let problems = status.problems();
    for problem in &problems {
        output::say(&output::one_line(problem));
    }
    if problems.is_empty() { Code::Success } else { Code::Findings }
}
