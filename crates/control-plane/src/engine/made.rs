//! Objects that are made from services, on their way through the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Report;
use tokio::time::Instant;
use tracing::warn;

use super::Engine;
use super::warm::Warming;
use crate::catalog::{GRACE, Made};
use crate::ingest::{Edits, MadeObject};
use crate::vanished::are_many;

/// What is known of services.
#[derive(Debug, Default)]
pub(crate) struct MadeState {
    /// What there is to say about their tags.
    pub(crate) findings: Vec<Report>,
    /// Sources of which not everything is known yet.
    pub(super) waits_for: BTreeSet<Arc<str>>,
    /// How many services are held, by source.
    pub(crate) held: BTreeMap<Arc<str>, usize>,
    /// Upstreams that stand for destinations of routes: in no store either.
    pub(super) stand_ins: BTreeSet<ResourceRef>,
    /// The sources whose services become objects.
    sources: BTreeSet<Arc<str>>,
    /// Everything was known once.
    settled: bool,
    /// Until then services may come back of which the last run made objects.
    left_until: Option<Instant>,
    /// Many of them have not: their objects stay until somebody means that they are gone.
    left_is_held: bool,
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
    pub(crate) fn with_made(mut self, made: MadeState) -> Self {
        if made.sources.is_empty() {
            // Services become nothing any more.
            self.ingest.forget_left();
        }
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
        for key in puts.iter().map(|object| &object.key).filter(|key| self.ingest.is_made(key)) {
            self.holds.cancel(key);
        }
        if settled && self.made.settled {
            self.warm(puts, deletions, now);
            return self.take_warm(now);
        }
        let edits = if settled {
            self.ingest.make(puts, deletions)
        } else {
            // Half of the services make half of a host: what the last run made stays as it is. What was made just as it
            // was then has lost nothing.
            let is_left = |key: &_| self.ingest.is_left(key);
            let is_whole = |object: &MadeObject| !is_left(&object.key) || self.ingest.is_unchanged(object);
            let puts = puts.into_iter().filter(is_whole).collect();
            let deletions = deletions.into_iter().filter(|key| !is_left(key)).collect();
            self.ingest.make(puts, deletions)
        };
        if settled && !std::mem::replace(&mut self.made.settled, true) {
            self.made.left_until = Some(now + GRACE);
        }
        self.edition += 1;
        self.transact(edits, now);
        self.drop_strays();
        self.try_open(now);
    }

    /// What the last run made and this one has not is gone by now, unless it is much: a catalog that was restarted empty
    /// shows no services either.
    pub(super) fn judge_left(&mut self, now: Instant) {
        if self.made.left_until.is_none_or(|until| now < until) {
            return;
        }
        self.made.left_until = None;
        let (left, had) = self.ingest.count_left();
        self.made.left_is_held = are_many(left, had);
        if self.made.left_is_held {
            let hint = "if they are meant to be gone: biplane source accept, with the name of their source";
            warn!(
                objects = left,
                had, hint, "many services are gone since the last run: their objects stay in use"
            );
            return;
        }
        self.drop_left(now);
    }

    fn drop_left(&mut self, now: Instant) {
        self.made.left_is_held = false;
        let edits = Edits { deletions: self.ingest.drop_left(), ..Edits::default() };
        self.edition += 1;
        self.transact(edits, now);
    }

    /// When [`Self::judge_left`] has something to do.
    pub(super) fn left_deadline(&self) -> Option<Instant> {
        self.made.left_until
    }

    /// How much is held of what was made of a source's services.
    pub(crate) fn held_made(&self, source: &str) -> usize {
        let left = if self.holds_left(source) { self.ingest.count_left().0 } else { 0 };
        self.made.held.get(source).copied().unwrap_or_default() + left
    }

    fn holds_left(&self, source: &str) -> bool {
        // Whose services they were, the objects do not say.
        self.made.left_is_held && self.made.sources.contains(source)
    }

    /// Somebody means that the services of this source are gone; gives how many objects were left of them.
    pub(super) fn accept_left(&mut self, source: &str, now: Instant) -> usize {
        if !self.holds_left(source) {
            return 0;
        }
        let (left, _) = self.ingest.count_left();
        self.drop_left(now);
        left
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
