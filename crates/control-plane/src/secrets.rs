//! Secrets whose values are kept elsewhere: which of them are wanted, what is known of each, and what is served.
//!
//! ```text
//!  ingest ─ edits ─▶ resolve ─ edits with values ─▶ graph ─ who is named ─▶ wanted ─▶ keeper ─▶ sources
//!                       ▲                                                               │
//!                       └──────────────── told: a listing of one secret ◀───────────────┘
//! ```
//!
//! Only what some listener, route or upstream names is asked for. A listing replaces what is served only if it
//! is a secret of its form and works ([`compose`], [`certificate`]); roots change before the certificates that
//! they signed ([`rotation`]). Everything here is decided without I/O; [`keeper`] asks the sources.
//!
//! Invariants: what was served stays served until something better is known, or its absence is and the object
//! says that it is to be removed then (I1, I7). `wanted` holds exactly the secrets that are named and have a place.

mod alarms;
mod certificate;
mod compose;
mod entry;
pub(crate) mod keeper;
mod kept;
mod place;
mod rotation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::{Metadata, Object, Secret, Spec};
use biplane_core::scalars::Timestamp;
use biplane_source as source;
use biplane_source::{Cause, Listing};
use biplane_translator::names;
use imbl::OrdMap;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::graph::Edit;
use alarms::{ALARM, Alarms};
pub use certificate::Facts;
use certificate::Issuer;
pub(crate) use certificate::faults;
pub(crate) use entry::{Entry, State};
pub use kept::KeptSecret;
pub use place::{Place, SourceFacts};

/// What the keeper is to watch.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) place: Place,
    /// What is known already.
    pub(crate) known: Option<Arc<source::Secret>>,
}

/// One wish: equal to itself only, so that a place that is wanted anew is watched anew.
#[derive(Clone, Debug)]
pub(crate) struct Wish(pub(crate) Arc<Wanted>);

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// All that is wanted; a copy shares everything.
pub(crate) type WantedSecrets = OrdMap<ResourceRef, Wish>;

/// What was heard of one secret.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) name: ResourceRef,
    /// What was asked: an answer to an older question counts for nothing.
    pub(crate) asked: Arc<Wanted>,
    pub(crate) listing: Listing<Option<source::Secret>>,
}

/// The secrets of one process.
#[derive(Debug, Default)]
pub struct Secrets {
    sources: Vec<SourceFacts>,
    /// What the last run left, until an object or a name asks for it.
    left: BTreeMap<ResourceRef, KeptSecret>,
    entries: BTreeMap<ResourceRef, Entry>,
    wanted: WantedSecrets,
    /// Secrets that wait for something: a rotation, or an alarm.
    rotating: BTreeSet<ResourceRef>,
    /// A root has changed: the secrets beside it are to be read too, soon.
    stirred: BTreeSet<Arc<str>>,
    alarms: Alarms,
}

impl Secrets {
    /// Secrets of these sources, with what the last run left.
    pub fn new(sources: Vec<SourceFacts>, left: Vec<KeptSecret>) -> Self {
        let left = left.into_iter().map(|kept| (kept.name.clone(), kept)).collect();
        Self { sources, left, ..Self::default() }
    }

    /// Puts values into an edit of a secret whose values are kept elsewhere; others pass.
    /// `is_named` says whether something names the object already.
    pub(crate) fn resolve(
        &mut self,
        edit: Edit,
        is_named: impl FnOnce(&ObjectKey) -> bool,
        now: Instant,
        wall: SystemTime,
    ) -> Edit {
        if edit.key().kind != Kind::Secret {
            return edit;
        }
        let name = edit.key().reference();
        if matches!(edit, Edit::Put(..)) {
            self.entries.entry(name.clone()).or_default().is_named = is_named(edit.key());
        }
        match edit {
            Edit::Put(object, created) => self.put(&name, *object, created, (now, wall)),
            Edit::Delete(key) => self.delete(&name, key, now),
            other @ Edit::Endpoints(..) => other,
        }
    }

    fn put(
        &mut self,
        name: &ResourceRef,
        object: Object,
        created: Option<u64>,
        (now, wall): (Instant, SystemTime),
    ) -> Edit {
        let Spec::Secret(spec) = &object.spec else { return Edit::Put(Box::new(object), created) };
        let place = Place::of(spec, &self.sources);
        let entry = self.entries.entry(name.clone()).or_default();
        match place {
            None => {
                entry.hold_own(object, created, now, wall);
                self.left.remove(name);
            }
            Some(place) => {
                entry.refer(object, created, place, (now, wall));
                self.take_left(name, now);
            }
        }
        self.settle(name);
        self.edit(name)
    }

    /// Makes the indexes say what the entry says.
    fn settle(&mut self, name: &ResourceRef) {
        self.settle_wanted(name);
        self.set_alarm(name);
        let rotates = self.entries.get(name).is_some_and(|entry| entry.rotation.is_some());
        if rotates {
            self.rotating.insert(name.clone());
        } else {
            self.rotating.remove(name);
        }
    }

