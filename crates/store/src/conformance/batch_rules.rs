//! The rules of batches that no store takes in one transaction. A store that cannot be written passes them
//! by saying so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use biplane_core::key::{Kind, ObjectKey};

use super::follower::contains;
use super::hands::{follow, keys, list, marked, values, writable, write};
use super::{Follower, Harness, document, key};
use crate::batch::{Batch, Precondition};
use crate::error::StoreError;
use crate::intent::{self, Author, Intent};
use crate::layout;
use crate::manifest::Manifest;
use crate::object::{Change, Fault, FaultKind};
use crate::store::{Store, StoreExt as _};

/// More than etcd's 128 and Consul's 64 operations.
const MANY: usize = 300;

/// Enough long names that no store takes all of them in one value.
const LONG: usize = 2000;

/// However many steps the store needs, nobody sees one of them.
pub async fn a_large_batch_is_told_together(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let mut follower = follow(&harness).await;
    let done = Arc::new(AtomicBool::new(false));
    let sizes = tokio::spawn(listed_sizes(harness.replica().await, done.clone()));
    let revision = store.commit(puts(&many(), "1")).await.expect("a large batch");
    done.store(true, Ordering::Relaxed);
    follower.until("all of them", |seen| seen.objects.len() == MANY).await;
    assert_eq!(telling(&follower), 1, "one batch is one change");
    assert!(follower.revision >= revision, "{} before {revision}", follower.revision);
    let sizes = sizes.await.expect("no panic");
    assert!(sizes.is_subset(&BTreeSet::from([0, MANY])), "listings of {sizes:?} objects");
    assert_eq!(list(&harness).await.items.len(), MANY);
}

/// The same of deletions.
pub async fn a_large_delete_is_told_together(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    store.commit(puts(&many(), "1")).await.expect("a large batch");
    let mut follower = follow(&harness).await;
    store.commit(deletes(&many())).await.expect("a large batch");
    follower.until("nothing", |seen| seen.objects.is_empty()).await;
    assert_eq!(telling(&follower), 1, "one batch is one change");
    let listing = list(&harness).await;
    assert_eq!((keys(&listing), listing.faults), (Vec::new(), Vec::new()));
}

/// All conditions are looked at before anything is written.
pub async fn a_conflict_in_the_middle_of_a_large_batch_changes_nothing(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let keys = many();
    let guilty = keys[249].clone();
    let found = store.put(guilty.clone(), document(&guilty, "1"), Precondition::Any).await.expect("a write");
    let before = list(&harness).await;
    let mut follower = follow(&harness).await;
    let mut batch = puts(&keys, "2");
    batch.operations[249].precondition = Precondition::Absent;
    let result = store.commit(batch).await;
    assert_eq!(result, Err(StoreError::Conflict { key: guilty, found: Some(found) }));
    let after = list(&harness).await;
    assert_eq!((values(&after), after.faults), (values(&before), Vec::new()));
    write(&harness, "z", "marker").await;
    follower.until_note(&key("z"), "marker").await;
    let told: Vec<_> = changes(&follower).map(Change::key).collect();
    assert_eq!(told, [&key("z")], "of a batch that failed nothing is told");
}

/// Deleting what is absent fails the whole of a large batch as well.
pub async fn a_large_batch_that_deletes_what_is_absent_changes_nothing(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let batch = puts(&many(), "1").delete(key("absent"), Precondition::Any);
    assert_eq!(store.commit(batch).await, Err(StoreError::NotFound { key: key("absent") }));
    assert_eq!(keys(&list(&harness).await), []);
}

/// Writers of large batches take turns: every reader sees one's work or the other's.
pub async fn two_large_batches_do_not_interleave(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let (keys, other) = (many(), harness.replica().await);
    store.commit(puts(&keys, "note-none")).await.expect("a large batch");
    let mut follower = follow(&harness).await;
    let (one, two) =
        tokio::join!(store.commit(puts(&keys, "note-one")), other.commit(puts(&keys, "note-two")));
    assert!(one.is_ok() || two.is_ok(), "one of them at least is not in the other's way: {one:?}, {two:?}");
    write(&harness, "z", "marker").await;
    follower.until_note(&key("z"), "marker").await;
    let mut seen: BTreeMap<_, _> = keys.iter().map(|key| (key, "note-none")).collect();
    for told in &follower.told {
        for (key, note) in told.changes.iter().filter_map(noted) {
            seen.entry(key).and_modify(|seen| *seen = note);
        }
        let notes: BTreeSet<_> = seen.values().collect();
        assert_eq!(notes.len(), 1, "half of each at revision {}: {notes:?}", told.revision);
    }
}

