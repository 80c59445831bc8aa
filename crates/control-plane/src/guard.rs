//! The shrink guard: a store that suddenly shows less does not wipe the fleet (I3).
//!
//! ```text
//! healthy ── a reading that looks wrong ──▶ suspect: removals are held, additions and changes flow
//!    ▲                                          │
//!    └── nothing is held any more ◀─────────────┘  objects come back; an intent names them; accept
//! ```
//!
//! A reading looks wrong when many objects of a kind, or all of the store, are gone within a [`window`], or
//! when the store is another one or older than what is served and lacks something. Whoever deletes much
//! through Biplane leaves an intent, and its removals pass. The guard is pure: it is told what happens, what
//! is in use and what time it is, and answers which removals may go.
//!
//! Invariant: a removal passes only by a reading that does not look wrong, an intent that means it, or an
//! operator's word; no timer releases any. While something is held the source is suspect, and only then.

mod excuse;
mod reason;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::{Changes, Identity, Listing, Revision, RevisionScope, StoredObject};
use tokio::time::Instant;

pub use excuse::Released;
pub use reason::Reason;
use window::Window;

/// What is let pass without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether anything is held at all.
    pub on: bool,
    /// Up to this share of a kind may go within a minute.
    pub percent: u8,
    /// Fewer objects of a kind than this may always go.
    pub min: usize,
    /// Whether a mark tells this store from any other, see [`biplane_store::Description::sentinel`].
    pub sentinel: bool,
    /// Whether revisions that go backwards mean anything.
    pub revisions: RevisionScope,
}

impl Default for Rules {
    fn default() -> Self {
        Self { on: true, percent: 30, min: 5, sentinel: false, revisions: RevisionScope::Process }
    }
}

/// What the last run knew, from the snapshot on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The store that was served from.
    pub identity: Option<Identity>,
    /// How far it was.
    pub revision: Revision,
    /// Whose removal was held.
    pub held: BTreeSet<ObjectKey>,
    /// It was found under another spelling of the store's address: it counts if the store is the same.
    pub moved: bool,
}

/// What is in use, without the deletions that are under way already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Objects before the event, by kind.
    pub before: BTreeMap<Kind, usize>,
    /// Objects after the event, if none were removed by it: what is held counts.
    pub after: usize,
}

/// Why removals are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// What looks wrong.
    pub reason: Reason,
    /// Since when.
    pub since: Instant,
}

/// What is kept from happening to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub what: Withheld,
    /// Since when.
    pub since: Instant,
    /// The revision at which the object that stays in use last changed.
    changed: Revision,
}

/// The kinds of what is kept from happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The store does not show the object any more.
    Removal,
    /// The store shows an older version of it than the one in use, or is another one and shows another.
    Older(Box<StoredObject>),
}

/// A place in the history of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    identity: Identity,
    revision: Revision,
}

/// The guard of one source.
#[derive(Debug)]
pub struct Guard {
    source: String,
    rules: Rules,
    /// What is served comes from here.
    trusted: Option<Point>,
    /// What the store showed last.
    present: Option<Point>,
    /// The store is not where it should be; what it shows up to this revision may be old.
    regress: Option<(Reason, Revision)>,
    /// Removals that were held when the last run ended, and that nothing was heard of yet.
    carried: BTreeSet<ObjectKey>,
    /// Objects that were first shown by a store which is another one than is trusted: they go with it.
    strangers: BTreeSet<ObjectKey>,
    window: Window,
    /// What the last run knew may be of another store.
    moved: bool,
    /// Nothing was read in this run.
    first: bool,
    suspicion: Option<Suspicion>,
    held: BTreeMap<ObjectKey, Held>,
}

impl Guard {
    /// A guard of `source`, as people name it.
    pub fn new(source: &str, rules: Rules, memory: Memory) -> Self {
        let revision = memory.revision;
        let trusted = memory.identity.map(|identity| Point { identity, revision });
        Self {
            source: source.to_owned(),
            rules,
            trusted,
            present: None,
            regress: None,
            carried: memory.held,
            strangers: BTreeSet::new(),
            window: Window::default(),
            moved: memory.moved,
            first: true,
            suspicion: None,
            held: BTreeMap::new(),
        }
    }

