//! `biplane history KIND NAME`: the versions of an object that are still known.

use biplane_admin_api::resources::Version;
use clap::{Args, ValueEnum};

use crate::config::GlobalFlags;
use crate::connect::Target;
use crate::exit::{Code, Failure, Outcome};
use crate::objects::OneObject;
use crate::output;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "The control plane that leads writes a version down a moment after it sees it, whoever made it. \
                        A directory keeps no versions: there only the present one is known."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    object: OneObject,
    /// Print the text of the version that was written at this revision
    #[arg(long, value_name = "REVISION")]
    show: Option<u64>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Yaml,
    Json,
}

/// Reads and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let connection = arguments.target.connect(global)?;
    let object = arguments.object.perhaps_gone(&connection).await?;
    let versions = connection.resources.history(&object.key).await;
    let versions = versions.map_err(|problem| object.failure(connection.failure(problem)))?;
    match arguments.show {
        Some(revision) => output::print(&text(&versions, revision)?)?,
        None => output::print(&match arguments.output {
            Format::Table => table(&versions),
            Format::Yaml => output::yaml(&versions)?,
            Format::Json => output::json(&versions)?,
        })?,
    }
    Ok(Code::Success)
}

fn text(versions: &[Version], revision: u64) -> Result<String, Failure> {
    let version = versions.iter().find(|version| version.revision == revision).ok_or_else(|| {
        let known: Vec<_> = versions.iter().map(|version| version.revision.to_string()).collect();
        Failure::new(Code::NotFound, format!("no version was written at revision {revision}"))
            .hint(format!("those that are known: {}", known.join(", ")))
    })?;
    if version.deleted {
        return Err(Failure::new(Code::NotFound, format!("at revision {revision} the object was deleted")));
    }
    Ok(version.text.clone())
}

/// The versions, the latest first.
pub(crate) fn table(versions: &[Version]) -> String {
    let row = |version: &Version| {
        let what = if version.deleted { "deleted" } else { "written" };
        vec![
            version.revision.to_string(),
            version.at.to_string(),
            what.to_owned(),
            version.author.clone(),
            version.message.clone(),
        ]
    };
    output::table(&["REVISION", "SEEN AT", "WHAT", "BY", "WHY"], versions.iter().map(row))
}
