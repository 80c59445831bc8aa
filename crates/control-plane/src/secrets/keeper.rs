//! The task that asks sources: it watches exactly what is wanted and passes on what it hears.

use std::sync::Arc;

use biplane_core::key::ResourceRef;
use biplane_source::{Listing, SecretOptions, SecretSource, SourceError};
use futures::StreamExt as _;
use imbl::ordmap::DiffItem;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Told, Wanted, WantedSecrets};
use crate::watches::Watches;

/// Watches sources.
pub(crate) struct Keeper {
    pub(crate) sources: Vec<Arc<dyn SecretSource>>,
    pub(crate) wanted: watch::Receiver<WantedSecrets>,
    pub(crate) told: mpsc::Sender<Vec<Told>>,
}

impl Keeper {
    /// Watches until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (mut watches, mut before) = (Watches::default(), WantedSecrets::default());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let after = self.wanted.borrow_and_update().clone();
                    self.turn(&mut watches, &before, &after);
                    before = after;
                }
                Some(batch) = watches.next(), if !watches.is_empty() => {
                    if self.told.send(batch).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Begins and ends watches: costs what has changed.
    fn turn(&self, watches: &mut Watches<ResourceRef, Told>, before: &WantedSecrets, after: &WantedSecrets) {
        for change in before.diff(after) {
            match change {
                DiffItem::Remove(name, _) => watches.end(name),
                DiffItem::Add(name, wanted) | DiffItem::Update { new: (name, wanted), .. } => {
                    self.begin(watches, name, wanted.0.clone());
                }
            }
        }
    }

    fn begin(&self, watches: &mut Watches<ResourceRef, Told>, name: &ResourceRef, wanted: Arc<Wanted>) {
        let options =
            SecretOptions { refresh: wanted.place.refresh, known: wanted.known.as_deref().cloned() };
        let source = self.sources.iter().find(|source| source.name() == *wanted.place.source);
        let listings = match source {
            Some(source) => source.watch(&wanted.place.request, options),
            // Places are made from the list of sources; should they ever differ, that is told and not waited out.
            None => futures::stream::iter([Listing::Failed(SourceError::invalid("there is no such source"))])
                .boxed(),
        };
        let teller = name.clone();
        let told = listings.map(move |listing| Told { name: teller.clone(), asked: wanted.clone(), listing });
        watches.begin(name.clone(), told.boxed());
    }
}
