//! `biplane rollback KIND NAME --to REVISION`: makes an earlier version of an object the present one.

use clap::Args;

use crate::changes::{self, Format};
use crate::config::GlobalFlags;
use crate::connect::Target;
use crate::exit::{Code, Failure, Outcome};
use crate::objects::OneObject;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "`biplane history KIND NAME` lists the revisions. Secrets can be rolled back too: \
                        their values never leave the store. If the object was deleted meanwhile, it comes back.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    object: OneObject,
    /// The revision at which the version was written
    #[arg(long, value_name = "REVISION")]
    to: u64,
    /// Change nothing; say what would be done and what is wrong with it
    #[arg(long)]
    dry_run: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    target: Target,
}

/// Rolls back.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let connection = arguments.target.connect(global)?;
    let object = arguments.object.perhaps_gone(&connection).await?;
    let author = connection.author();
    let result = connection.resources.rollback(&object.key, arguments.to, &author, arguments.dry_run).await;
    match result {
        Ok(result) => changes::report(&result, arguments.output),
        Err(problem) => Err(advised(object.failure(changes::refused(&connection, problem)))),
    }
}

/// There is no forcing a rollback: a version that no longer fits must be mended first.
fn advised(failure: Failure) -> Failure {
    if failure.code != Code::Findings {
        return failure;
    }
    failure.hint("`biplane history KIND NAME --show REVISION` prints that version: correct it, then apply it")
}
