//! `biplane diff -f FILE|DIR|-`: what `apply` with the same documents would change. Exit code 1: something.

use biplane_admin_api::resources::{Action, ApplyRequest, ApplyResult, ChangeResult};
use clap::Args;

use crate::changes::{self, ChangeFlags};
use crate::config::GlobalFlags;
use crate::connect::Target;
use crate::documents::{Document, Files};
use crate::exit::{Code, Outcome};
use crate::output;
use crate::verbs::apply::{self, PruneFlags};

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: nothing would change; 1: something would; others: it could not be told. \
                        Values of secrets are not shown, only that they differ."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    prune: PruneFlags,
    #[command(flatten)]
    target: Target,
}

/// Asks for a dry run and prints what it says.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let prune = arguments.prune.prune()?;
    let documents = apply::read(&arguments.files).await?;
    let connection = arguments.target.connect(global)?;
    // Forced, since what is wrong is no reason not to show it.
    let flags = ChangeFlags { dry_run: true, force: true, ..ChangeFlags::default() };
    let request = flags.request(&connection, documents.into_iter().map(Document::put).collect());
    let request = ApplyRequest { prune, ..request };
    let result = connection.resources.apply(&request).await;
    let result = result.map_err(|problem| changes::refused(&connection, problem))?;
    print(&result)?;
    changes::say_findings(&result.findings);
    let differs = result.changes.iter().any(|change| change.action != Action::Unchanged);
    Ok(if differs { Code::Findings } else { Code::Success })
}

fn print(result: &ApplyResult) -> Result<(), crate::exit::Failure> {
    let colours = output::coloured(&std::io::stdout());
    let differing = result.changes.iter().filter(|change| change.action != Action::Unchanged);
    output::print_each(differing.map(|change| Ok(text(change, colours))))
}

fn text(change: &ChangeResult, colours: bool) -> String {
    if change.diff.is_empty() {
        let key = &change.key;
        return format!("{} {}/{} differs in what is not shown", key.kind, key.namespace, key.name);
    }
    if !colours {
        return change.diff.clone();
    }
    change.diff.lines().map(coloured).collect::<Vec<_>>().join("\n")
}

fn coloured(line: &str) -> String {
    let code = match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => "1",
        Some(b'+') => "32",
        Some(b'-') => "31",
        Some(b'@') => "36",
        _ => return line.to_owned(),
    };
    format!("\x1b[{code}m{line}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_diff_have_their_colours() {
        assert_eq!(coloured("+a"), "\x1b[32m+a\x1b[0m");
        assert_eq!(coloured("+++ b"), "\x1b[1m+++ b\x1b[0m");
        assert_eq!(coloured(" same"), " same");
    }
}
