//! `biplane init`: marks a new store as one of Biplane's.
//!
//! The mark is what tells an empty store from one that was wiped or may not be read, so nothing is served
//! from a remote store without it.

use clap::Args;

use crate::config::GlobalFlags;
use crate::connect::{Connection, End, Target};
use crate::exit::{Code, Outcome};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "A store that is marked already stays as it is, so this may be run again. \
                        Without --store, the running control plane marks its own store.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
}

/// Marks the store and prints its identity.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let connection = arguments.target.connect(global)?;
    let identity = connection.resources.init().await.map_err(|problem| connection.failure(problem))?;
    output::print(&identity)?;
    output::say(&format!("{} is a store of Biplane's; its identity is above", place(&connection)));
    Ok(Code::Success)
}

fn place(connection: &Connection) -> String {
    match &connection.end {
        End::ControlPlane(client) => format!("what {} reads", client.address()),
        End::Store(store) => store.describe().name,
    }
}
