//! `biplane import gloo --from URL|DIR --to URL|DIR`: Gloo's objects in a store of Biplane's, in one apply.
//!
//! ```text
//!  --from ─ list ─▶ take ──▶ texts ─▶ editor: dry run ─▶ nothing differs, or --force ─▶ editor: apply
//!                    └──▶ what is left out, and why ──────────────▶ report ◀──────────────┘
//! ```
//!
//! Invariant: the source is only read, and an object of the target that says something else is not overwritten
//! unless that was asked for.

mod report;
mod take;
mod target;
mod text;

use std::collections::BTreeMap;

use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Operation, Problem, Resources,
};
use clap::{Args, ValueEnum};

use crate::backends;
use crate::connect;
use crate::exit::{Code, Failure, Outcome};
use crate::output;
use report::Report;
use take::Take;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What Gloo reads: consul://HOST:PORT/ROOT (its root key, gloo by default), or a directory
    #[arg(long, value_name = "URL|DIR")]
    from: String,
    /// The store to write to, which `biplane init` has made, or a directory. Without it nothing but --dry-run is
    /// possible, and an empty store is assumed
    #[arg(long, value_name = "URL|DIR", required_unless_present = "dry_run")]
    to: Option<String>,
    /// Write nothing, and report what would be written and what left out
    #[arg(long)]
    dry_run: bool,
    /// Overwrite objects of the target that say something else
    #[arg(long)]
    force: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

const HELP: &str = "\
Each object is written as its text is, comments and all, but for two things: the status that Gloo has written into it goes, \
and `kind` is put in front where only the place of the object told it. It is all written in one step or not at all. What was \
imported before is left as it is.

The exit code is 0 when everything was taken over (with --dry-run: would be), and 1 when something was not: a field or a kind that \
Biplane has not, an object that cannot be read, a key that is no object, an object of the target that says something else. \
Everything else is taken over all the same; only where the target differs is nothing written without --force.";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A line a finding and a line an object
    #[default]
    #[value(alias = "table")]
    Text,
    /// The whole report as one object, for machines
    Json,
}

/// Reads, converts, writes, and tells what became of it.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let source = take::Source::of(&arguments.from)?;
    let store = backends::open(&source.url)?;
    let listing = store.list().await.map_err(|error| Failure::of(&error.into()))?;
    let name = store.describe().name;
    let take = take::take(&listing, &source);
    let target = target::open(arguments.to.as_deref(), arguments.dry_run)?;
    let report = carry_over(take, &name, &target, arguments).await?;
    output::print(&match arguments.output {
        Format::Text => report.text(),
        Format::Json => output::json(&report)?,
    })?;
    output::say(&report.summary());
    Ok(if report.is_whole() { Code::Success } else { Code::Findings })
}

/// Writes what was taken, if nothing stands against it.
async fn carry_over(
    take: Take,
    source: &str,
    target: &target::Target,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    if take.objects.is_empty() {
        let nothing = ApplyResult { dry_run: true, ..ApplyResult::default() };
        return Ok(Report::new(source, target.name.as_deref(), take, &nothing, arguments.force));
    }
    let message = format!("imported from Gloo at {source}");
    let resources = &target.resources;
    let plan = resources.apply(&request(&take, None, &message)).await.map_err(failure)?;
    let refused = !arguments.force && plan.changes.iter().any(|change| change.action == Action::Changed);
    let written = if arguments.dry_run || refused {
        plan
    } else {
        let request = request(&take, Some(&plan.changes), &message);
        resources.apply(&request).await.map_err(failure)?
    };
    Ok(Report::new(source, target.name.as_deref(), take, &written, arguments.force))
}

/// The request to write everything: first to see what would come of it, then under the condition that the
/// target is still what was seen. Errors that the configuration has in Gloo as well are no reason to stop.
fn request(take: &Take, seen: Option<&[ChangeResult]>, message: &str) -> ApplyRequest {
    let seen_as = |change: &ChangeResult| change.before.map_or(Expect::Absent, Expect::Revision);
    let seen_all: BTreeMap<_, _> =
        seen.into_iter().flatten().map(|change| (&change.key, seen_as(change))).collect();
    let change = |object: &take::Taken| {
        let name = (&object.key).into();
        Change {
            expect: seen_all.get(&name).copied().unwrap_or_default(),
            operation: Operation::Put {
                text: object.text.value.clone(),
                origin: object.origin(),
                line: 1,
                key: Some(name),
            },
        }
    };
    ApplyRequest {
        changes: take.objects.iter().map(change).collect(),
        dry_run: seen.is_none(),
        force: true,
        author: connect::author(),
        message: message.to_owned(),
        ..ApplyRequest::default()
    }
}

fn failure(problem: Problem) -> Failure {
    let failure = Failure::from(problem);
    Failure { message: format!("nothing was imported: {}", failure.message), ..failure }
}
