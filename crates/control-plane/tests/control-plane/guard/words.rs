//! An operator's word on one replica, and what the others make of it.

use biplane_store::{Acceptance, Author, Intent};

use super::*;

/// What a replica that was told so leaves in the store.
fn word(shelf: &mut Shelf, released: &Released) -> (Revision, Intent) {
    let keys = |keys: &[ObjectKey]| keys.iter().map(biplane_store::layout::format_key).collect();
    let older: Vec<_> = released.older.iter().map(|object| object.key.clone()).collect();
    shelf.revision += 1;
    let intent = Intent {
        author: Author::default(),
        at: biplane_core::scalars::Timestamp(0),
        puts: keys(&older),
        deletes: keys(&released.removals),
        accepts: released.acceptance(),
    };
    (Revision(shelf.revision), intent)
}

/// Two replicas, and a backup that lacks an object and has an older version of another.
fn restored() -> (Engine, Engine, Shelf) {
    let (mut one, mut shelf) = started();
    let backup = shelf.clone();
    let mut two = engine(Memory::default(), Vec::new());
    shelf.revision += 50_000;
    shelf.put(&[keys()[0].clone(), ObjectKey::new(Kind::RouteTable, "default", "newer")]);
    one.on_event(shelf.listed(), Instant::now());
    two.on_event(shelf.listed(), Instant::now());
    (one, two, backup)
}

#[tokio::test(start_paused = true)]
async fn word_about_a_restored_backup_reaches_a_replica_that_reads_it_later() {
    let (mut one, mut two, mut shelf) = restored();
    one.on_event(shelf.listed(), Instant::now());
    let released = one.accept(Instant::now());
    let word = word(&mut shelf, &released);
    shelf.revision += 10;
    two.on_event(shelf.listed(), Instant::now());
    assert_eq!(two.guard().held().len(), 2);
    two.on_intents(&[word], Instant::now());
    assert_eq!((served(&two), reason(&two)), (shelf.values(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn word_about_one_version_does_not_let_another_go() {
    let (mut one, mut two, mut shelf) = restored();
    one.on_event(shelf.listed(), Instant::now());
    let released = one.accept(Instant::now());
    let word = word(&mut shelf, &released);
    two.on_event(shelf.listed(), Instant::now());
    two.on_intents(std::slice::from_ref(&word), Instant::now());
    assert_eq!(reason(&two), "");
    // The same objects come again, and the backup, which holds the word by now, is restored once more.
    let backup = shelf.clone();
    shelf.revision += 100;
    shelf.put(&[keys()[0].clone(), ObjectKey::new(Kind::RouteTable, "default", "newer")]);
    two.on_event(shelf.listed(), Instant::now());
    let before = served(&two);
    two.on_event(backup.listed(), Instant::now());
    assert!(two.on_intents(&[word], Instant::now()).is_empty());
    assert_eq!((served(&two), two.guard().held().len()), (before, 2));
}

#[tokio::test(start_paused = true)]
async fn word_about_another_store_means_nothing() {
    let (_, mut two, mut shelf) = restored();
    two.on_event(shelf.listed(), Instant::now());
    let versions = two.guard().held().keys().map(|key| (biplane_store::layout::format_key(key), 50_003));
    let versions = versions.collect();
    let (revision, mut word) = word(&mut shelf, &Released::default());
    word.accepts = Some(Acceptance { identity: "2".to_owned(), versions });
    assert!(two.on_intents(&[(revision, word.clone())], Instant::now()).is_empty());
    word.accepts = word.accepts.map(|accepts| Acceptance { identity: "1".to_owned(), ..accepts });
    assert!(!two.on_intents(&[(revision, word)], Instant::now()).is_empty());
}
