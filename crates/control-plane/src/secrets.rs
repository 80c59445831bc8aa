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
//! says that it is to be removed then (I1, I7), over restarts too ([`kept`]). `wanted` holds exactly the secrets that
//! are named and have a place.

mod agenda;
mod alarms;
mod certificate;
mod compose;
mod entry;
pub(crate) mod keeper;
mod kept;
mod place;
mod rotation;
mod time;
mod wipe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::{Metadata, Object, Secret, Spec};
use biplane_source as source;
use biplane_source::{Cause, Listing};
use imbl::OrdMap;
use tokio::time::Instant;

use crate::graph::Edit;
use agenda::Agenda;
use alarms::Alarms;
pub use certificate::Facts;
pub(crate) use certificate::faults;
use entry::OWN;
pub(crate) use entry::{Entry, State};
pub use kept::{Answer, Held, KeptSecret, Stage};
pub(crate) use place::question;
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
    /// Secrets whose roots rotate.
    rotating: BTreeSet<ResourceRef>,
    /// Secrets that no object describes.
    implied: BTreeSet<ResourceRef>,
    /// When values can be used that are known already.
    early: Agenda,
    /// Until when Envoys come back that hold what the last run served.
    gathering: Option<Instant>,
    /// A root has changed: the secrets beside it are to be read too, soon.
    stirred: BTreeSet<Arc<str>>,
    alarms: Alarms,
}

/// How long Envoys may take to connect again, at most: longer than they wait between two attempts.
const GATHERING: Duration = Duration::from_secs(30);

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
                // An edit like any other, of what was served.
                let held = self.left.remove(name).and_then(|left| left.held).filter(|held| held.asked == OWN);
                if held.is_some_and(|held| entry.resume(&held, now)) {
                    self.gathering.get_or_insert(now + GATHERING);
                }
                entry.hold_own(object, created, now, wall);
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
        let entry = self.entries.get(name);
        match entry {
            Some(entry) => self.alarms.set(name, entry.alarm_at()),
            None => self.alarms.forget(name),
        }
        self.early.set(name, entry.and_then(Entry::early));
        mark(&mut self.rotating, name, entry.is_some_and(Entry::is_rotating));
        mark(&mut self.implied, name, entry.is_some_and(Entry::is_implied));
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
            self.settle(name);
            return None;
        }
        if !is_named {
            let gone = self.entries.remove(name)?;
            self.left.remove(name);
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
        let Some(left) = self.left.get_mut(name) else { return };
        if entry.restore(left, now) {
            self.gathering.get_or_insert(now + GATHERING);
        }
        // Of another question it stays on disk until that is answered: a setting may come back.
        if left.is_used_up() {
            self.left.remove(name);
        }
    }

    /// What the last run left is of another store.
    pub(crate) fn forget_last_run(&mut self) {
        self.left.clear();
    }

    /// The store was read as a whole: what the last run left of other secrets than there are now is dropped. Says
    /// whether there was any.
    pub(crate) fn drop_strays(&mut self) -> bool {
        let before = self.left.len();
        self.left.retain(|name, _| self.entries.contains_key(name));
        self.left.len() < before
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
        let mut kept = self.left.clone();
        for newer in self.entries.iter().filter_map(|(name, entry)| entry.keep(name)) {
            match kept.get_mut(&newer.name) {
                Some(left) => left.update(newer),
                None => drop(kept.insert(newer.name.clone(), newer)),
            }
        }
        kept.into_values().collect()
    }

    /// How many objects of the store there are among them.
    pub(crate) fn objects(&self) -> usize {
        self.entries.len() - self.implied.len()
    }

    /// What there is to say about objects of which something is not as it should be.
    pub(crate) fn reports(&self, wall: SystemTime) -> Vec<Report> {
        self.entries.iter().flat_map(|(name, entry)| entry.reports(name, wall)).collect()
    }
}

/// Makes a set hold a name, or not.
fn mark(set: &mut BTreeSet<ResourceRef>, name: &ResourceRef, is_in: bool) {
    if is_in {
        set.insert(name.clone());
    } else {
        set.remove(name);
    }
}

#[cfg(test)]
mod tests;
