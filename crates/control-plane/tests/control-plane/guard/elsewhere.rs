//! A mistyped address, or a name that resolves to another place: somebody else's store answers.

use super::*;

/// The same names in another store that has come further, every object with another value.
fn staging() -> Shelf {
    let mut staging = Shelf { identity: 2, revision: 9_000, ..Shelf::new() };
    staging.put(&keys());
    staging.revision += 1_000;
    staging
}

#[tokio::test(start_paused = true)]
async fn versions_of_another_store_replace_nothing_although_their_revisions_are_higher() {
    let (mut engine, shelf) = started();
    let mut staging = staging();
    engine.on_event(staging.listed(), Instant::now());
    assert_eq!((served(&engine), engine.guard().held().len()), (shelf.values(), 18));
    assert!(reason(&engine).contains("another store"), "{}", reason(&engine));
    // What is written there from now on flows.
    engine.on_event(staging.put(&keys()[..1]), Instant::now());
    assert_eq!(served(&engine)[&keys()[0]], staging.values()[&keys()[0]]);
    engine.accept(Instant::now());
    assert_eq!((served(&engine), reason(&engine)), (staging.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn old_intents_of_another_store_mean_nothing_here_and_new_ones_do() {
    let (mut engine, shelf) = started();
    let mut staging = staging();
    let old = staging.intent(&keys()[..4]);
    staging.delete(&keys()[..4]);
    engine.on_event(staging.listed(), Instant::now());
    assert!(engine.on_intents(std::slice::from_ref(&old), Instant::now()).is_empty());
    assert_eq!(served(&engine), shelf.values());
    let new = staging.intent(&keys()[..4]);
    assert_eq!(engine.on_intents(&[old, new], Instant::now()).removals, keys()[..4]);
}

#[tokio::test(start_paused = true)]
async fn right_store_is_believed_when_it_answers_again() {
    let (mut engine, mut shelf) = started();
    let mut staging = staging();
    staging.delete(&keys()[..2]);
    engine.on_event(staging.listed(), Instant::now());
    // Written there meanwhile: an object that is here too, and some that are not.
    let strangers: Vec<_> =
        (0..6).map(|n| ObjectKey::new(Kind::Upstream, "default", format!("stranger{n}"))).collect();
    engine.on_event(staging.put(&keys()[3..4]), Instant::now());
    engine.on_event(staging.put(&strangers), Instant::now());
    shelf.put(&keys()[6..7]);
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!((served(&engine), reason(&engine)), (shelf.values(), String::new()));
    // What it lacks is judged as ever.
    shelf.delete(&keys()[..6]);
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!(engine.guard().held().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn right_store_that_went_back_meanwhile_is_no_more_believed_than_otherwise() {
    let (mut engine, mut shelf) = started();
    let backup = shelf.clone();
    engine.on_event(shelf.put(&keys()[..1]), Instant::now());
    let before = served(&engine);
    engine.on_event(staging().listed(), Instant::now());
    engine.on_event(backup.listed(), Instant::now());
    assert_eq!((served(&engine), engine.guard().held().len()), (before, 1));
}

/// What a run left that knew its store by another address.
fn moved() -> (Engine, Shelf) {
    let (first, shelf) = started();
    let memory = Memory { moved: true, ..first.guard().memory() };
    (engine(memory, first.good().1.values().cloned().collect()), shelf)
}

#[tokio::test(start_paused = true)]
async fn what_was_left_under_another_address_counts_if_the_store_is_the_same() {
    let (mut engine, mut shelf) = moved();
    shelf.delete(&keys()[..6]);
    engine.on_event(shelf.listed(), Instant::now());
    assert_eq!((served(&engine).len(), engine.guard().held().len()), (18, 6));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_under_another_address_is_forgotten_if_the_store_is_another() {
    let (mut engine, _) = moved();
    let mut staging = staging();
    staging.delete(&keys()[..6]);
    engine.on_event(staging.listed(), Instant::now());
    assert_eq!((served(&engine), reason(&engine)), (staging.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_under_another_address_and_is_served_already_is_not_replaced_by_another_store() {
    let (mut engine, shelf) = moved();
    engine.on_silence(Instant::now());
    assert_eq!(served(&engine), shelf.values());
    engine.on_event(staging().listed(), Instant::now());
    assert_eq!(served(&engine), shelf.values());
    assert!(reason(&engine).contains("another store"), "{}", reason(&engine));
}
