//! The shrink guard behind the engine, against a naive judge of what may go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use biplane_control_plane::engine::Engine;
use biplane_control_plane::guard::{Guard, Memory, Rules, Withheld};
use biplane_control_plane::hold::Holds;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::scalars::Timestamp;
use biplane_store::{
    Author, Change, Changes, Identity, Intent, Listing, Revision, RevisionScope, SourceEvent, StoredObject,
    layout,
};
use biplane_xds::Fleets;
use proptest::prelude::*;
use proptest::sample::subsequence;
use tokio::time::Instant;

const NAMES: usize = 9;

fn rules() -> Rules {
    Rules { sentinel: true, revisions: RevisionScope::Store, ..Rules::default() }
}

fn guard(memory: Memory) -> Guard {
    Guard::new("memory://test", rules(), memory)
}

fn engine(memory: Memory, fallback: Vec<StoredObject>) -> Engine {
    Engine::guarded(Fleets::new(), Holds::new(Duration::from_secs(30)), guard(memory), fallback)
}

fn keys() -> Vec<ObjectKey> {
    let named = |kind| (0..NAMES).map(move |n| ObjectKey::new(kind, "default", format!("n{n}")));
    named(Kind::Upstream).chain(named(Kind::RouteTable)).collect()
}

/// A store as its users see it.
#[derive(Clone, Debug)]
struct Shelf {
    identity: u32,
    revision: u64,
    objects: BTreeMap<ObjectKey, StoredObject>,
}

impl Shelf {
    fn new() -> Self {
        Self { identity: 1, revision: 1, objects: BTreeMap::new() }
    }

    fn full() -> Self {
        let mut shelf = Self::new();
        shelf.put(&keys());
        shelf
    }

    fn put(&mut self, keys: &[ObjectKey]) -> SourceEvent {
        self.revision += 1;
        let objects: Vec<_> = keys.iter().map(|key| object(key, self.revision)).collect();
        self.objects.extend(objects.iter().map(|object| (object.key.clone(), object.clone())));
        self.changes(objects.into_iter().map(Change::Put).collect())
    }

    fn delete(&mut self, keys: &[ObjectKey]) -> SourceEvent {
        self.revision += 1;
        let gone = keys.iter().filter(|key| self.objects.remove(key).is_some());
        let gone = gone.cloned().map(Change::Deleted).collect();
        self.changes(gone)
    }

    fn changes(&self, changes: Vec<Change>) -> SourceEvent {
        SourceEvent::Changes(Changes { revision: Revision(self.revision), changes, faults: None })
    }

    fn listed(&self) -> SourceEvent {
        SourceEvent::Complete(Listing {
            identity: Identity::new(self.identity.to_string()),
            revision: Revision(self.revision),
            items: self.objects.values().cloned().collect(),
            faults: Vec::new(),
        })
    }

    fn values(&self) -> BTreeMap<ObjectKey, bytes::Bytes> {
        self.objects.iter().map(|(key, object)| (key.clone(), object.value.clone())).collect()
    }

    fn intent(&mut self, deletes: &[ObjectKey]) -> (Revision, Intent) {
        self.revision += 1;
        (Revision(self.revision), intent(deletes))
    }
}

fn object(key: &ObjectKey, revision: u64) -> StoredObject {
    let fields = match key.kind {
        Kind::Upstream => format!("static: {{hosts: [{{addr: 127.0.0.1, port: {}}}]}}", revision + 1000),
        _ => format!("routes: [{{directResponseAction: {{status: 200, body: '{revision}'}}}}]"),
    };
    StoredObject {
        key: key.clone(),
        value: format!("metadata: {{name: {}, namespace: default}}\n{fields}\n", key.name).into(),
        location: Location::Key {
            store: "memory://test".into(),
            key: layout::format_key(key).into(),
            revision,
        },
        revision: Revision(revision),
        created: Some(1),
    }
}

fn intent(deletes: &[ObjectKey]) -> Intent {
    let author = Author { name: "ann".to_owned(), message: String::new() };
    let deletes = deletes.iter().map(layout::format_key).collect();
    Intent { author, at: Timestamp(0), puts: Vec::new(), deletes }
}

fn served(engine: &Engine) -> BTreeMap<ObjectKey, bytes::Bytes> {
    let good = engine.ingest().good().iter();
    good.map(|(key, object)| (key.clone(), object.value.clone())).collect()
}

fn reason(engine: &Engine) -> String {
    engine.guard().suspicion().map(|suspicion| suspicion.reason.to_string()).unwrap_or_default()
}

/// An engine that has read a full shelf.
fn started() -> (Engine, Shelf) {
    let (mut engine, shelf) = (engine(Memory::default(), Vec::new()), Shelf::full());
    engine.on_event(shelf.listed(), Instant::now());
    (engine, shelf)
}

