//! `biplane source refresh NAME`: whoever has just written a secret need not wait until it is read.

use biplane_admin_api::status::SourceStatus;
use clap::Args;

use crate::config::{ClientFlags, GlobalFlags};
use crate::connect;
use crate::exit::{Code, Failure, Outcome};
use crate::output::{self, one_line};
use crate::standing;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
A store is followed as it changes and needs no such word. Secrets are read again by themselves every now and then (the \
source's parameter `refresh`).")]
pub(crate) struct Arguments {
    /// The source of secrets, as `biplane source list` names it. None: all of them
    name: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

/// Asks.
pub(super) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let client = connect::client(global, &arguments.client)?;
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => secrets(&standing::status(&client).await?.sources)?,
    };
    for name in &names {
        client.refresh(name).await.map_err(Failure::from)?;
        output::say(&format!("{} reads its secrets again", one_line(name)));
    }
    Ok(Code::Success)
}

fn secrets(sources: &[SourceStatus]) -> Result<Vec<String>, Failure> {
    let secrets = sources.iter().filter(|source| source.kind == "secrets");
    let names: Vec<_> = secrets.map(|source| source.name.clone()).collect();
    if names.is_empty() {
        return Err(Failure::new(Code::NotFound, "there is no source of secrets")
            .hint("the setting `secrets` lists them"));
    }
    Ok(names)
}
