//! The heart of the process, without I/O: store events in, fleets' changes out.
//!
//! One event is one transaction: ingest says which objects changed, the graph says what that means for
//! each fleet, and the result is published at once. Nothing here waits, and the clock is passed in.
//!
//! Invariant: the gate opens at the first complete reading of the store, or with the last good objects
//! from disk when the store fails first (I2); until then no Envoy gets an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use biplane_core::key::ObjectKey;
use biplane_core::report::{Report, Severity};
use biplane_store::{Changes, Listing, Revision, SourceEvent, StoredObject};
use biplane_xds::{Change, Fleets};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::graph::{Edit, Graph};
use crate::hold::Holds;
use crate::ingest::{Edits, Ingest, locate};
use crate::report_count::Count;

/// Whether first answers to Envoys go out, and on what grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The store was never read, and there is nothing from the last run.
    Waiting,
    /// The store fails; the last good objects from disk are served.
    Restored,
    /// The store was read as a whole.
    Open,
}

/// How the store is doing.
#[derive(Clone, Debug, Default)]
pub struct StoreState {
    /// When it was last known to be as it is used.
    pub fresh: Option<Instant>,
    /// The revision that is used.
    pub revision: Option<Revision>,
    /// Why it cannot be read now.
    pub error: Option<String>,
}

/// Ingest, graph, holds and gate.
pub struct Engine {
    ingest: Ingest,
    graph: Graph,
    holds: Holds,
    fleets: Fleets,
    gate: Gate,
    store: StoreState,
    /// Counts changes of the good objects, for the snapshot on disk.
    edition: u64,
}

impl Engine {
    /// An engine that publishes into `fleets`, with the objects that the last run left on disk.
    pub fn new(fleets: Fleets, holds: Holds, fallback: Vec<StoredObject>) -> Self {
        Self {
            ingest: Ingest::with_fallback(fallback),
            graph: Graph::default(),
            holds,
            fleets,
            gate: Gate::Waiting,
            store: StoreState::default(),
            edition: 0,
        }
    }

    /// Takes in what the store's driver tells.
    pub fn on_event(&mut self, event: SourceEvent, now: Instant) {
        match event {
            SourceEvent::Complete(listing) => self.on_listing(listing, now),
            SourceEvent::Changes(changes) => self.on_changes(changes, now),
            SourceEvent::Failed { error, .. } => self.on_failure(error.to_string(), now),
        }
    }

    /// Carries out the deletions whose time is up.
    pub fn on_deadline(&mut self, now: Instant) {
        self.transact(Edits::default(), now);
    }