#[tokio::test(start_paused = true)]
async fn few_removals_pass_and_many_are_held_while_additions_flow() {
    let (mut engine, mut shelf) = started();
    engine.on_event(shelf.delete(&keys()[..2]), Instant::now());
    assert_eq!(served(&engine), shelf.values());
    engine.on_event(shelf.delete(&keys()[2..7]), Instant::now());
    assert_eq!(reason(&engine), "7 of 9 Upstream objects went within a minute");
    assert_eq!((served(&engine).len(), engine.guard().held().len()), (16, 5));
    // One comes back changed, another is new.
    engine.on_event(shelf.put(&keys()[1..3]), Instant::now());
    assert_eq!((served(&engine).len(), engine.guard().held().len()), (17, 4));
    engine.on_event(shelf.put(&keys()[3..7]), Instant::now());
    assert_eq!((served(&engine), reason(&engine)), (shelf.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn wipe_in_small_steps_is_seen_as_one() {
    let (mut engine, mut shelf) = started();
    for key in &keys()[..9] {
        engine.on_event(shelf.delete(std::slice::from_ref(key)), Instant::now());
    }
    assert_eq!((served(&engine).len(), engine.guard().held().len()), (14, 5));
}

#[tokio::test(start_paused = true)]
async fn removals_that_are_far_apart_pass() {
    let (mut engine, mut shelf) = started();
    for key in &keys()[..17] {
        engine.on_event(shelf.delete(std::slice::from_ref(key)), Instant::now());
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    assert_eq!(served(&engine), shelf.values());
}

#[tokio::test(start_paused = true)]
async fn no_timer_releases_what_is_held() {
    let (mut engine, mut shelf) = started();
    let all = keys();
    engine.on_event(shelf.delete(&all), Instant::now());
    tokio::time::advance(Duration::from_hours(1000)).await;
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(
        (served(&engine).len(), reason(&engine)),
        (18, "it is empty, but held 18 objects before".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn intent_that_is_read_later_releases_what_it_names_and_what_is_left_is_judged_alone() {
    let (mut engine, mut shelf) = started();
    let all = keys();
    engine.on_event(shelf.delete(&all[..6]), Instant::now());
    // Not meant by it, and too few to look wrong.
    engine.on_event(shelf.delete(&all[7..8]), Instant::now());
    assert_eq!(engine.guard().held().len(), 7);
    let meant = shelf.intent(&all[..6]);
    engine.on_intents(&[meant], Instant::now());
    assert_eq!((served(&engine), reason(&engine)), (shelf.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn intent_does_not_cover_an_object_that_was_made_anew_since() {
    let (mut engine, mut shelf) = started();
    let all = keys();
    let old = shelf.intent(&all);
    engine.on_event(shelf.put(&all), Instant::now());
    engine.on_event(shelf.delete(&all), Instant::now());
    assert!(engine.on_intents(&[old], Instant::now()).is_empty());
    assert_eq!(served(&engine).len(), 18);
}

#[tokio::test(start_paused = true)]
async fn older_backup_takes_nothing_away_and_nothing_back_until_accepted() {
    let (mut engine, mut shelf) = started();
    let backup = shelf.clone();
    let newer = ObjectKey::new(Kind::RouteTable, "default", "newer");
    engine.on_event(shelf.put(&[keys()[0].clone(), newer.clone()]), Instant::now());
    let before = served(&engine);
    let mut shelf = backup;
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(served(&engine), before);
    assert_eq!(reason(&engine), "it went back from revision 3 to 2, as a restored backup does");
    assert_eq!(engine.guard().held().len(), 2);
    // What is written since the restore flows, though its revisions were given out before.
    engine.on_event(shelf.put(&keys()[1..2]), Instant::now());
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(served(&engine)[&keys()[1]], shelf.values()[&keys()[1]]);
    assert_eq!(engine.guard().held().len(), 2);
    let released = engine.accept(Instant::now());
    assert_eq!((released.removals, released.older.len()), (vec![newer], 1));
    assert_eq!((served(&engine), reason(&engine)), (shelf.values(), String::new()));
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(reason(&engine), "", "the present revision is trusted");
}

#[tokio::test(start_paused = true)]
async fn other_store_at_the_same_place_is_trusted_only_if_it_lacks_nothing() {
    let (mut engine, mut shelf) = started();
    shelf.identity = 2;
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(reason(&engine), "");
    shelf.identity = 3;
    shelf.delete(&keys()[..1]);
    engine.on_event(shelf.listed(), Instant::now());
    assert!(reason(&engine).contains("another store"), "{}", reason(&engine));
    assert_eq!(served(&engine).len(), 18);
}

#[tokio::test(start_paused = true)]
async fn removals_while_nobody_looked_are_judged_against_the_last_run() {
    let mut shelf = Shelf::full();
    let last_run: Vec<_> = shelf.objects.values().cloned().collect();
    shelf.delete(&keys()[..6]);
    let memory = Memory { identity: Some(Identity::new("1")), revision: Revision(2), ..Memory::default() };
    let mut engine = engine(memory, last_run);
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(reason(&engine), "6 of 9 Upstream objects went since Biplane ran last");
    assert_eq!(served(&engine).len(), 18);
}

#[tokio::test(start_paused = true)]
async fn restart_releases_nothing_that_was_held() {
    let (mut first, mut shelf) = started();
    for key in &keys()[..5] {
        first.on_event(shelf.delete(std::slice::from_ref(key)), Instant::now());
    }
    assert_eq!(first.guard().held().len(), 1);
    let (memory, objects) = (first.guard().memory(), first.good().1.values().cloned().collect());
    let mut second = engine(memory, objects);
    assert_eq!(second.guard().memory().held.len(), 1, "also while the store was not read");
    second.on_event(shelf.listed(), Instant::now());
    assert_eq!((served(&second).len(), second.guard().held().len()), (14, 1));
}

#[tokio::test(start_paused = true)]
async fn backup_restored_while_nobody_looked_is_seen_by_its_revision() {
    let (mut first, mut shelf) = started();
    let backup = shelf.clone();
    first.on_event(shelf.put(&keys()[..1]), Instant::now());
    let (memory, objects) = (first.guard().memory(), first.good().1.values().cloned().collect());
    let mut second = engine(memory, objects);
    second.on_event(backup.listed(), Instant::now());
    assert!(reason(&second).contains("restored backup"), "{}", reason(&second));
    assert_eq!(served(&second), shelf.values());
}

#[tokio::test(start_paused = true)]
async fn guard_that_is_off_holds_nothing() {
    let off = Guard::new("memory://test", Rules { on: false, ..rules() }, Memory::default());
    let mut engine = Engine::guarded(Fleets::new(), Holds::new(Duration::ZERO), off, Vec::new());
    let mut shelf = Shelf::full();
    engine.on_event(shelf.listed(), Instant::now());
    engine.on_event(shelf.delete(&keys()), Instant::now());
    assert_eq!(served(&engine), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn directory_may_go_to_another_identity_and_count_its_revisions_anew() {
    let rules = Rules::default();
    let guard = Guard::new("file:///a", rules, Memory::default());
    let mut engine = Engine::guarded(Fleets::new(), Holds::new(Duration::ZERO), guard, Vec::new());
    let mut shelf = Shelf::full();
    engine.on_event(shelf.listed(), Instant::now());
    shelf.delete(&keys()[..2]);
    shelf.identity = 2;
    shelf.revision = 0;
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(served(&engine), shelf.values());
}

/// What happens to the store, or to the engine.
#[derive(Clone, Debug)]
enum Step {
    Put(Vec<ObjectKey>),
    Delete(Vec<ObjectKey>),
    /// Deleted behind the watch's back, and then listed.
    Miss(Vec<ObjectKey>),
    Relist,
    Backup,
    Restore,
    OtherStore,
    Wait(u64),
    Intent(Vec<ObjectKey>),
    Accept,
}

fn some() -> impl Strategy<Value = Vec<ObjectKey>> {
    prop_oneof![3 => subsequence(keys(), 0..=4), 1 => subsequence(keys(), 0..=2 * NAMES)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => some().prop_map(Step::Put),
        6 => some().prop_map(Step::Delete),
        3 => some().prop_map(Step::Miss),
        2 => Just(Step::Relist),
        1 => Just(Step::Backup),
        1 => Just(Step::Restore),
        1 => Just(Step::OtherStore),
        4 => (1_u64..50).prop_map(Step::Wait),
        3 => some().prop_map(Step::Intent),
        1 => Just(Step::Accept),
    ]
}

/// Judges by the letter of the rules, from a log of everything.
#[derive(Debug)]
struct Judge {
    now: u64,
    trusted: (u32, u64),
    /// Removals that were carried out and that nobody meant: when, and which.
    removals: Vec<(u64, ObjectKey)>,
}

impl Judge {
    /// Whether these may go, given what was served.
    fn permits(
        &self,
        gone: &BTreeSet<ObjectKey>,
        served: &BTreeSet<ObjectKey>,
        store: &Shelf,
        first: bool,
    ) -> bool {
        let recent: Vec<_> = self.recent(store);
        let had = served.len() + recent.len();
        let left = served.union(&store.objects.keys().cloned().collect()).count() - gone.len();
        if left == 0 && had >= if first { 1 } else { 3 } {
            return false;
        }
        let regressed = store.identity != self.trusted.0 || store.revision < self.trusted.1;
        !regressed
            && [Kind::Upstream, Kind::RouteTable].into_iter().all(|kind| {
                let of =
                    |keys: &mut dyn Iterator<Item = &ObjectKey>| keys.filter(|key| key.kind == kind).count();
                let before = of(&mut recent.iter().copied());
                let removed = of(&mut gone.iter()) + before;
                let had = of(&mut served.iter()) + before;
                of(&mut gone.iter()) == 0 || removed < 5 || removed * 100 <= had * 30
            })
    }

    fn recent(&self, store: &Shelf) -> Vec<&ObjectKey> {
        let recent =
            self.removals.iter().filter(|(at, key)| at + 60 > self.now && !store.objects.contains_key(key));
        let recent: BTreeSet<_> = recent.map(|(_, key)| key).collect();
        recent.into_iter().collect()
    }
}

fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut engine, mut shelf) = started();
        let mut backup = shelf.clone();
        let mut judge = Judge { now: 0, trusted: (shelf.identity, shelf.revision), removals: Vec::new() };
        for step in steps {
            let before: BTreeSet<_> = served(&engine).into_keys().collect();
            let was_suspect = engine.guard().suspicion().is_some();
            let mut meant = BTreeSet::new();
            let mut accepted = false;
            let now = Instant::now();
            match step {
                Step::Put(keys) => engine.on_event(shelf.put(&keys), now),
                Step::Delete(keys) => engine.on_event(shelf.delete(&keys), now),
                Step::Miss(keys) => {
                    shelf.delete(&keys);
                    engine.on_event(shelf.listed(), now);
                }
                Step::Relist => engine.on_event(shelf.listed(), now),
                Step::Backup => backup = shelf.clone(),
                Step::Restore => {
                    shelf = backup.clone();
                    engine.on_event(shelf.listed(), now);
                }
                Step::OtherStore => {
                    shelf.identity += 1;
                    engine.on_event(shelf.listed(), now);
                }
                Step::Wait(seconds) => {
                    judge.now += seconds;
                    tokio::time::advance(Duration::from_secs(seconds)).await;
                }
                Step::Intent(keys) => {
                    let gone: Vec<_> =
                        keys.iter().filter(|key| !shelf.objects.contains_key(key)).cloned().collect();
                    meant = gone.iter().cloned().collect();
                    let record = shelf.intent(&gone);
                    engine.on_intents(&[record], now);
                    judge.removals.retain(|(_, key)| !meant.contains(key));
                    let held = engine.guard().held();
                    prop_assert!(meant.iter().all(|key| !held.contains_key(key)), "meant, and still held");
                }
                Step::Accept => {
                    engine.accept(now);
                    accepted = true;
                    judge.removals.clear();
                    prop_assert!(engine.guard().held().is_empty());
                }
            }
            let after = served(&engine);
            let removed: BTreeSet<_> =
                before.iter().filter(|key| !after.contains_key(*key)).cloned().collect();
            let unmeant: BTreeSet<_> = removed.difference(&meant).cloned().collect();
            if !accepted && !unmeant.is_empty() {
                let rest: BTreeSet<_> = before.difference(&meant).cloned().collect();
                let excused = !meant.is_empty() || !was_suspect;
                prop_assert!(excused, "removed while suspect: {unmeant:?}");
                prop_assert!(judge.permits(&unmeant, &rest, &shelf, false), "removed: {unmeant:?}");
                judge.removals.extend(unmeant.into_iter().map(|key| (judge.now, key)));
            }
            judge.removals.retain(|(_, key)| !shelf.objects.contains_key(key));
            invariants(&engine, &shelf, &after)?;
            if engine.guard().suspicion().is_none() {
                judge.trusted = (shelf.identity, shelf.revision);
            }
        }
        engine.accept(Instant::now());
        prop_assert_eq!(served(&engine), shelf.values());
        Ok(())
    })
}

/// What holds at any time.
fn invariants(
    engine: &Engine,
    shelf: &Shelf,
    served: &BTreeMap<ObjectKey, bytes::Bytes>,
) -> Result<(), TestCaseError> {
    let (values, held) = (shelf.values(), engine.guard().held());
    prop_assert_eq!(held.is_empty(), engine.guard().suspicion().is_none());
    for (key, value) in &values {
        let same = served.get(key) == Some(value);
        let older = held.get(key).is_some_and(|held| matches!(held.what, Withheld::Older(_)));
        prop_assert!(same != older, "{} is shown and not served as it is", key);
    }
    for key in served.keys().filter(|key| !values.contains_key(*key)) {
        let removal = held.get(key).is_some_and(|held| held.what == Withheld::Removal);
        prop_assert!(removal, "{} is gone, served, and not held", key);
    }
    prop_assert!(held.keys().all(|key| served.contains_key(key)), "held and not served");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_but_by_an_unsuspicious_reading_an_intent_or_a_word(steps in proptest::collection::vec(step(), 1..30)) {
        check(steps)?;
    }
}
