//! `biplane schema [KIND]`: JSON Schema for editors.

use biplane_core::key::Kind;
use clap::Args;

use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The kind, such as VirtualService; none: one schema for files of any kind
    kind: Option<String>,
}

/// Prints the schema.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let schema = match &arguments.kind {
        None => biplane_core::schema::all(),
        Some(kind) => biplane_core::schema::schema(parse(kind)?),
    };
    output::print(&output::json(&schema)?)?;
    Ok(Code::Success)
}

/// A kind by its name in any case, or by its plural.
fn parse(text: &str) -> Result<Kind, Failure> {
    let found = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(text) || kind.plural().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        Failure::usage(format!("there is no kind {text:?}")).hint(format!("the kinds are {kinds}"))
    })
}
