//! `biplane config show [--origin]`: the settings as `serve` would take them, and where each comes from.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::config::{self, ClientFlags, Flags, GlobalFlags, Shown};
use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print the settings as `serve` with the same flags would take them
    Show(Show),
}

/// The command line of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Say for each value where it comes from
    #[arg(long)]
    origin: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    flags: Flags,
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
pub(crate) fn run(global: &GlobalFlags, verb: &Verb) -> Outcome {
    let Verb::Show(show) = verb;
    let given = [show.flags.given(), show.client.given()].concat();
    let loaded = config::load(global, &given, &config::variables())?;
    output::print(&print(&loaded.shown(), show.origin, show.output)?)?;
    if loaded.file.is_none() && show.origin {
        output::say("no settings file: neither ./biplane.yaml nor /etc/biplane/biplane.yaml exists");
    }
    Ok(Code::Success)
}

fn print(settings: &[Shown], origin: bool, format: Format) -> Result<String, Failure> {
    match format {
        Format::Table => Ok(table(settings, origin)),
        Format::Yaml => output::yaml(&tree(settings, origin)),
        Format::Json => output::json(&tree(settings, origin)),
    }
}

fn table(settings: &[Shown], origin: bool) -> String {
    let row = |shown: &Shown| {
        let mut row = vec![shown.name.to_owned(), shown.value.clone().unwrap_or_default()];
        row.extend(origin.then(|| shown.origin.clone()));
        row
    };
    let header: &[_] = if origin { &["SETTING", "VALUE", "ORIGIN"] } else { &["SETTING", "VALUE"] };
    output::table(header, settings.iter().map(row))
}

fn tree(settings: &[Shown], origin: bool) -> Value {
    let value = |shown: &Shown| {
        if origin { json!({ "value": shown.value, "origin": shown.origin }) } else { json!(shown.value) }
    };
    Value::Object(settings.iter().map(|shown| (shown.name.to_owned(), value(shown))).collect::<Map<_, _>>())
}
