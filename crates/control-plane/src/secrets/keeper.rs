//! The task that asks sources: it watches exactly what is wanted and passes on what it hears, in batches, so that
//! many secrets that come at once are one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use biplane_core::key::ResourceRef;
use biplane_source::{Listing, SecretOptions, SecretSource, SourceError};
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt as _, StreamExt as _};
use imbl::ordmap::DiffItem;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Told, Wanted, WantedSecrets};

/// Listings of one batch: beyond that the loop that takes them gets its turn.
const BATCH: usize = 1024;

/// Watches sources.
pub(crate) struct Keeper {
    pub(crate) sources: Vec<Arc<dyn SecretSource>>,
    pub(crate) wanted: watch::Receiver<WantedSecrets>,
    pub(crate) told: mpsc::Sender<Vec<Told>>,
}

/// What is watched, and how to end it.
#[derive(Default)]
struct Watches {
    streams: SelectAll<BoxStream<'static, Told>>,
    /// A watch ends when its sender goes.
    ends: HashMap<ResourceRef, oneshot::Sender<()>>,
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
                Some(first) = watches.streams.next(), if !watches.streams.is_empty() => {
                    let batch = watches.batch(first);
                    if self.told.send(batch).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Begins and ends watches: costs what has changed.
    fn turn(&self, watches: &mut Watches, before: &WantedSecrets, after: &WantedSecrets) {
        for change in before.diff(after) {
            match change {
                DiffItem::Remove(name, _) => drop(watches.ends.remove(name)),
                DiffItem::Add(name, wanted) | DiffItem::Update { new: (name, wanted), .. } => {
                    watches.begin(name, wanted.0.clone(), self.source(&wanted.0));
                }
            }
        }
    }

    fn source(&self, wanted: &Wanted) -> Option<&Arc<dyn SecretSource>> {
        self.sources.iter().find(|source| source.name() == *wanted.place.source)
    }
}

impl Watches {
    fn begin(&mut self, name: &ResourceRef, wanted: Arc<Wanted>, source: Option<&Arc<dyn SecretSource>>) {
        let (end, ended) = oneshot::channel::<()>();
        let options =
            SecretOptions { refresh: wanted.place.refresh, known: wanted.known.as_deref().cloned() };
        let listings = match source {
            Some(source) => source.watch(&wanted.place.request, options),
            // Places are made from the list of sources; should they ever differ, that is told and not waited out.
            None => futures::stream::iter([Listing::Failed(SourceError::invalid("there is no such source"))])
                .boxed(),
        };
        let teller = name.clone();
        let told = listings.map(move |listing| Told { name: teller.clone(), asked: wanted.clone(), listing });
        self.streams.push(told.take_until(ended.map(drop)).boxed());
        self.ends.insert(name.clone(), end);
    }

    /// What else can be told at once.
    fn batch(&mut self, first: Told) -> Vec<Told> {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match self.streams.next().now_or_never() {
                Some(Some(next)) => batch.push(next),
                _ => break,
            }
        }
        batch
    }
}
