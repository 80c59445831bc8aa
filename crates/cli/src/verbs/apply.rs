//! `biplane apply -f FILE|DIR|-`: makes the store hold what documents say, all of it in one step or nothing.

use biplane_admin_api::resources::Prune;
use clap::Args;

use crate::changes::{self, ChangeFlags, Format};
use crate::config::GlobalFlags;
use crate::connect::Target;
use crate::documents::{Document, Files};
use crate::exit::{Failure, Outcome};
use crate::verbs::get;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything becomes visible at one revision. What would make the configuration worse than it is now (an error that it \
does not have yet) is refused with every finding, and nothing is written.

With --prune, objects that are not mentioned are deleted: those of the kinds and in the namespaces that are, and with \
-l only those with these labels. Look at it first with --dry-run, or with `biplane diff --prune`.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    prune: PruneFlags,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    change: ChangeFlags,
    #[command(flatten)]
    target: Target,
}

/// Flags about what is not mentioned.
#[derive(Clone, Debug, Args)]
pub(crate) struct PruneFlags {
    /// Also delete what is not mentioned, of the same kinds and in the same namespaces
    #[arg(long)]
    prune: bool,
    /// Of these, delete only those with these labels: app=web,tier!=test,canary,!old
    #[arg(short = 'l', long, value_name = "LABELS", requires = "prune")]
    selector: Option<String>,
}

impl PruneFlags {
    /// What may be deleted.
    pub(crate) fn prune(&self) -> Result<Option<Prune>, Failure> {
        let selector = self.selector.as_deref().map(get::parse).transpose()?;
        Ok(self.prune.then(|| Prune { selector, ..Prune::default() }))
    }
}

/// Reads, sends, prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let prune = arguments.prune.prune()?;
    let documents = read(&arguments.files).await?;
    let connection = arguments.target.connect(global)?;
    let mut request =
        arguments.change.request(&connection, documents.into_iter().map(Document::put).collect());
    request.prune = prune;
    changes::carry_out(&connection, &request, arguments.output).await
}

/// The documents that `-f` names, which must be given.
pub(crate) async fn read(files: &Files) -> Result<Vec<Document>, Failure> {
    if files.files.is_empty() {
        return Err(Failure::usage("what is to be applied? Name it with -f")
            .hint("-f FILE, -f DIR with everything below it, or -f - for stdin"));
    }
    files.read().await
}
