//! `biplane status`: what a running control plane says about itself. Exit code 1 when something is wrong.

mod tables;

use biplane_admin_api::{Client, ClientError, Status};
use clap::{Args, ValueEnum};

use crate::config::{self, Flags, GlobalFlags};
use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The HTTP API to ask [default: the setting `admin`, 127.0.0.1:9978]
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
}

/// Asks and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let flags = Flags { admin: arguments.admin.clone(), ..Flags::default() };
    let loaded = config::load(global, &flags, &config::variables())?;
    let status = Client::new(loaded.config.admin).status().await.map_err(|error| refusal(&error))?;
    output::print(&match arguments.output {
        Format::Table => tables::render(&status),
        Format::Json => output::json(&status)?,
    })?;
    Ok(verdict(&status))
}

fn refusal(error: &ClientError) -> Failure {
    let failure = Failure::unreachable(error.to_string());
    match error {
        ClientError::Unreachable { .. } => {
            failure.hint("start it with `biplane serve`, or name its address with --admin")
        }
        _ => failure.hint("name the address of Biplane's HTTP API with --admin"),
    }
}

fn verdict(status: &Status) -> Code {
    let problems = status.problems();
    for problem in &problems {
        output::say(&output::one_line(problem));
    }
    if problems.is_empty() { Code::Success } else { Code::Findings }
}