    /// Forgets what the last run knew, if that was found elsewhere and turns out to be of another store; whether
    /// it did.
    pub fn disown(&mut self, store: &Identity) -> bool {
        let is_other = self.trusted.as_ref().is_some_and(|trusted| trusted.identity != *store);
        let disowned = std::mem::take(&mut self.moved) && is_other;
        if disowned {
            self.trusted = None;
            self.carried.clear();
        }
        disowned
    }

    /// A full reading has come. Versions in it that are older than what is in use, though the store went
    /// backwards, are replaced by what is in use; `known` gives that. Of another store, whose revisions have no
    /// order with ours, all are that differ.
    pub fn screen<'a>(
        &mut self,
        listing: &mut Listing,
        known: impl Fn(&ObjectKey) -> Option<&'a StoredObject>,
        now: Instant,
    ) {
        let is_back = self.locate(Point { identity: listing.identity.clone(), revision: listing.revision });
        if !is_back {
            self.compare(listing, &known);
        }
        for item in &mut listing.items {
            let in_use = known(&item.key);
            self.meet(&item.key, in_use.is_some());
            match self.newer(item, in_use).cloned() {
                Some(newer) => {
                    let changed = newer.revision;
                    let older = Withheld::Older(Box::new(std::mem::replace(item, newer)));
                    self.hold(item.key.clone(), older, changed, now);
                }
                None => self.returned(&item.key),
            }
        }
        if !self.held.is_empty()
            && self.suspicion.is_none()
            && let Some((reason, _)) = self.regress.clone()
        {
            self.suspicion = Some(Suspicion { reason, since: now });
        }
    }

    /// Changes have come: what they put is no longer held. `is_known` says what is in use.
    pub fn follow(&mut self, changes: &Changes, is_known: impl Fn(&ObjectKey) -> bool) {
        if let Some(present) = &mut self.present {
            present.revision = changes.revision;
        }
        for change in &changes.changes {
            if matches!(change, biplane_store::Change::Put(_)) {
                self.meet(change.key(), is_known(change.key()));
                self.returned(change.key());
            }
        }
    }

    /// Gives those of the removals that may be carried out; the others are held from now on. Each comes
    /// with the revision at which its object last changed.
    pub fn judge(&mut self, gone: Vec<(ObjectKey, Revision)>, stock: &Stock, now: Instant) -> Vec<ObjectKey> {
        self.window.forget(now);
        let (mut passed, gone) = self.part_with_strangers(gone);
        if self.suspicion.is_none() && self.rules.on && !gone.is_empty() {
            let reason = self.doubt(gone.iter().map(|(key, _)| key), stock);
            self.suspicion = reason.map(|reason| Suspicion { reason, since: now });
        }
        for (key, changed) in gone {
            if self.suspicion.is_some() {
                self.hold(key, Withheld::Removal, changed, now);
            } else {
                self.window.add(key.clone(), changed, now);
                passed.push(key);
            }
        }
        self.settle();
        passed
    }

    /// An operator says that all of it is meant.
    pub fn accept(&mut self) -> Released {
        let held = std::mem::take(&mut self.held);
        self.window = Window::default();
        self.carried.clear();
        self.settle();
        Released::of(self.present.as_ref().map(|present| present.identity.clone()), held)
    }

    /// Why removals are held; `None`: the source is healthy.
    pub const fn suspicion(&self) -> Option<&Suspicion> {
        self.suspicion.as_ref()
    }

    /// What is held.
    pub const fn held(&self) -> &BTreeMap<ObjectKey, Held> {
        &self.held
    }

    /// What is held, in short: another tag for anything else. `state` is what else is to be told apart.
    pub fn tag(&self, state: impl Hash) -> String {
        // Its keys are fixed: replicas of one version give one tag.
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        self.present.as_ref().map(|present| &present.identity).hash(&mut hasher);
        for (key, held) in &self.held {
            key.hash(&mut hasher);
            match &held.what {
                Withheld::Removal => Revision::default().hash(&mut hasher),
                Withheld::Older(object) => (object.revision, &object.value).hash(&mut hasher),
            }
        }
        format!("{:016x}", hasher.finish())
    }

    /// What to do about a suspicion.
    pub fn hint(&self) -> String {
        format!(
            "if it was meant: biplane source accept {}; otherwise put back what is missing, which stays in use meanwhile",
            self.source
        )
    }

    /// Whether it knows nothing that a first reading could be compared with, and would like to.
    pub const fn is_new(&self) -> bool {
        self.rules.on && self.first && self.trusted.is_none()
    }

    /// What the next run has to know.
    pub fn memory(&self) -> Memory {
        Memory {
            identity: self.trusted.as_ref().map(|trusted| trusted.identity.clone()),
            revision: self.trusted.as_ref().map_or_else(Revision::default, |trusted| trusted.revision),
            held: self.held.keys().chain(&self.carried).cloned().collect(),
            moved: false,
        }
    }

    /// Where the store is now, compared with where it was and with what is served from; whether the trusted one
    /// answers again after another had answered in its place.
    fn locate(&mut self, point: Point) -> bool {
        if self.is_back(&point) {
            // All of it is judged anew, by this reading.
            (self.regress, self.suspicion) = (None, None);
            self.held.clear();
            self.present = Some(point);
            return true;
        }
        let was = [&self.trusted, &self.present].into_iter().flatten();
        let reason = was.filter(|_| self.rules.on).find_map(|was| self.regression(was, &point));
        let moved = self
            .present
            .as_ref()
            .is_some_and(|present| present.identity != point.identity || point.revision < present.revision);
        match (&mut self.regress, reason) {
            (Some((Reason::Identity { .. }, _)), Some(reason @ Reason::Backwards { .. })) => {
                self.suspicion.iter_mut().for_each(|suspicion| suspicion.reason = reason.clone());
                self.regress = Some((reason, point.revision));
            }
            (Some((_, floor)), _) if moved => *floor = point.revision,
            (None, Some(reason)) => self.regress = Some((reason, point.revision)),
            _ => {}
        }
        self.present = Some(point);
        false
    }

    /// Whether the store that is trusted answers again, as far as it was or further. One that has gone back in
    /// between does not become right by growing.
    fn is_back(&self, point: &Point) -> bool {
        matches!(self.regress, Some((Reason::Identity { .. }, _)))
            && self.trusted.as_ref().is_some_and(|trusted| {
                trusted.identity == point.identity && trusted.revision <= point.revision
            })
    }

    /// Whether another store answers than the one that is served from.
    fn is_elsewhere(&self) -> bool {
        let identity = |point: &Option<Point>| point.as_ref().map(|point| point.identity.clone());
        self.regress.is_some() && identity(&self.trusted) != identity(&self.present)
    }

    /// A backup may be restored with its revisions raised above all that were ever given out. The objects'
    /// own give it away: in one store none is ever older than it was.
    fn compare<'a>(&mut self, listing: &Listing, known: impl Fn(&ObjectKey) -> Option<&'a StoredObject>) {
        if self.regress.is_some() || self.rules.revisions == RevisionScope::Process || !self.rules.on {
            return;
        }
        let older = listing.items.iter().filter(|item| is_older(item, known(&item.key))).count();
        if older > 0 {
            self.regress = Some((Reason::Older { objects: older }, listing.revision));
        }
    }

    fn regression(&self, was: &Point, now: &Point) -> Option<Reason> {
        if was.identity != now.identity {
            let reason = Reason::Identity { from: was.identity.clone(), to: now.identity.clone() };
            return self.rules.sentinel.then_some(reason);
        }
        let backwards = self.rules.revisions == RevisionScope::Store && now.revision < was.revision;
        backwards.then_some(Reason::Backwards { from: was.revision, to: now.revision })
    }

    /// What is in use, if the item is an older version of it. What was written since the store went
    /// backwards has a later revision than that of the reading that showed it.
    fn newer<'a>(&self, item: &StoredObject, known: Option<&'a StoredObject>) -> Option<&'a StoredObject> {
        let (_, floor) = self.regress.as_ref()?;
        let is_foreign = |known: &StoredObject| self.is_elsewhere() && item.value != known.value;
        known.filter(|known| item.revision <= *floor && (is_foreign(known) || is_older(item, Some(known))))
    }

    /// The store shows an object. One that nobody knew is remembered while the store is not the trusted one, until
    /// that shows it too.
    fn meet(&mut self, key: &ObjectKey, is_known: bool) {
        if !self.is_elsewhere() {
            self.strangers.remove(key);
        } else if !is_known {
            self.strangers.insert(key.clone());
        }
    }

    /// What was held already is left out. What another store brought goes without a word when the trusted one is
    /// back.
    fn part_with_strangers(
        &mut self,
        gone: Vec<(ObjectKey, Revision)>,
    ) -> (Vec<ObjectKey>, Vec<(ObjectKey, Revision)>) {
        let (mut passed, mut left) = (Vec::new(), Vec::new());
        // No version of this store is later; what another store, or the last run, has left in use may be.
        let now = match (&self.regress, &self.present) {
            (None, Some(present)) => present.revision,
            _ => Revision(u64::MAX),
        };
        for (key, changed) in gone {
            if self.holds_removal(&key) {
                continue;
            }
            if self.regress.is_none() && self.strangers.remove(&key) {
                passed.push(key);
            } else {
                left.push((key, changed.min(now)));
            }
        }
        (passed, left)
    }

    /// The store shows the object: be it as it was, changed or bad.
    fn returned(&mut self, key: &ObjectKey) {
        self.held.remove(key);
        self.carried.remove(key);
        self.window.returned(key);
    }

    fn holds_removal(&self, key: &ObjectKey) -> bool {
        self.held.get(key).is_some_and(|held| held.what == Withheld::Removal)
    }

    fn hold(&mut self, key: ObjectKey, what: Withheld, changed: Revision, now: Instant) {
        let since = self.held.get(&key).map_or(now, |held| held.since);
        self.held.insert(key, Held { what, since, changed });
    }

    /// What is wrong with these going, if anything.
    fn doubt<'a>(&self, gone: impl Iterator<Item = &'a ObjectKey> + Clone, stock: &Stock) -> Option<Reason> {
        if let Some((reason, _)) = &self.regress {
            return Some(reason.clone());
        }
        if gone.clone().any(|key| self.carried.contains(key)) {
            return Some(Reason::Carried);
        }
        self.emptied(gone.clone().count(), stock).or_else(|| self.shrunk(gone, stock))
    }

    /// Nothing would be left. The first reading of a run is looked at more closely: a volume that is not
    /// mounted yet looks like a store that somebody has emptied.
    fn emptied(&self, gone: usize, stock: &Stock) -> Option<Reason> {
        let had = stock.before.values().sum::<usize>() + self.window.len();
        let least = if self.first { 1 } else { 3 };
        (had >= least && stock.after.saturating_sub(gone) == 0).then_some(Reason::Emptied { had })
    }

    fn shrunk<'a>(&self, gone: impl Iterator<Item = &'a ObjectKey>, stock: &Stock) -> Option<Reason> {
        let mut by_kind: BTreeMap<Kind, usize> = BTreeMap::new();
        gone.for_each(|key| *by_kind.entry(key.kind).or_default() += 1);
        let reason = |(kind, now): (Kind, usize)| {
            let before = self.window.count(kind);
            let (gone, had) = (before + now, before + stock.before.get(&kind).copied().unwrap_or_default());
            self.rules.is_too_much(gone, had).then_some(Reason::Shrunk {
                kind,
                gone,
                had,
                since_last_run: self.first,
            })
        };
        by_kind.into_iter().find_map(reason)
    }

    /// Where nothing is held all is well, and what the store shows is what is served.
    fn settle(&mut self) {
        if self.present.is_none() {
            return;
        }
        self.first = false;
        if self.held.is_empty() {
            self.suspicion = None;
            self.regress = None;
            self.strangers.clear();
            self.trusted.clone_from(&self.present);
        }
    }
}

/// Whether the item is another version of what is in use, and an earlier one.
fn is_older(item: &StoredObject, known: Option<&StoredObject>) -> bool {
    known.is_some_and(|known| item.revision < known.revision && item.value != known.value)
}
