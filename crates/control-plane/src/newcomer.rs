//! A replica that remembers nothing asks what was served before it came, and only then believes its first
//! reading: a store that has been wiped looks like one that was never fuller.
//!
//! ```text
//! first reading ─▶ status/_summary ─▶ nothing held, nothing lost ─▶ believed
//!       ▲                                    │ otherwise
//!       └──── asked again every few seconds ◀┘ until the leader's status, an intent or an operator says so
//! ```
//!
//! Invariant: no Envoy is answered from a reading that is not believed, and none of it is kept. A store that
//! has no summary, or does not give it, is believed: somebody has to be the first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::status::StatusSummary;
use biplane_core::key::Kind;
use biplane_store::records::STATUS;
use biplane_store::{DriverHandle, Listing, Records, Revision, SourceEvent, StoreError};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::guard::Rules;
use crate::intents;
use crate::leader::SUMMARY;
use crate::shared::SharedEngine;

/// How long the store may take for the summary.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often it is asked, and the pause between.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// How often a store that is not believed is read again.
pub(crate) const AGAIN: Duration = Duration::from_secs(3);

/// Looks at first readings.
#[derive(Debug)]
pub(crate) struct Newcomer {
    /// Where the leader tells what it serves.
    pub(crate) records: Arc<dyn Records>,
    /// What has the store read again.
    pub(crate) driver: DriverHandle,
    /// What may be gone without a word.
    pub(crate) rules: Rules,
}

impl Newcomer {
    /// Gives the event, if it is to be believed. One that is not is told to the engine as such.
    pub(crate) async fn vet(&self, engine: &SharedEngine, event: SourceEvent) -> Option<SourceEvent> {
        let (is_new, is_doubting) = {
            let engine = engine.lock();
            (engine.is_new(), engine.doubt().is_some())
        };
        match event {
            SourceEvent::Complete(listing) if is_new => match self.doubt(&listing).await {
                Some(reason) => {
                    engine.lock().disbelieve(reason, &listing);
                    None
                }
                None => Some(SourceEvent::Complete(listing)),
            },
            SourceEvent::Changes(_) if is_doubting => None,
            event => Some(event),
        }
    }

    /// What speaks against the reading.
    async fn doubt(&self, listing: &Listing) -> Option<String> {
        let summary = self.summary().await?;
        let told = format!("by what {} wrote into {STATUS}", summary.by);
        if summary.held > 0 {
            return Some(format!("{} of its objects are held back elsewhere, {told}", summary.held));
        }
        let had = summary.objects.iter();
        let had: BTreeMap<Kind, usize> = had
            .filter_map(|(kind, count)| Some((kind.parse().ok()?, usize::try_from(*count).ok()?)))
            .collect();
        let mut has = shown(listing);
        self.rules.compare(&had, &has)?;
        for kind in self.meant_since(Revision(summary.revision)).await {
            *has.entry(kind).or_default() += 1;
        }
        self.rules.compare(&had, &has).map(|reason| format!("{reason}, {told}"))
    }

    async fn summary(&self) -> Option<StatusSummary> {
        let mut attempt = 1;
        let error = loop {
            let late = |_| Err(StoreError::unavailable(format!("no answer within {DEADLINE:?}")));
            let error = match timeout(DEADLINE, self.records.read(SUMMARY)).await.unwrap_or_else(late) {
                Ok(record) => return serde_json::from_slice(&record?.value).ok(),
                Err(error) => error,
            };
            if attempt == ATTEMPTS || matches!(error, StoreError::Denied { .. }) {
                break error;
            }
            attempt += 1;
            sleep(PAUSE).await;
        };
        warn!(%error, hint = error.hint(), "it is not known what was served before; the store is believed");
        None
    }

    /// The kinds of the objects whose deletion somebody has meant since.
    async fn meant_since(&self, summary: Revision) -> Vec<Kind> {
        let intents = intents::read(&*self.records).await.unwrap_or_default();
        let later = intents.iter().filter(|(revision, _)| *revision > summary);
        let deletes = later.flat_map(|(_, intent)| &intent.deletes);
        deletes.filter_map(|key| key.split('/').next()?.parse().ok()).collect()
    }
}

/// Objects by kind, those included that a fault hides.
fn shown(listing: &Listing) -> BTreeMap<Kind, usize> {
    let hidden = listing.faults.iter().filter(|fault| fault.hides_its_object());
    let keys =
        listing.items.iter().map(|item| &item.key).chain(hidden.filter_map(|fault| fault.key.as_ref()));
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key.kind).or_default() += 1);
    counts
}
