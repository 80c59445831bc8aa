//! The heart of the process, without I/O: store events in, fleets' changes out.
//!
//! One event is one transaction: the guard says what of it is believed, ingest which objects changed, the
//! graph what that means for each fleet, and the result is published at once. Nothing here waits, and the
//! clock is passed in.
//!
//! Invariant: the gate opens at the first complete reading of the store, or with the last good objects
//! from disk when the store fails first (I2); until then no Envoy gets an answer.

mod endpoints;
mod findings;
mod left;
mod made;
mod opening;
mod source;
#[cfg(test)]
mod tests;
mod warm;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Severity;
use biplane_core::scalars::Timestamp;
use biplane_store::{
    Change as StoreChange, Changes, Intent, Listing, Revision, SourceEvent, StoreError, StoredObject,
};
use biplane_xds::{Change, Fleets};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::catalog;
use crate::discovery::Discovery;
use crate::graph::{Edit, Graph};
use crate::guard::{Guard, Memory, Released, Rules, Stock};
use crate::hold::Holds;
use crate::ingest::{Edits, Ingest, locate};
use crate::report_count::Count;
use crate::secrets::{Secrets, Told};
use crate::status::timestamp;
pub use findings::Findings;
pub(crate) use made::MadeState;
pub use source::{Doubt, Failure, StoreState};

/// Whether first answers to Envoys go out, and on what grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The store was never read, and there is nothing from the last run.
    Waiting,
    /// What is served is what the last run left on disk: the store fails, or shows nothing at all.
    Restored,
    /// The store was read as a whole.
    Open,
}

/// Guard, ingest, graph, holds and gate.
pub struct Engine {
    guard: Guard,
    ingest: Ingest,
    graph: Graph,
    holds: Holds,
    fleets: Fleets,
    gate: Gate,
    store: StoreState,
    /// The store is not believed yet.
    doubt: Option<Doubt>,
    /// An operator has said that it is to be believed.
    believes: bool,
    /// Counts changes of what the snapshot on disk keeps.
    edition: u64,
    secrets: Secrets,
    discovery: Discovery,
    made: MadeState,
    /// First answers wait for secrets, at most until then.
    opening: Option<Instant>,
}

impl Engine {
    /// An engine that publishes into `fleets`, with the objects that the last run left on disk and a guard
    /// that knows nothing but the rules of default.
    pub fn new(fleets: Fleets, holds: Holds, fallback: Vec<StoredObject>) -> Self {
        Self::guarded(fleets, holds, Guard::new("", Rules::default(), Memory::default()), fallback)
    }

    /// The same behind a guard.
    pub fn guarded(fleets: Fleets, holds: Holds, guard: Guard, fallback: Vec<StoredObject>) -> Self {
        Self {
            guard,
            ingest: Ingest::with_fallback(fallback),
            graph: Graph::default(),
            holds,
            fleets,
            gate: Gate::Waiting,
            store: StoreState::default(),
            doubt: None,
            believes: false,
            edition: 0,
            secrets: Secrets::default(),
            discovery: Discovery::default(),
            made: MadeState::default(),
            opening: None,
        }
    }

    /// The same with secrets that are kept elsewhere.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same with endpoints that are looked up.
    #[must_use]
    pub fn with_discovery(mut self, discovery: Discovery) -> Self {
        self.discovery = discovery;
        self
    }

    /// The same, knowing when the last run knew what its store held.
    #[must_use]
    pub const fn read_last(mut self, at: Option<Timestamp>) -> Self {
        self.store.fresh_in_last_run = at;
        self
    }

    /// Takes in what the store's driver tells.
    pub fn on_event(&mut self, event: SourceEvent, now: Instant) {
        let held = self.guard.held().len();
        match event {
            SourceEvent::Complete(listing) => self.on_listing(listing, now),
            SourceEvent::Changes(changes) => self.on_changes(changes, now),
            SourceEvent::Failed { error, since } => self.on_failure(Failure { error, since }, now),
        }
        self.tell_held(held);
    }

    /// Whether there is nothing that the first reading could be compared with.
    pub fn is_new(&self) -> bool {
        self.gate == Gate::Waiting && !self.believes && self.guard.is_new()
    }

    /// The first reading is not to be believed: none of it is used.
    pub fn disbelieve(&mut self, reason: String, listing: &Listing) {
        self.store.doubted(listing);
        if self.doubt.is_none() {
            warn!(reason, hint = self.guard.hint(), "the store looks wrong: no Envoy is answered from it");
        }
        let since = self.doubt.as_ref().map_or_else(Instant::now, |doubt| doubt.since);
        self.doubt = Some(Doubt { reason, since });
    }

