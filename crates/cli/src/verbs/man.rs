//! `biplane man DIR`: the manual pages, made from what the command line and the settings say about themselves.

mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use crate::command_line::CommandLine;
use crate::exit::{Code, Failure, Outcome};

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where they go, a file a page: biplane.1, biplane-serve.1, ..., biplane.yaml.5
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes a page a verb, and one for the settings.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let directory = &arguments.directory;
    let written = fs::create_dir_all(directory).and_then(|()| write(directory));
    written.map_err(|error| Failure::failed(format!("cannot write to {}: {error}", directory.display())))?;
    Ok(Code::Success)
}

/// A page is named as the words that one types: `biplane envoy bootstrap` is `biplane-envoy-bootstrap`.
fn write(directory: &Path) -> std::io::Result<()> {
    clap_mangen::generate_to(CommandLine::command(), directory)?;
    fs::write(directory.join("biplane.yaml.5"), settings::page())
}
