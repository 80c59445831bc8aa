//! `biplane validate DIR|FILE`: everything that is wrong with resources, without a server.
//!
//! What decoding finds and what translation finds come out together, so that one run tells all.

use std::path::{Path, PathBuf};

use biplane_control_plane::offline;
use clap::{Args, ValueEnum};

use crate::backends;
use crate::exit::{Failure, Outcome};
use crate::findings::Findings;
use crate::output;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "Each finding is a line `FILE:LINE: error|warning: KIND NAMESPACE/NAME: FIELD: MESSAGE`, \
                        with a line `hint: ...` below it where there is advice. Errors make the exit code 1, \
                        with --strict warnings too."
)]
pub(crate) struct Arguments {
    /// A directory of resources, or one file
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    /// Count warnings as errors: the exit code is 1 unless nothing at all is wrong
    #[arg(long)]
    strict: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
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

/// Reads, translates, and tells what was found.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let findings = findings(&arguments.path).await?;
    output::print(&match arguments.output {
        Format::Text => findings.text(),
        Format::Json => output::json(&findings)?,
    })?;
    output::say(&findings.summary());
    Ok(findings.code(arguments.strict))
}

/// All that is wrong with the resources in a directory or a file.
pub(super) async fn findings(path: &Path) -> Result<Findings, Failure> {
    let store = backends::open_files(path)?;
    let loaded = offline::load(&store).await.map_err(|error| Failure::of(&error))?;
    let translation = offline::translate(&loaded);
    let good: Vec<_> = loaded.objects.iter().map(|(object, _)| object.key.clone()).collect();
    let reports = loaded.reports.into_iter().chain(translation.reports).collect();
    Ok(Findings::new(path, &good, reports))
}