    /// Why the first reading is not believed.
    pub const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// Does what time has made due: deletions, the next steps of rotations, an opening that waited long enough.
    pub fn on_deadline(&mut self, now: Instant) {
        self.transact(Edits::default(), now);
        self.secrets.sound_alarms(timestamp(SystemTime::now()));
        self.on_confirmation(now);
        let vanished = self.discovery.on_time(now);
        self.publish_endpoints(vanished, now);
        self.judge_left(now);
        self.take_warm(now);
        self.try_open(now);
    }

    /// Envoys have confirmed secrets: certificates may follow their roots.
    pub(crate) fn on_confirmation(&mut self, now: Instant) {
        let fleets = self.fleets.clone();
        let wall = SystemTime::now();
        let edits = self.secrets.on_time(now, wall, |names| fleets.secrets_confirmed(names));
        if !edits.is_empty() {
            self.edition += 1;
            self.publish(|engine, published| engine.change(edits, published, now));
        }
    }

    /// Takes in what sources of secrets tell.
    pub(crate) fn on_secrets(&mut self, told: Vec<Told>, now: Instant) {
        let wall = SystemTime::now();
        let edits: Vec<_> = told.into_iter().filter_map(|told| self.secrets.told(told, now, wall)).collect();
        // Also what changes nothing for Envoys, such as when a secret is to be renewed, is worth keeping.
        self.edition += 1;
        self.publish(|engine, published| engine.change(edits, published, now));
        self.try_open(now);
    }

    /// The store takes its time with the first answer: what the last run left is served meanwhile.
    pub fn on_silence(&mut self, now: Instant) {
        if self.gate == Gate::Waiting && self.ingest.fallback().next().is_some() {
            let error = StoreError::unavailable("it has not answered yet");
            self.on_failure(Failure { error, since: now }, now);
        }
    }