/// A writer that died half-way is waited for, then told; the next one takes over.
pub async fn a_batch_left_open_is_held_back_and_then_told(harness: impl Harness) {
    let Some(store) = marked(&harness).filter(|store| store.describe().writable) else { return };
    let batch = puts(&many(), "1").put(key("a"), document(&key("a"), "2"), Precondition::Any);
    let batch = batch.by(Author { name: "ci-job".to_owned(), message: String::new() });
    let mut follower = follow(&harness).await;
    harness.leave_batch_open(Manifest::open(&batch)).await;
    write(&harness, "a", "half").await;
    let meanwhile = list(&harness).await;
    assert!(
        !keys(&meanwhile).contains(&key("a")) || meanwhile.faults.iter().any(unfinished),
        "half a batch is listed as if it were whole: {meanwhile:?}"
    );
    follower.until_note(&key("a"), "half").await;
    follower.until("the unfinished batch", |seen| seen.faults.iter().any(unfinished)).await;
    let first_fault = follower.told.iter().position(|told| told.faults.iter().flatten().any(unfinished));
    let first_change = follower.told.iter().position(|told| !told.changes.is_empty());
    assert!(first_fault <= first_change, "told as if it were whole: {:?}", follower.told);
    let message = follower.faults.iter().find(|fault| unfinished(fault)).map(ToString::to_string);
    let message = message.expect("it was told");
    assert!(message.contains("ci-job") && message.contains("301"), "{message}");
    store.commit(batch).await.expect("the next writer takes over");
    follower.until("all of it", |seen| seen.objects.len() == MANY + 1 && seen.faults.is_empty()).await;
    assert_eq!(list(&harness).await.faults, []);
}

/// Whoever writes through Biplane leaves word of it that is later than all that it deleted.
pub async fn an_authored_batch_leaves_its_intent(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let Some(records) = store.records() else { return };
    let author = || Author { name: "ann".to_owned(), message: "spring cleaning".to_owned() };
    store
        .commit(puts(&many(), "1").put(key("a"), document(&key("a"), "1"), Precondition::Any))
        .await
        .expect("puts");
    let before = list(&harness).await;
    assert_eq!(records.read_below(&intent::folder()).await, Ok(Vec::new()), "nobody said anything yet");
    store.commit(deletes(&[key("a")]).by(author())).await.expect("a small batch");
    store.commit(deletes(&many()).by(author())).await.expect("a large batch");
    let found = records.read_below(&intent::folder()).await.expect("intents can be read");
    let intents: Vec<_> = found
        .iter()
        .map(|(_, record)| (record.revision, Intent::decode(&record.value).expect("an intent")))
        .collect();
    assert_eq!(intents.len(), 2, "{intents:?}");
    assert!(intents.iter().all(|(_, intent)| intent.author == author()));
    for object in &before.items {
        let covered = |(at, intent): &(_, Intent)| intent.covers(*at, &object.key, object.revision);
        assert!(intents.iter().any(covered), "{} at {} is not covered", object.key, object.revision);
    }
}

/// However many objects a batch names: word of each of them is left.
pub async fn a_batch_of_many_long_names_leaves_word_of_each(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let Some(records) = store.records() else { return };
    let keys: BTreeSet<_> = (0..LONG).map(|n| key(&format!("{n:04}-{}", "n".repeat(240)))).collect();
    let all: Vec<_> = keys.iter().cloned().collect();
    let author = Author { name: "ann".to_owned(), message: String::new() };
    store.commit(puts(&all, "1").by(author)).await.expect("a very large batch");
    let written = list(&harness).await.items.into_iter().map(|object| object.revision).max();
    let found = records.read_below(&intent::folder()).await.expect("intents can be read");
    let intents: Vec<_> =
        found.iter().map(|(_, record)| (record.revision, Intent::decode(&record.value))).collect();
    assert!(intents.iter().all(|(at, _)| Some(*at) >= written), "none is earlier than what it names");
    let named = intents.into_iter().flat_map(|(_, intent)| intent.expect("an intent").puts);
    assert_eq!(named.collect::<BTreeSet<_>>(), keys.iter().map(layout::format_key).collect());
}

/// The sizes of all listings that are taken until it is done, and of one more.
async fn listed_sizes(store: Arc<dyn Store>, done: Arc<AtomicBool>) -> BTreeSet<usize> {
    let mut sizes = BTreeSet::new();
    loop {
        let last = done.load(Ordering::Relaxed);
        sizes.insert(store.list().await.expect("the store lists").items.len());
        if last {
            return sizes;
        }
    }
}

/// Keys in three namespaces and of three kinds.
fn many() -> Vec<ObjectKey> {
    let kinds = [Kind::Upstream, Kind::RouteTable, Kind::VirtualService];
    let namespaces = ["edge", "team-a", "team-b"];
    (0..MANY).map(|n| ObjectKey::new(kinds[n % 3], namespaces[n / 3 % 3], format!("n{n:03}"))).collect()
}

fn puts(keys: &[ObjectKey], note: &str) -> Batch {
    let put = |batch: Batch, key: &ObjectKey| batch.put(key.clone(), document(key, note), Precondition::Any);
    keys.iter().fold(Batch::new(), put)
}

fn deletes(keys: &[ObjectKey]) -> Batch {
    keys.iter().fold(Batch::new(), |batch, key| batch.delete(key.clone(), Precondition::Any))
}

fn changes(follower: &Follower) -> impl Iterator<Item = &Change> {
    follower.told.iter().flat_map(|told| &told.changes)
}

/// How often objects were told.
fn telling(follower: &Follower) -> usize {
    follower.told.iter().filter(|told| !told.changes.is_empty()).count()
}

fn unfinished(fault: &Fault) -> bool {
    fault.kind == FaultKind::Unfinished
}

/// Which writer an object is by.
fn noted(change: &Change) -> Option<(&ObjectKey, &'static str)> {
    let Change::Put(object) = change else { return None };
    let note =
        ["note-none", "note-one", "note-two"].into_iter().find(|note| contains(&object.value, note))?;
    Some((&object.key, note))
}
