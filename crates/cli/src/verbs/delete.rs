//! `biplane delete KIND NAME...` or `-f FILE`: takes objects out of the store, all of them in one step.

use biplane_core::key::ObjectKey;
use clap::Args;

use crate::changes::{self, ChangeFlags, Format};
use crate::config::GlobalFlags;
use crate::connect::{Connection, Target};
use crate::documents::Files;
use crate::exit::{Code, Failure, Outcome};
use crate::objects::{self, KindWord, Named};
use crate::output;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "A deletion through here leaves a note in the store, so that the guard against stores that \
                        shrink by accident lets it pass. An object that others still refer to stays in use for a \
                        while (the setting holdDeletions)."
)]
pub(crate) struct Arguments {
    /// The kind in any case, singular, plural or short; or KIND/NAME, KIND/NAMESPACE/NAME
    #[arg(value_name = "KIND", value_parser = KindWord, conflicts_with = "files")]
    kind: Option<String>,
    /// The objects: NAME or NAMESPACE/NAME
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The namespace; needed where several have an object of that name
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    files: Files,
    /// Go on without those that do not exist
    #[arg(long)]
    ignore_not_found: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    change: ChangeFlags,
    #[command(flatten)]
    target: Target,
}

/// Deletes.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let named = arguments.named().await?;
    let connection = arguments.target.connect(global)?;
    let mut keys = arguments.keys(&connection, &named).await?;
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        output::say("nothing to delete");
        return Ok(Code::Success);
    }
    let request = arguments.change.request(&connection, keys.iter().map(changes::deletion).collect());
    changes::carry_out(&connection, &request, arguments.output).await
}

impl Arguments {
    /// What the words or the files name.
    async fn named(&self) -> Result<Vec<Named>, Failure> {
        if self.files.files.is_empty() {
            let words: Vec<_> = self.kind.iter().chain(&self.names).cloned().collect();
            let named = objects::named(&words, self.namespace.as_deref())?;
            if named.is_empty() {
                return Err(
                    Failure::usage("what is to be deleted?").hint("name it: KIND NAME..., or -f FILE")
                );
            }
            return Ok(named);
        }
        let documents = self.files.read().await?;
        documents.iter().map(|document| document.key().map(of_key)).collect()
    }

    async fn keys(&self, connection: &Connection, named: &[Named]) -> Result<Vec<ObjectKey>, Failure> {
        let mut keys = Vec::new();
        for found in objects::find(connection, named).await? {
            match found {
                Ok(resource) => keys.push(resource.key()),
                Err(failure) if self.ignore_not_found && failure.code == Code::NotFound => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(keys)
    }
}

fn of_key(key: ObjectKey) -> Named {
    Named { kind: key.kind, namespace: Some(key.namespace), name: key.name }
}
