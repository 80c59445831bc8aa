//! Random days in the life of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use biplane_control_plane::engine::Engine;
use biplane_control_plane::guard::Withheld;
use biplane_core::key::{Kind, ObjectKey};
use proptest::prelude::*;
use proptest::sample::subsequence;
use tokio::time::Instant;

use super::shelf::{NAMES, Shelf, keys};
use super::{served, started};

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
    /// How far the trusted store is at least known to have been: when something was changed there last.
    least: u64,
    /// Where the store was after the last step.
    last: (u32, u64),
    /// The trusted store itself went back since it was trusted.
    went_back: bool,
    /// What came into use while another store answered.
    strangers: BTreeSet<ObjectKey>,
}

impl Judge {
    /// Whether these may go, given what was served.
    fn permits(
        &self,
        gone: &BTreeSet<ObjectKey>,
        served: &BTreeSet<ObjectKey>,
        store: &Shelf,
        is_back: bool,
    ) -> bool {
        let recent: Vec<_> = self.recent(store);
        let had = served.len() + recent.len();
        let left = served.union(&store.objects.keys().cloned().collect()).count() - gone.len();
        if left == 0 && had >= 3 {
            return false;
        }
        let reached = if is_back { self.least } else { self.trusted.1 };
        let regressed = store.identity != self.trusted.0 || store.revision < reached;
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

    /// The store is there after a step; whether it is the trusted one again, after another.
    fn see(&mut self, store: &Shelf) -> bool {
        let (now, last) = ((store.identity, store.revision), self.last);
        self.last = now;
        let is_trusted = now.0 == self.trusted.0;
        self.went_back |= is_trusted && (now.1 < self.least || now.0 == last.0 && now.1 < last.1);
        is_trusted && last.0 != now.0 && !self.went_back
    }

    /// What the store shows is trusted.
    fn trust(&mut self, store: &Shelf, acts: bool) {
        if acts || store.identity != self.trusted.0 {
            self.least = if acts { store.revision } else { 0 };
        }
        self.trusted = (store.identity, store.revision);
        self.went_back = false;
        self.strangers.clear();
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
        let place = (shelf.identity, shelf.revision);
        let mut judge = Judge {
            now: 0,
            trusted: place,
            removals: Vec::new(),
            least: place.1,
            last: place,
            went_back: false,
            strangers: BTreeSet::new(),
        };
        for step in steps {
            let before: BTreeSet<_> = served(&engine).into_keys().collect();
            let was_suspect = engine.guard().suspicion().is_some();
            let mut meant = BTreeSet::new();
            let mut accepted = false;
            let now = Instant::now();
            let acts = match &step {
                Step::Put(keys) => !keys.is_empty(),
                Step::Delete(keys) => keys.iter().any(|key| shelf.objects.contains_key(key)),
                Step::Wait(_) | Step::Intent(_) | Step::Backup => false,
                _ => true,
            };
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
            let is_back = judge.see(&shelf);
            let unmeant = removed.difference(&meant);
            let unmeant: BTreeSet<_> =
                unmeant.filter(|key| !is_back || !judge.strangers.contains(key)).cloned().collect();
            if shelf.identity == judge.trusted.0 {
                judge.strangers.retain(|key| !shelf.objects.contains_key(key));
            } else {
                judge.strangers.extend(after.keys().filter(|key| !before.contains(*key)).cloned());
            }
            if !accepted && !unmeant.is_empty() {
                let rest: BTreeSet<_> = before.difference(&meant).cloned().collect();
                let excused = !meant.is_empty() || !was_suspect || is_back;
                prop_assert!(excused, "removed while suspect: {unmeant:?}");
                prop_assert!(judge.permits(&unmeant, &rest, &shelf, is_back), "removed: {unmeant:?}");
                judge.removals.extend(unmeant.into_iter().map(|key| (judge.now, key)));
            }
            judge.removals.retain(|(_, key)| !shelf.objects.contains_key(key));
            invariants(&engine, &shelf, &after)?;
            if engine.guard().suspicion().is_none() {
                judge.trust(&shelf, acts);
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
