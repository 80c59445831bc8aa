//! The task that asks sources of endpoints: it watches exactly what is wanted and passes on what it hears.

use std::sync::Arc;

use biplane_source::{EndpointSource, Listing, SourceError};
use futures::StreamExt as _;
use imbl::ordmap::DiffItem;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Question, Told, WantedEndpoints};
use crate::watches::Watches;

/// Watches sources.
pub(crate) struct Keeper {
    pub(crate) sources: Vec<Arc<dyn EndpointSource>>,
    pub(crate) wanted: watch::Receiver<WantedEndpoints>,
    pub(crate) told: mpsc::Sender<Vec<Told>>,
}

impl Keeper {
    /// Watches until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (mut watches, mut before) = (Watches::default(), WantedEndpoints::default());
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
    fn turn(&self, watches: &mut Watches<Question, Told>, before: &WantedEndpoints, after: &WantedEndpoints) {
        for change in before.diff(after) {
            match change {
                DiffItem::Remove(question, _) => watches.end(question),
                DiffItem::Add(question, _) | DiffItem::Update { new: (question, _), .. } => {
                    self.begin(watches, question);
                }
            }
        }
    }

    fn begin(&self, watches: &mut Watches<Question, Told>, question: &Question) {
        let listings = match self.sources.iter().find(|source| source.name() == *question.source) {
            Some(source) => source.watch(&question.request),
            // Questions are made from the list of sources; should they ever differ, that is told and not waited out.
            None => futures::stream::iter([Listing::Failed(SourceError::invalid("there is no such source"))])
                .boxed(),
        };
        let asked = question.clone();
        let told = listings.map(move |listing| Told { question: asked.clone(), listing });
        watches.begin(question.clone(), told.boxed());
    }
}