    /// When [`Self::on_deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.holds.deadline()
    }

    fn on_listing(&mut self, listing: Listing, now: Instant) {
        // A volume that is not mounted yet looks like a store that somebody has emptied. The first is
        // common and the second is not; neither may cost the fleet its configuration (I3).
        let before = self.ingest.fallback_len();
        if listing.items.is_empty() && before > 0 {
            return self
                .on_failure(format!("it is empty, but held {before} objects when Biplane ran last"), now);
        }
        self.freshen(listing.revision, now);
        let objects = listing.items.len();
        if !self.holds.is_empty() {
            listing.items.iter().for_each(|item| self.holds.cancel(&item.key));
        }
        let edits = self.ingest.listing(listing);
        self.transact(edits, now);
        if self.gate != Gate::Open {
            info!(objects, revision = self.revision().0, "store read, serving");
            self.open(Gate::Open);
        }
    }

    fn on_changes(&mut self, changes: Changes, now: Instant) {
        if self.gate == Gate::Restored && !changes.changes.is_empty() {
            self.gate = Gate::Open;
        }
        if self.gate != Gate::Restored {
            self.freshen(changes.revision, now);
        }
        for change in &changes.changes {
            self.holds.cancel(change.key());
        }
        let edits = self.ingest.changes(changes);
        self.transact(edits, now);
    }

    fn on_failure(&mut self, error: String, now: Instant) {
        warn!(error, "the store cannot be read; what it held before stays in use");
        self.store.error = Some(error);
        if self.gate != Gate::Waiting {
            return;
        }
        let edits = self.ingest.restore();
        if edits.puts.is_empty() {
            return;
        }
        info!(objects = edits.puts.len(), "serving the last good configuration from disk");
        self.transact(edits, now);
        self.open(Gate::Restored);
    }

    fn freshen(&mut self, revision: Revision, now: Instant) {
        self.store = StoreState { fresh: Some(now), revision: Some(revision), error: None };
    }

    fn open(&mut self, gate: Gate) {
        self.gate = gate;
        self.fleets.open();
    }

    /// Puts first, then the deletions of what nothing names any more; each may free others.
    fn transact(&mut self, edits: Edits, now: Instant) {
        let mut puts = edits.puts;
        let (waiting, gone): (Vec<_>, Vec<_>) =
            edits.deletions.into_iter().partition(|key| Holds::applies(key.kind));
        puts.extend(gone.into_iter().map(Edit::Delete));
        for key in waiting {
            self.holds.add(key, now);
        }
        let mut published = BTreeMap::new();
        self.apply(&puts, &mut published);
        loop {
            let free = self.holds.release(now, |key| self.graph.is_named(key));
            if free.is_empty() {
                break;
            }
            let deletions: Vec<_> = free.into_iter().map(Edit::Delete).collect();
            self.apply(&deletions, &mut published);
        }
        self.log(&published);
        for (fleet, change) in published {
            self.fleets.publish(&fleet, change);
        }
    }

    /// Says once what is new: people follow the log while they edit.
    fn log(&mut self, published: &BTreeMap<String, Change>) {
        let mut news = self.graph.take_news();
        locate(&mut news, self.ingest.good());
        for report in self.ingest.take_news().into_iter().chain(news) {
            match report.severity {
                Severity::Error => warn!(%report, "error in the configuration"),
                Severity::Warning => info!(%report, "warning about the configuration"),
            }
        }
        for (fleet, change) in published {
            let (changed, removed) = (change.upserts.len(), change.removals.len());
            info!(fleet, changed, removed, revision = self.revision().0, "configuration changed");
        }
    }

    fn apply(&mut self, edits: &[Edit], published: &mut BTreeMap<String, Change>) {
        if edits.is_empty() {
            return;
        }
        self.edition += 1;
        for edit in edits {
            if let Edit::Delete(key) = edit {
                self.ingest.forget(key);
            }
        }
        for (fleet, change) in self.graph.apply(edits) {
            merge(published.entry(fleet).or_default(), change);
        }
    }

    /// Whether, and on what grounds, first answers go out.
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// How the store is doing.
    pub const fn store(&self) -> &StoreState {
        &self.store
    }

    /// The revision of the store that is published; the smallest before the first reading.
    pub fn revision(&self) -> Revision {
        self.store.revision.unwrap_or_default()
    }

    /// The graph, to read from.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The fleets that this publishes into.
    pub const fn fleets(&self) -> &Fleets {
        &self.fleets
    }

    /// The deletions that wait.
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// All findings, those of the translation without their places, and the objects to find these in:
    /// [`Findings::located`] does that without the engine.
    pub fn findings(&self) -> Findings {
        let mut reports = self.ingest.reports();
        reports.extend(self.graph.reports());
        Findings { reports, good: self.ingest.good().clone() }
    }

    /// How many findings there are.
    pub fn count_reports(&self) -> Count {
        self.ingest.count_reports().plus(self.graph.count_reports())
    }

    /// The good objects and a number that changes with them, for the snapshot on disk.
    pub fn good(&self) -> (u64, imbl::OrdMap<ObjectKey, StoredObject>) {
        (self.edition, self.ingest.good().clone())
    }

    /// The number that changes with the good objects.
    pub const fn edition(&self) -> u64 {
        self.edition
    }
}

/// Findings, not all of them with a place yet.
pub struct Findings {
    reports: Vec<Report>,
    good: imbl::OrdMap<ObjectKey, StoredObject>,
}

impl Findings {
    /// All findings with their places, sorted, each once.
    pub fn located(mut self) -> Vec<Report> {
        locate(&mut self.reports, &self.good);
        self.reports.sort_unstable();
        self.reports.dedup();
        self.reports
    }
}

/// Objects may be secret and are many.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("gate", &self.gate)
            .field("edition", &self.edition)
            .finish_non_exhaustive()
    }
}

/// What comes later counts.
fn merge(into: &mut Change, later: Change) {
    let upserted: BTreeSet<_> = later.upserts.iter().map(|resource| &resource.name).collect();
    into.removals.retain(|name| !upserted.contains(name));
    let removed: BTreeSet<_> = later.removals.iter().collect();
    into.upserts.retain(|resource| !removed.contains(&resource.name) && !upserted.contains(&resource.name));
    into.upserts.extend(later.upserts);
    into.removals.extend(later.removals);
    into.unknown.extend(later.unknown);
}