    fn delete(&mut self, name: &ResourceRef, key: ObjectKey, now: Instant) -> Edit {
        let named = self.entries.remove(name).is_some_and(|entry| entry.is_named);
        self.left.remove(name);
        self.settle(name);
        // A source may hold an object of the same name.
        if named { self.named(name, true, now).unwrap_or(Edit::Delete(key)) } else { Edit::Delete(key) }
    }

    /// Something names a secret now, or nothing does any more. The edit: a secret that no object describes is
    /// known, or its last user has gone.
    pub(crate) fn named(&mut self, name: &ResourceRef, is_named: bool, now: Instant) -> Option<Edit> {
        if let Some(entry) = self.entries.get_mut(name)
            && !entry.is_implied()
        {
            entry.is_named = is_named;
            self.settle_wanted(name);
            return None;
        }
        if !is_named {
            let gone = self.entries.remove(name)?;
            self.settle(name);
            return gone.object().map(|_| Edit::Delete(name.key(Kind::Secret)));
        }
        if self.entries.contains_key(name) {
            return None;
        }
        let place = Place::implied(name, &self.sources)?;
        let metadata =
            Metadata { name: name.name.clone(), namespace: name.namespace.clone(), ..Metadata::default() };
        let spec = Spec::Secret(Arc::new(Secret::default()));
        let object = Object { key: name.key(Kind::Secret), metadata: Arc::new(metadata), spec };
        self.entries.insert(name.clone(), Entry::implied(object, place));
        self.take_left(name, now);
        self.settle(name);
        Some(self.edit(name))
    }

