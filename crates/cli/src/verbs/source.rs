//! `biplane source`: what configuration and secrets are read from, and the word that a store may shrink.

mod accept;
mod refresh;

use biplane_admin_api::status::SourceStatus;
use clap::{Args, Subcommand, ValueEnum};

use crate::config::{ClientFlags, GlobalFlags};
use crate::connect;
use crate::exit::{Code, Outcome};
use crate::output;
use crate::standing;

/// What can be done with sources.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print the sources and how each fares
    List(List),
    /// Carry out the removals that are held back because a source suddenly shows much less
    Accept(accept::Arguments),
    /// Have a source of secrets read everything again at once
    Refresh(refresh::Arguments),
}

/// The command line of `source list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Yaml,
    Json,
}

/// Runs a verb.
pub(crate) async fn run(global: &GlobalFlags, verb: &Verb) -> Outcome {
    match verb {
        Verb::List(arguments) => list(global, arguments).await,
        Verb::Accept(arguments) => accept::run(global, arguments).await,
        Verb::Refresh(arguments) => refresh::run(global, arguments).await,
    }
}

async fn list(global: &GlobalFlags, arguments: &List) -> Outcome {
    let client = connect::client(global, &arguments.client)?;
    let sources = standing::status(&client).await?.sources;
    output::print(&match arguments.output {
        Format::Table => table(&sources),
        Format::Yaml => output::yaml(&sources)?,
        Format::Json => output::json(&sources)?,
    })?;
    Ok(Code::Success)
}

/// The sources, a line each.
pub(crate) fn table(sources: &[SourceStatus]) -> String {
    let row = |source: &SourceStatus| {
        let why: Vec<_> = source.last_error.iter().chain(&source.reason).map(String::as_str).collect();
        let held = if source.held.is_empty() { String::new() } else { source.held.len().to_string() };
        vec![
            source.name.clone(),
            source.kind.clone(),
            source.state.as_str().to_owned(),
            source.revision.clone().unwrap_or_default(),
            source.objects.to_string(),
            held,
            source.age_seconds.map(|age| format!("{age}s")).unwrap_or_default(),
            why.join("; "),
        ]
    };
    let header = ["SOURCE", "KIND", "STATE", "REVISION", "OBJECTS", "HELD", "AGE", "WHY"];
    output::table(&header, sources.iter().map(row))
}
