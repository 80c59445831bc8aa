//! Objects that are made from services, on their way through the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_tags::table::Findings;
use tokio::time::Instant;

use super::Engine;
use super::left::Left;
use super::warm::Warming;
use crate::catalog::Made;

/// What is known of services.
#[derive(Debug, Default)]
pub(crate) struct MadeState {
    /// What there is to say about their tags.
    pub(crate) findings: Findings,
    /// Sources of which not everything is known yet.
    pub(super) waits_for: BTreeSet<Arc<str>>,
    /// How many services are held, by source.
    pub(crate) held: BTreeMap<Arc<str>, usize>,
    /// Upstreams that stand for destinations of routes: in no store either.
    pub(super) stand_ins: BTreeSet<ResourceRef>,
    /// The sources whose services become objects.
    pub(super) sources: BTreeSet<Arc<str>>,
    /// Everything was known once.
    settled: bool,
    /// What the last run made.
    pub(super) left: Left,
    /// What waits for endpoints.
    pub(super) warming: Option<Warming>,
}

impl MadeState {
    /// Nothing is known of these sources.
    pub(crate) fn waiting(sources: impl IntoIterator<Item = Arc<str>>) -> Self {
        let sources: BTreeSet<_> = sources.into_iter().collect();
        Self { waits_for: sources.clone(), sources, ..Self::default() }
    }
}

impl Engine {
    /// The same with objects that are made from services.
    #[must_use]
    pub(crate) fn with_made(mut self, mut made: MadeState) -> Self {
        if made.sources.is_empty() {
            // Services become nothing any more.
            self.ingest.forget_left();
        }
        made.count_left(&self.ingest);
        self.made = made;
        self
    }

    /// Takes in what is made of services.
    pub(crate) fn on_made(&mut self, made: Made, now: Instant) {
        let Made { puts, deletions, findings, waits_for, held } = made;
        let settled = waits_for.is_empty();
        let is_more_known = self.made.waits_for != waits_for;
        self.made.findings = findings;
        self.made.waits_for = waits_for;
        self.made.held = held.into_iter().collect();
        self.begin_grace(now);
        for key in puts.iter().map(|object| &object.key).filter(|key| self.ingest.is_made(key)) {
            self.holds.cancel(key);
        }
        if settled && self.made.settled {
            self.warm(puts, deletions, now);
            return self.take_warm(now);
        }
        let (puts, deletions) = self.put_off_halves((puts, deletions), is_more_known);
        let edits = self.ingest.make(puts, deletions);
        self.made.settled |= settled;
        self.edition += 1;
        self.transact(edits, now);
        self.drop_strays();
        self.try_open(now);
    }

    /// How much is held of what was made of a source's services.
    pub(crate) fn held_made(&self, source: &str) -> usize {
        self.made.held.get(source).copied().unwrap_or_default() + self.held_left(source)
    }

    /// The deletions that wait of objects that somebody wrote.
    pub(super) fn written_holds(&self) -> impl Iterator<Item = &ObjectKey> {
        self.holds.iter().map(|(key, _)| key).filter(|key| !self.ingest.is_made(key))
    }

    /// Objects by kind without those that were made: a source that shows fewer services is no store that shrinks.
    pub(super) fn without_made(&self, mut counts: BTreeMap<Kind, usize>) -> BTreeMap<Kind, usize> {
        for (kind, made) in self.ingest.count_made() {
            counts.entry(*kind).and_modify(|count| *count = count.saturating_sub(*made));
        }
        let stand_ins = self.made.stand_ins.len();
        counts.entry(Kind::Upstream).and_modify(|count| *count = count.saturating_sub(stand_ins));
        counts
    }
}
