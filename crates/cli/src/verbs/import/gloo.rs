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
    Action, ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Operation,
};
use clap::{Args, ValueEnum};

use crate::backends;
use crate::connect::Connection;
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
    let Connection { resources, .. } = &target.connection;
    let failure = |problem| {
        let failure = target.connection.failure(problem);
        Failure { message: format!("nothing was imported: {}", failure.message), ..failure }
    };
    let message = format!("imported from Gloo at {source}");
    let trial = trial(&take, target.connection.author(), message);
    let plan = resources.apply(&trial).await.map_err(failure)?;
    let refused = !arguments.force && plan.changes.iter().any(|change| change.action == Action::Changed);
    let written = if arguments.dry_run || refused {
        plan
    } else {
        resources.apply(&as_seen(trial, &plan)).await.map_err(failure)?
    };
    Ok(Report::new(source, target.name.as_deref(), take, &written, arguments.force))
}

/// The request to see what would come of writing everything. Errors that the configuration has in Gloo as well
/// are no reason to stop.
fn trial(take: &Take, author: String, message: String) -> ApplyRequest {
    let change = |object: &take::Taken| Change {
        operation: Operation::Put {
            text: object.text.value.clone(),
            origin: object.origin(),
            line: 1,
            key: Some((&object.key).into()),
        },
        expect: Expect::Anything,
    };
    let changes = take.objects.iter().map(change).collect();
    ApplyRequest { changes, dry_run: true, force: true, author, message, ..ApplyRequest::default() }
}

/// The request to write what was tried, if the target still is what was seen.
fn as_seen(mut trial: ApplyRequest, plan: &ApplyResult) -> ApplyRequest {
    let seen = |change: &ChangeResult| change.before.map_or(Expect::Absent, Expect::Revision);
    let seen: BTreeMap<_, _> = plan.changes.iter().map(|change| (&change.key, seen(change))).collect();
    for change in &mut trial.changes {
        if let Operation::Put { key: Some(key), .. } = &change.operation {
            change.expect = seen.get(key).copied().unwrap_or_default();
        }
    }
    ApplyRequest { dry_run: false, ..trial }
}
