//! `biplane source accept NAME`: an operator's word that what a source lacks is meant to be gone.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use biplane_admin_api::resources::Accepted;
use biplane_admin_api::status::{SourceState, SourceStatus};
use clap::Args;

use crate::config::{ClientFlags, GlobalFlags};
use crate::connect;
use crate::exit::{Code, Failure, Outcome};
use crate::findings::count;
use crate::output::{self, one_line};
use crate::standing;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "It shows what will be removed and asks. A store whose mark has gone is marked anew: \
                        do that only when you know why the mark has gone."
)]
pub(crate) struct Arguments {
    /// The source, as `biplane source list` names it. None: the only one
    name: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    client: ClientFlags,
}

/// Shows, asks, accepts.
pub(super) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let client = connect::client(global, &arguments.client)?;
    let sources = standing::status(&client).await?.sources;
    let source = choose(&sources, arguments.name.as_deref())?;
    if source.held.is_empty() && source.state == SourceState::Complete {
        output::say(&format!("{} is complete: nothing is held back", source.name));
        return Ok(Code::Success);
    }
    output::say(&what_will_happen(source));
    if !arguments.yes && !asked(source)? {
        return Err(Failure::failed("nothing was changed"));
    }
    let accepted =
        client.accept(&source.name, source.held_tag.as_deref(), &connect::user().unwrap_or_default()).await;
    let accepted = accepted.map_err(Failure::from)?;
    report(&accepted)
}

fn choose<'a>(sources: &'a [SourceStatus], name: Option<&str>) -> Result<&'a SourceStatus, Failure> {
    let names = || sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, sources) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::usage("which source?").hint(format!("the sources are {}", names()))),
        (Some(name), _) => sources.iter().find(|source| source.name == name).ok_or_else(|| {
            Failure::new(Code::NotFound, format!("there is no source {name:?}"))
                .hint(format!("the sources are {}", names()))
        }),
    }
}

fn what_will_happen(source: &SourceStatus) -> String {
    let mut lines = vec![format!("source {} is {}", one_line(&source.name), source.state.as_str())];
    for reason in source.last_error.iter().chain(&source.reason) {
        lines.push(format!("  {}", one_line(reason)));
    }
    if source.state == SourceState::Unmarked {
        lines.push("it will be marked anew, and what it then lacks will be removed".to_owned());
    }
    if !source.held.is_empty() {
        lines.push(format!(
            "{} that it lacks will be removed from all Envoys:",
            count(source.held.len(), "object")
        ));
        for held in &source.held {
            let what =
                if held.what.is_empty() { String::new() } else { format!(" ({})", one_line(&held.what)) };
            lines.push(format!("  {}{what}", one_line(&held.object)));
        }
    }
    lines.join("\n")
}

/// Whether the person agrees. Where nobody can be asked, the flag must say so.
fn asked(source: &SourceStatus) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::usage("this must be confirmed, and stdin is no terminal")
            .hint(format!("look at the above, then: biplane source accept {} --yes", source.name)));
    }
    let _ = write!(stderr(), "Carry this out? [y/N] ");
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn report(accepted: &Accepted) -> Outcome {
    output::print_each(accepted.objects.iter().map(|object| {
        Ok(one_line(&format!("removed {} {}/{}", object.kind, object.namespace, object.name)))
    }))?;
    let removed = count(usize::try_from(accepted.removals).unwrap_or(usize::MAX), "object");
    output::say(&format!("{} is as it should be: {removed} removed", one_line(&accepted.source)));
    Ok(Code::Success)
}
