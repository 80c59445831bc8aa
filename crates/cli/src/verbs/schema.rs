//! `biplane schema [KIND]`: JSON Schema for editors.

use clap::Args;

use crate::exit::{Code, Outcome};
use crate::objects::{self, KindWord};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The kind, such as VirtualService; none: one schema for files of any kind
    #[arg(value_parser = KindWord)]
    kind: Option<String>,
}

/// Prints the schema.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let schema = match &arguments.kind {
        None => biplane_core::schema::all(),
        Some(kind) => biplane_core::schema::schema(objects::kind(kind)?),
    };
    output::print(&output::json(&schema)?)?;
    Ok(Code::Success)
}