    /// Takes over what the last run got for the same question.
    fn take_left(&mut self, name: &ResourceRef, now: Instant) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let Some(left) = self.left.get(name) else { return };
        // Of another question it stays on disk until that is answered: a setting may come back.
        if entry.restore(name, left, now) {
            self.left.remove(name);
        }
    }

    /// Makes `alarms` say what the entry says.
    fn set_alarm(&mut self, name: &ResourceRef) {
        let facts = self.entries.get(name).and_then(Entry::facts);
        self.alarms.set(name, facts.map(|facts| facts.at_percent(ALARM)));
    }

    /// Makes `wanted` say what the entry says.
    fn settle_wanted(&mut self, name: &ResourceRef) {
        let entry = self.entries.get(name).filter(|entry| entry.is_named);
        let Some(place) = entry.and_then(Entry::place) else {
            self.wanted.remove(name);
            return;
        };
        if self.wanted.get(name).is_none_or(|wish| wish.0.place != *place) {
            let known = entry.and_then(|entry| entry.raw().cloned());
            self.wanted.insert(name.clone(), Wish(Arc::new(Wanted { place: place.clone(), known })));
        }
    }

    /// What the graph is to hold of a secret.
    fn edit(&self, name: &ResourceRef) -> Edit {
        match self.entries.get(name).and_then(Entry::object) {
            Some((object, created)) => Edit::Put(Box::new(object), created),
            None => Edit::Delete(name.key(Kind::Secret)),
        }
    }

    /// A source has told something. The edit: what is served changes by it.
    pub(crate) fn told(&mut self, told: Told, now: Instant, wall: SystemTime) -> Option<Edit> {
        let Told { name, asked, listing } = told;
        if !self.wanted.get(&name).is_some_and(|wish| Arc::ptr_eq(&wish.0, &asked)) {
            return None;
        }
        let entry = self.entries.get_mut(&name)?;
        let first = entry.state == State::Waiting;
        if matches!(listing, Listing::Complete(_)) {
            self.left.remove(&name);
        }
        let change = match listing {
            Listing::Complete(Some(secret)) => entry.know(&name, secret, now, wall),
            Listing::Complete(None) => entry.miss(now),
            Listing::Failed(error) => {
                entry.fail(error, now);
                first
            }
        };
        entry.say(&name);
        if change && entry.rotation.as_ref().is_some_and(rotation::Rotation::is_spreading) {
            self.stirred.insert(asked.place.source.clone());
        }
        self.settle(&name);
        change.then(|| self.edit(&name))
    }

    /// Does what time or Envoys' confirmations have made due. `confirmed` says whether all clients that
    /// hold these Envoy secrets hold them as they are published.
    pub(crate) fn on_time(&mut self, now: Instant, confirmed: impl Fn(&[Arc<str>]) -> bool) -> Vec<Edit> {
        if self.rotating.is_empty() {
            return Vec::new();
        }
        let spreading = self.spreading();
        let roots: Vec<Arc<str>> =
            spreading.iter().map(|name| names::secret_validation(name).into()).collect();
        let is_settled = |name: &ResourceRef| {
            let rotation = self.entries.get(name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_some_and(|rotation| rotation.is_settled(now))
        };
        let known = spreading.iter().any(is_settled) && confirmed(&roots);
        let mut changed = Vec::new();
        for name in spreading {
            let rotation = self.entries.get_mut(&name).and_then(|entry| entry.rotation.as_mut());
            if rotation.is_some_and(|rotation| rotation.follow(known, now)) {
                info!(secret = %name, confirmed = known, "the new certificate follows its roots");
                changed.push(name);
            }
        }
        changed.extend(self.end_rotations(now, confirmed));
        for name in &changed {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.serve();
            }
        }
        changed.iter().map(|name| self.edit(name)).collect()
    }

    fn end_rotations(&mut self, now: Instant, confirmed: impl Fn(&[Arc<str>]) -> bool) -> Vec<ResourceRef> {
        let due = |name: &&ResourceRef| {
            let rotation = self.entries.get(*name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_none_or(|rotation| !rotation.is_spreading() && rotation.deadline(now) <= now)
        };
        let due: Vec<_> = self.rotating.iter().filter(due).cloned().collect();
        if due.is_empty() {
            return Vec::new();
        }
        let (issuers, mut over) = (self.issuers(), Vec::new());
        for name in due {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let confirmed = confirmed(&[names::secret_certificate(&name).into()]);
            if entry.end_rotation(&issuers, confirmed, now) {
                info!(secret = %name, "the old roots are gone");
                over.push(name);
            }
        }
        self.rotating.retain(|name| self.entries.get(name).is_some_and(|entry| entry.rotation.is_some()));
        over
    }

    /// Who issued what is served.
    fn issuers(&self) -> BTreeSet<Issuer> {
        let served = self.entries.values().filter(|entry| entry.is_named).filter_map(Entry::served);
        served
            .filter_map(|secret| secret.tls.as_ref()?.cert_chain.as_deref())
            .flat_map(Issuer::all_of)
            .collect()
    }

    fn spreading(&self) -> Vec<ResourceRef> {
        let is_spreading = |name: &&ResourceRef| {
            let rotation = self.entries.get(*name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_some_and(rotation::Rotation::is_spreading)
        };
        self.rotating.iter().filter(is_spreading).cloned().collect()
    }

    /// Whether a certificate waits until its roots are confirmed.
    pub(crate) fn is_spreading(&self) -> bool {
        !self.rotating.is_empty() && !self.spreading().is_empty()
    }

    /// When [`Self::on_time`] has something to do though nothing happens.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let rotation = |name: &ResourceRef| Some(self.entries.get(name)?.rotation.as_ref()?.deadline(now));
        self.rotating.iter().filter_map(rotation).min()
    }

    /// The sources of which a root has changed since the last call: what else they hold is to be read now.
    pub(crate) fn take_stirred(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.stirred)
    }

    /// The sources that first answers wait for: those that have not answered about something that is wanted and not
    /// known, and, for as long as that lasts, required ones that failed.
    pub(crate) fn awaited(&self) -> BTreeSet<Arc<str>> {
        self.awaiting(|_, state| *state == State::Waiting)
    }

    /// The required ones among them.
    pub(crate) fn required(&self) -> BTreeSet<Arc<str>> {
        // What a source refuses to tell, or cannot be asked, costs only itself.
        let is_away = |state: &State| match state {
            State::Waiting => true,
            State::Failed(error) => error.cause == Cause::Unavailable,
            State::Known | State::Absent => false,
        };
        self.awaiting(|source, state| source.required && is_away(state))
    }

    fn awaiting(&self, waits: impl Fn(&SourceFacts, &State) -> bool) -> BTreeSet<Arc<str>> {
        let wanted = self.wanted.iter().filter(|(name, wish)| {
            let entry = self.entries.get(*name).filter(|entry| entry.served().is_none());
            let source = self.sources.iter().find(|source| source.name == wish.0.place.source);
            entry.zip(source).is_some_and(|(entry, source)| waits(source, &entry.state))
        });
        wanted.map(|(_, wish)| wish.0.place.source.clone()).collect()
    }

    /// What is to be watched.
    pub(crate) const fn wanted(&self) -> &WantedSecrets {
        &self.wanted
    }

    /// Every secret, in order of names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&ResourceRef, &Entry)> {
        self.entries.iter()
    }

    /// What is to be kept on disk.
    pub(crate) fn kept(&self) -> Vec<KeptSecret> {
        let kept = |(name, entry): (&ResourceRef, &Entry)| entry.keep(name);
        self.entries.iter().filter_map(kept).chain(self.left.values().cloned()).collect()
    }

    /// What there is to say about objects of which something is not as it should be.
    pub(crate) fn reports(&self, wall: SystemTime) -> Vec<Report> {
        self.entries.iter().flat_map(|(name, entry)| entry.reports(name, wall)).collect()
    }

    /// Says once in the log that certificates have come to the last part of their lives and were not renewed.
    pub(crate) fn sound_alarms(&mut self, wall: Timestamp) {
        for name in self.alarms.due(wall) {
            let facts = self.entries.get(&name).filter(|entry| entry.is_named).and_then(Entry::facts);
            if let Some(facts) = facts {
                warn!(secret = %name, until = %facts.not_after, "a certificate in use has little of its life left");
            }
        }
    }

    /// When [`Self::sound_alarms`] has something to say next.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.next()
    }
}

#[cfg(test)]
mod tests;
