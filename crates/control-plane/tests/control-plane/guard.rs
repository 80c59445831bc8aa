//! The shrink guard behind the engine.

mod elsewhere;
mod property;
mod shelf;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use biplane_control_plane::engine::Engine;
use biplane_control_plane::guard::{Guard, Memory, Released, Rules};
use biplane_control_plane::hold::Holds;
use biplane_core::key::{Kind, ObjectKey};
use biplane_store::{Identity, Revision, RevisionScope, StoredObject};
use biplane_xds::Fleets;
use tokio::time::Instant;

use shelf::{Shelf, keys};

fn rules() -> Rules {
    Rules { sentinel: true, revisions: RevisionScope::Store, ..Rules::default() }
}

fn guard(memory: Memory) -> Guard {
    Guard::new("memory://test", rules(), memory)
}

fn engine(memory: Memory, fallback: Vec<StoredObject>) -> Engine {
    Engine::guarded(Fleets::new(), Holds::new(Duration::from_secs(30)), guard(memory), fallback)
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
async fn what_an_intent_leaves_is_not_taken_for_all_there_is() {
    let (mut engine, mut shelf) = (engine(Memory::default(), Vec::new()), Shelf::new());
    let all = keys();
    shelf.put(&all[..14]);
    engine.on_event(shelf.listed(), Instant::now());
    engine.on_event(shelf.delete(&all[..6]), Instant::now());
    engine.on_event(shelf.delete(&all[13..14]), Instant::now());
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
async fn older_backup_with_raised_revisions_is_seen_by_its_objects() {
    let (mut engine, mut shelf) = started();
    let mut backup = shelf.clone();
    let newer = ObjectKey::new(Kind::RouteTable, "default", "newer");
    engine.on_event(shelf.put(&[keys()[0].clone(), newer]), Instant::now());
    backup.revision += 1_000_000;
    engine.on_event(backup.listed(), Instant::now());
    assert_eq!((served(&engine), engine.guard().held().len()), (shelf.values(), 2));
    assert!(reason(&engine).contains("1 of its objects went back"), "{}", reason(&engine));
    engine.on_event(backup.put(&keys()[..1]), Instant::now());
    assert_eq!(
        (served(&engine)[&keys()[0]].clone(), engine.guard().held().len()),
        (backup.values()[&keys()[0]].clone(), 1)
    );
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
async fn what_the_last_run_held_may_go_like_anything_else_once_it_was_there_again() {
    let (mut first, mut shelf) = started();
    for key in &keys()[..5] {
        first.on_event(shelf.delete(std::slice::from_ref(key)), Instant::now());
    }
    let (memory, objects) = (first.guard().memory(), first.good().1.values().cloned().collect());
    let mut second = engine(memory, objects);
    second.on_event(shelf.listed(), Instant::now());
    assert_eq!(second.guard().held().len(), 1);
    second.on_event(shelf.put(&keys()[4..5]), Instant::now());
    tokio::time::advance(Duration::from_hours(100)).await;
    second.on_event(shelf.delete(&keys()[4..5]), Instant::now());
    assert_eq!((served(&second), reason(&second)), (shelf.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn what_the_last_run_held_may_go_like_anything_else_once_it_was_let_go() {
    for by_intent in [false, true] {
        let (mut first, mut shelf) = started();
        first.on_event(shelf.delete(&keys()[..5]), Instant::now());
        let (memory, objects) = (first.guard().memory(), first.good().1.values().cloned().collect());
        let mut second = engine(memory, objects);
        second.on_event(shelf.listed(), Instant::now());
        assert_eq!(second.guard().held().len(), 5);
        if by_intent {
            let meant = shelf.intent(&keys()[..5]);
            second.on_intents(&[meant], Instant::now());
        } else {
            second.accept(Instant::now());
        }
        second.on_event(shelf.put(&keys()[..5]), Instant::now());
        tokio::time::advance(Duration::from_hours(100)).await;
        second.on_event(shelf.delete(&keys()[..1]), Instant::now());
        assert_eq!((served(&second), reason(&second)), (shelf.values(), String::new()));
        assert!(second.guard().memory().held.is_empty());
    }
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