    /// When [`Self::on_deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let alarm = self.secrets.next_alarm().map(|at| now + until(at));
        // A source that is required is waited for as long as it takes.
        let opening = self.opening.filter(|_| self.required().is_empty());
        let vanished = self.discovery.deadline();
        let (left, warm) = (self.left_deadline(), self.warm_deadline());
        [self.holds.deadline(), opening, self.secrets.deadline(now), alarm, vanished, left, warm]
            .into_iter()
            .flatten()
            .min()
    }

    /// Carries out what these intents mean of what is held; each comes with the revision that it was written at.
    pub fn on_intents(&mut self, intents: &[(Revision, Intent)], now: Instant) -> Released {
        let held = self.guard.held().len();
        let stock = self.stock(self.in_use());
        let released = self.guard.excuse(intents, &stock, now);
        self.carry_out(&released, now);
        self.tell_held(held);
        released
    }

    /// Carries out all that is held: an operator says that it is meant.
    pub fn accept(&mut self, now: Instant) -> Released {
        let held = self.guard.held().len();
        self.believes |= self.doubt.take().is_some();
        let released = self.guard.accept();
        self.carry_out(&released, now);
        if self.gate == Gate::Restored && self.store.failure.is_none() {
            // What is served is what the store shows, be it nothing.
            self.gate = Gate::Open;
        }
        self.tell_held(held);
        released
    }

    fn carry_out(&mut self, released: &Released, now: Instant) {
        if released.is_empty() {
            return;
        }
        let older = released.older.iter().cloned().map(StoreChange::Put).collect();
        let changes = Changes { revision: self.revision(), changes: older, faults: None };
        let mut edits = self.ingest.changes(changes);
        edits.deletions.extend(released.removals.iter().cloned());
        self.edition += 1;
        self.transact(edits, now);
    }

    fn on_listing(&mut self, mut listing: Listing, now: Instant) {
        self.doubt = None;
        if self.gate == Gate::Waiting && self.guard.disown(&listing.identity) {
            info!("what the last run left is of another store, and not used");
            self.ingest.forget_last_run();
            self.made.forget_left();
            self.secrets.forget_last_run();
            self.store.fresh_in_last_run = None;
        }
        let before = self.in_use();
        let ingest = &self.ingest;
        self.guard.screen(&mut listing, |key| ingest.in_use(key), now);
        self.store.read(&listing, now);
        let (objects, nothing) = (listing.items.len(), listing.items.is_empty());
        if !self.holds.is_empty() {
            listing.items.iter().for_each(|item| self.holds.cancel(&item.key));
        }
        let edits = self.ingest.listing(listing);
        let edits = self.guarded_edits(edits, before, now);
        self.transact(edits, now);
        self.drop_strays();
        let left_by_last_run = nothing && self.ingest.has_written();
        if self.gate == Gate::Open || left_by_last_run && self.gate == Gate::Restored {
            return;
        }
        info!(objects, revision = self.revision().0, "store read, serving");
        self.open(if left_by_last_run { Gate::Restored } else { Gate::Open }, now);
    }

    fn on_changes(&mut self, changes: Changes, now: Instant) {
        self.store.followed(changes.revision, now);
        let ingest = &self.ingest;
        self.guard.follow(&changes, |key| ingest.in_use(key).is_some());
        if changes.changes.is_empty() && changes.faults.is_none() {
            return;
        }
        if self.gate == Gate::Restored && !changes.changes.is_empty() {
            self.gate = Gate::Open;
        }
        for change in &changes.changes {
            self.holds.cancel(change.key());
        }
        let before = self.in_use();
        let edits = self.ingest.changes(changes);
        let edits = self.guarded_edits(edits, before, now);
        self.transact(edits, now);
    }

    fn on_failure(&mut self, failure: Failure, now: Instant) {
        let hint = failure.error.hint();
        warn!(error = %failure.error, hint, "the store cannot be read; what it held before stays in use");
        self.store.failure = Some(failure);
        if self.gate != Gate::Waiting {
            return;
        }
        let edits = self.ingest.restore();
        if edits.puts.is_empty() {
            return;
        }
        info!(objects = edits.puts.len(), "serving the last good configuration from disk");
        self.transact(edits, now);
        self.open(Gate::Restored, now);
    }

    /// Leaves those deletions to be carried out that the guard lets pass. One that was let pass before and
    /// waits for what names its object is not judged again.
    fn guarded_edits(&mut self, edits: Edits, before: BTreeMap<Kind, usize>, now: Instant) -> Edits {
        let (mut passed, gone): (Vec<_>, Vec<_>) =
            edits.deletions.into_iter().partition(|key| self.holds.contains(key));
        let changed = |key: ObjectKey| {
            let revision = self.ingest.in_use(&key).map_or_else(Revision::default, |object| object.revision);
            (key, revision)
        };
        let gone: Vec<_> = gone.into_iter().map(changed).collect();
        let stock = self.stock(before);
        passed.extend(self.guard.judge(gone, &stock, now));
        Edits { deletions: passed, ..edits }
    }

    /// Objects by kind, without those whose deletion waits; before the first reading those of the last run.
    fn in_use(&self) -> BTreeMap<Kind, usize> {
        let mut counts = self.without_made(self.graph.counts());
        // The graph also has secrets of which the store knows nothing.
        counts.insert(Kind::Secret, self.secrets.objects());
        for key in self.ingest.fallback() {
            *counts.entry(key.kind).or_default() += 1;
        }
        for key in self.written_holds() {
            if let Some(count) = counts.get_mut(&key.kind) {
                *count = count.saturating_sub(1);
            }
        }
        counts
    }

    fn stock(&self, before: BTreeMap<Kind, usize>) -> Stock {
        let waiting = self.written_holds().count();
        let made: usize = self.ingest.count_made().values().sum();
        Stock { before, after: self.ingest.good().len().saturating_sub(waiting + made) }
    }

    /// Says once that something is held, and that nothing is any more.
    fn tell_held(&mut self, before: usize) {
        let held = self.guard.held().len();
        if held == before {
            return;
        }
        self.edition += 1;
        match self.guard.suspicion() {
            Some(suspicion) if before == 0 => warn!(
                reason = %suspicion.reason,
                held,
                hint = self.guard.hint(),
                "the store looks wrong: what it lacks stays in use"
            ),
            Some(_) => {}
            None => info!("nothing is held back any more"),
        }
    }

    /// Drops what the last run left of secrets and endpoints that nobody asks for any more, once all is known that may.
    fn drop_strays(&mut self) {
        let is_known = self.store.revision.is_some() && self.made.waits_for.is_empty();
        if is_known {
            self.edition += u64::from(self.secrets.drop_strays());
            self.discovery.drop_strays(timestamp(SystemTime::now()));
        }
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
        self.publish(|engine, published| {
            engine.apply(puts, published, now);
            loop {
                let free = engine.holds.release(now, |key| engine.graph.is_named(key));
                if free.is_empty() {
                    break;
                }
                engine.apply(free.into_iter().map(Edit::Delete).collect(), published, now);
            }
        });
    }

    /// Makes a change and publishes what comes of it, all at once.
    fn publish(&mut self, make: impl FnOnce(&mut Self, &mut BTreeMap<String, Change>)) {
        let mut published = BTreeMap::new();
        make(self, &mut published);
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
            let (changed, unknown) = (change.upserts.len(), change.unknown.len());
            let removed = change.removals.len() - unknown;
            info!(fleet, changed, removed, unknown, revision = self.revision().0, "configuration changed");
        }
    }

    fn apply(&mut self, mut edits: Vec<Edit>, published: &mut BTreeMap<String, Change>, now: Instant) {
        if edits.is_empty() {
            return;
        }
        self.edition += 1;
        let gone = edits.iter().filter(|edit| matches!(edit, Edit::Delete(_))).map(Edit::key);
        let freed: Vec<_> = gone.filter_map(|key| self.ingest.forget(key)).collect();
        edits.extend(freed);
        let wall = SystemTime::now();
        let is_named = |key: &ObjectKey| self.graph.is_named(key);
        let edits = edits.into_iter().map(|edit| self.secrets.resolve(edit, is_named, now, wall)).collect();
        self.change(edits, published, now);
    }

    /// Changes the graph. Secrets that are asked for by that, and are known already, are part of the change.
    fn change(&mut self, mut edits: Vec<Edit>, published: &mut BTreeMap<String, Change>, now: Instant) {
        while !edits.is_empty() {
            let secret = |name: &ResourceRef| self.graph.secret(name).cloned();
            edits.extend(self.discovery.follow(&edits, secret, |key| self.graph.is_named(key)));
            for (fleet, change) in self.graph.apply(&edits) {
                merge(published.entry(fleet).or_default(), change);
            }
            let asked = self.graph.take_asked_secrets();
            let named = |name: ResourceRef| {
                let is_named = self.graph.is_named(&name.key(Kind::Secret));
                self.secrets.named(&name, is_named, now)
            };
            edits = asked.into_iter().filter_map(named).collect();
            edits.extend(self.name_upstreams());
        }
        self.discovery.forget_idle(timestamp(SystemTime::now()));
    }

    /// Whether, and on what grounds, first answers go out.
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// How the store is doing.
    pub const fn store(&self) -> &StoreState {
        &self.store
    }

    /// What of the store is not believed.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The revision of the store that is published; the smallest before the first reading.
    pub fn revision(&self) -> Revision {
        self.store.revision.unwrap_or_default()
    }

    /// What an acceptance would carry out now, in short; none: there is nothing to accept.
    pub fn held_tag(&self) -> Option<String> {
        let error = self.store.failure.as_ref().map(|failure| &failure.error);
        let is_unmarked = matches!(error, Some(StoreError::Unmarked { .. }));
        let doubt = self.doubt.as_ref().map(|doubt| &doubt.reason);
        let is_anything = is_unmarked || doubt.is_some() || self.guard.suspicion().is_some();
        is_anything.then(|| self.guard.tag((is_unmarked, doubt)))
    }

    /// The graph, to read from.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The objects, to read from.
    pub const fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// The fleets that this publishes into.
    pub const fn fleets(&self) -> &Fleets {
        &self.fleets
    }

    /// The secrets that are kept elsewhere.
    pub(crate) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The same, to take notes out of.
    pub(crate) const fn secrets_mut(&mut self) -> &mut Secrets {
        &mut self.secrets
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
        reports.extend(self.secrets.reports(SystemTime::now()));
        reports.extend(self.discovery.reports());
        reports.extend(self.made.findings.iter().map(catalog::report));
        Findings::new(reports, self.ingest.good().clone())
    }

    /// How many findings there are.
    pub fn count_reports(&self) -> Count {
        let secrets = self.secrets.reports(SystemTime::now());
        let looked_up = self.discovery.reports();
        let others = secrets.iter().chain(&looked_up).map(|report| report.severity);
        let others = others.chain(self.made.findings.iter().map(|finding| finding.severity));
        let others = others.fold(Count::default(), Count::and);
        self.ingest.count_reports().plus(self.graph.count_reports()).plus(others)
    }

    /// The good objects and a number that changes with them, for the snapshot on disk.
    pub fn good(&self) -> (u64, imbl::OrdMap<ObjectKey, StoredObject>) {
        (self.edition(), self.ingest.good().clone())
    }

    /// The number that changes with the good objects, and with what is held.
    pub const fn edition(&self) -> u64 {
        self.edition + self.discovery.edition()
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

/// How long it is until a time of day.
fn until(at: Timestamp) -> Duration {
    let seconds = at.0.saturating_sub(timestamp(SystemTime::now()).0);
    // Beyond a day it is looked at again: clocks on the wall are set now and then.
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(Duration::from_hours(24))
}

/// What comes later counts. The graph says of what is unknown that it is removed, too.
fn merge(into: &mut Change, later: Change) {
    let upserted: BTreeSet<_> = later.upserts.iter().map(|resource| &resource.name).collect();
    into.removals.retain(|name| !upserted.contains(name));
    let removed: BTreeSet<_> = later.removals.iter().collect();
    into.unknown.retain(|name| !upserted.contains(name) && !removed.contains(name));
    into.upserts.retain(|resource| !removed.contains(&resource.name) && !upserted.contains(&resource.name));
    into.upserts.extend(later.upserts);
    into.removals.extend(later.removals);
    into.unknown.extend(later.unknown);
}
