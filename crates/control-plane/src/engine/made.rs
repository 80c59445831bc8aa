//! Objects that are made from services, on their way through the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::Kind;
use biplane_core::report::Report;
use tokio::time::Instant;

use super::Engine;
use crate::catalog::Made;

/// What is known of services.
#[derive(Debug, Default)]
pub(crate) struct MadeState {
    /// What there is to say about their tags.
    pub(crate) findings: Vec<Report>,
    /// Sources of which not everything is known yet.
    pub(super) waits_for: BTreeSet<Arc<str>>,
    /// How many services are held, by source.
    pub(crate) held: BTreeMap<Arc<str>, usize>,
    /// Everything was known once: what the last run made and this one has not is gone.
    settled: bool,
}

impl MadeState {
    /// Nothing is known of these sources.
    pub(crate) fn waiting(sources: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { waits_for: sources.into_iter().collect(), ..Self::default() }
    }
}

impl Engine {
    /// The same with objects that are made from services.
    #[must_use]
    pub(crate) fn with_made(mut self, made: MadeState) -> Self {
        self.made = made;
        self
    }

    /// Takes in what is made of services.
    pub(crate) fn on_made(&mut self, made: Made, now: Instant) {
        let Made { puts, deletions, findings, waits_for, held } = made;
        let settled = waits_for.is_empty();
        self.made.findings = findings;
        self.made.waits_for = waits_for;
        self.made.held = held.into_iter().collect();
        let mut edits = if settled {
            self.ingest.make(puts, deletions)
        } else {
            // Half of the services make half of a host: what the last run made stays as it is.
            let known = |key: &_| self.ingest.is_left(key);
            let puts = puts.into_iter().filter(|object| !known(&object.key)).collect();
            self.ingest.make(puts, Vec::new())
        };
        if settled && !std::mem::replace(&mut self.made.settled, true) {
            edits.deletions.extend(self.ingest.drop_left());
        }
        self.edition += 1;
        self.transact(edits, now);
        self.drop_stray_secrets();
        self.try_open(now);
    }

    /// What is known of services.
    pub(crate) const fn made(&self) -> &MadeState {
        &self.made
    }

    /// Objects by kind without those that were made: a source that shows fewer services is no store that shrinks.
    pub(super) fn without_made(&self, mut counts: BTreeMap<Kind, usize>) -> BTreeMap<Kind, usize> {
        for (kind, made) in self.ingest.count_made() {
            counts.entry(*kind).and_modify(|count| *count = count.saturating_sub(*made));
        }
        counts
    }
}
