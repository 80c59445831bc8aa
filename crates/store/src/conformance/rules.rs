//! The rules of reading. Each function is one rule; its name says it.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::time::timeout;

use super::follower::{PATIENCE, contains};
use super::hands::{follow, keys, list, value, values, write};
use super::{Harness, document, key};
use crate::error::StoreError;
use crate::object::{Change, Revision, WatchEvent};
use crate::store::{Store, WatchStream};

/// Known empty is a legal state, and not the same as unknown.
pub async fn an_empty_store_lists_completely_and_empty(harness: impl Harness) {
    let listing = list(&harness).await;
    assert_eq!((listing.items, listing.faults), (Vec::new(), Vec::new()));
}

/// No settling time: what was written before the call is in the listing.
pub async fn list_after_write_sees_it(harness: impl Harness) {
    for note in ["first", "second", "third"] {
        write(&harness, "a", note).await;
        let listing = list(&harness).await;
        assert!(contains(value(&listing, &key("a")), note), "{listing:?} lacks {note}");
    }
}

/// Equal content gives equal listings, so order is part of the content.
pub async fn a_listing_is_sorted_and_has_each_key_once(harness: impl Harness) {
    for name in ["m", "a", "z", "b"] {
        write(&harness, name, "1").await;
    }
    write(&harness, "m", "2").await;
    let keys: Vec<_> = keys(&list(&harness).await);
    assert_eq!(keys, ["a", "b", "m", "z"].map(key));
}

/// What is written between the list and the watch is told by the watch.
pub async fn watch_from_listing_revision_misses_nothing(harness: impl Harness) {
    write(&harness, "before", "1").await;
    let store = harness.store();
    let listing = list(&harness).await;
    write(&harness, "between", "1").await;
    let mut watch = store.watch(listing.revision).await.expect("the store can be watched");
    write(&harness, "after", "1").await;
    let mut missing = vec![key("between"), key("after")];
    while !missing.is_empty() {
        let event = next(&mut watch).await.expect("the watch goes on").expect("the watch works");
        let WatchEvent::Changes(changes) = event else { panic!("no history was lost, yet: {event:?}") };
        missing.retain(|key| !changes.changes.iter().any(|change| change.key() == key));
    }
}

/// A changed value reaches the watch.
pub async fn a_change_is_seen(harness: impl Harness) {
    write(&harness, "a", "first").await;
    let mut follower = follow(&harness).await;
    write(&harness, "a", "second").await;
    follower.until_note(&key("a"), "second").await;
}

/// A removed object reaches the watch as a deletion, and leaves the listing.
pub async fn removal_is_seen(harness: impl Harness) {
    write(&harness, "a", "1").await;
    write(&harness, "b", "1").await;
    let mut follower = follow(&harness).await;
    harness.remove(key("a")).await;
    follower.until("a to go", |seen| !seen.objects.contains_key(&key("a"))).await;
    assert_eq!(keys(&list(&harness).await), [key("b")]);
}

/// Objects that were written in one step are told in one step: half an edit is never published.
pub async fn written_together_is_told_together(harness: impl Harness) {
    let mut follower = follow(&harness).await;
    let names = ["a", "b", "c", "d"];
    harness.write(names.map(|name| (key(name), document(&key(name), "1"))).into()).await;
    follower.until("all four", |seen| seen.objects.len() == names.len()).await;
    let telling = follower.told.iter().filter(|changes| !changes.changes.is_empty()).count();
    assert_eq!(telling, 1, "{:?}", follower.told);
}

/// Later events have later revisions, and never an earlier one than the listing's.
pub async fn revisions_only_grow(harness: impl Harness) {
    let mut follower = follow(&harness).await;
    let listed = follower.revision;
    for note in ["1", "2", "3"] {
        write(&harness, "a", note).await;
        follower.until_note(&key("a"), &format!("\"{note}\"")).await;
    }
    let told: Vec<_> = follower.told.iter().map(|changes| changes.revision).collect();
    assert!(told.first().is_none_or(|first| *first > listed), "{listed} then {told:?}");
    assert!(told.is_sorted(), "{told:?}");
    assert!(list(&harness).await.revision >= follower.revision);
}

/// A replica that asks where the store is, and has applied that, has applied every earlier write.
pub async fn head_is_not_behind_a_write(harness: impl Harness) {
    let mut follower = follow(&harness).await;
    write(&harness, "a", "1").await;
    let head = harness.store().head().await.expect("the store says where it is");
    follower.until("the head", |seen| seen.revision >= head).await;
    assert!(follower.has_note(&key("a"), "1"), "at {head} without the write");
}

/// Writing what is there already may be told, but never as anything else than what is there.
pub async fn same_content_rewrite_is_harmless(harness: impl Harness) {
    write(&harness, "a", "same").await;
    let before = list(&harness).await;
    let mut follower = follow(&harness).await;
    write(&harness, "a", "same").await;
    write(&harness, "z", "marker").await;
    follower.until_note(&key("z"), "marker").await;
    let of_a = follower.told.iter().flat_map(|told| &told.changes).filter(|change| *change.key() == key("a"));
    for change in of_a {
        assert!(
            matches!(change, Change::Put(object) if object.value == *value(&before, &key("a"))),
            "{change:?}"
        );
    }
}

/// The one rule that everything rests on.
pub async fn unavailable_is_failed_never_empty(harness: impl Harness) {
    write(&harness, "a", "1").await;
    let mut follower = follow(&harness).await;
    harness.take_away().await;
    let error = harness.store().list().await.expect_err("a store that is gone cannot be listed");
    assert!(matches!(error, StoreError::Unavailable { .. } | StoreError::Denied { .. }), "{error:?}");
    assert!(harness.store().head().await.is_err(), "a store that is gone has no head");
    let watched = follower.until_end().await;
    assert!(watched.iter().all(|changes| changes.changes.is_empty()), "told while away: {watched:?}");
    harness.give_back().await;
}

/// After trouble the same instance works on.
pub async fn a_store_that_comes_back_lists_again(harness: impl Harness) {
    write(&harness, "a", "1").await;
    let before = list(&harness).await;
    harness.take_away().await;
    harness.store().list().await.expect_err("it is away");
    harness.give_back().await;
    let after = list(&harness).await;
    assert_eq!(values(&after), values(&before));
    let mut follower = follow(&harness).await;
    write(&harness, "b", "1").await;
    follower.until_note(&key("b"), "1").await;
}

/// A key or document that names no object is a fault beside a complete listing.
pub async fn one_bad_document_costs_only_itself(harness: impl Harness) {
    write(&harness, "a", "1").await;
    harness.write_broken().await;
    write(&harness, "b", "1").await;
    let listing = list(&harness).await;
    assert_eq!(keys(&listing), [key("a"), key("b")]);
    assert_eq!(listing.faults.len(), 1, "{:?}", listing.faults);
}

/// Faults come and go by the watch as objects do.
pub async fn a_bad_document_is_told_and_cleared_by_the_watch(harness: impl Harness) {
    let mut follower = follow(&harness).await;
    harness.write_broken().await;
    follower.until("the fault", |seen| seen.faults.len() == 1).await;
    harness.remove_broken().await;
    follower.until("no fault", |seen| seen.faults.is_empty()).await;
}

/// Removing everything is legal and reaches the reader; whether to believe it is decided above.
pub async fn removing_the_last_object_is_known_empty(harness: impl Harness) {
    write(&harness, "only", "1").await;
    let mut follower = follow(&harness).await;
    harness.remove(key("only")).await;
    follower.until("nothing", |seen| seen.objects.is_empty()).await;
    assert_eq!(list(&harness).await.items, Vec::new());
}

/// A revision from the future (of another life, or of a restored backup's past) is not waited for.
pub async fn an_unknown_revision_asks_to_resync(harness: impl Harness) {
    let beyond = Revision(list(&harness).await.revision.0 + 1_000_000);
    assert_resync(&harness.store(), beyond).await;
}

/// A reader that has fallen behind what the store remembers is told so.
pub async fn lost_history_asks_to_resync(harness: impl Harness) {
    write(&harness, "a", "1").await;
    let old = list(&harness).await.revision;
    write(&harness, "a", "2").await;
    harness.lose_history().await;
    assert_resync(&harness.store(), old).await;
}

/// Losing history loses no content.
pub async fn after_a_resync_list_and_watch_agree(harness: impl Harness) {
    write(&harness, "a", "1").await;
    harness.lose_history().await;
    let mut follower = follow(&harness).await;
    write(&harness, "b", "1").await;
    follower.until_note(&key("b"), "1").await;
    assert!(follower.has_note(&key("a"), "1"));
}

/// Replicas see the same objects in the same order.
pub async fn two_replicas_list_alike(harness: impl Harness) {
    for name in ["c", "a", "b"] {
        write(&harness, name, name).await;
    }
    harness.write_broken().await;
    let other = harness.replica().await.list().await.expect("the replica lists");
    let one = list(&harness).await;
    assert_eq!(values(&one), values(&other));
    assert_eq!(one.identity, other.identity);
    assert_eq!(one.faults.len(), other.faults.len());
}

/// Which store it is does not depend on who asks, or when.
pub async fn identity_is_the_same_for_every_instance(harness: impl Harness) {
    let first = list(&harness).await.identity;
    write(&harness, "a", "1").await;
    for instance in [harness.store(), harness.replica().await, harness.replica().await] {
        assert_eq!(instance.list().await.expect("the store lists").identity, first);
    }
}

/// Reading one object is as good as reading all of them.
pub async fn one_object_reads_as_the_listing_has_it(harness: impl Harness) {
    write(&harness, "a", "1").await;
    write(&harness, "b", "2").await;
    let (store, listing) = (harness.store(), list(&harness).await);
    for object in &listing.items {
        assert_eq!(store.get(&object.key).await, Ok(Some(object.clone())));
    }
    assert_eq!(store.get(&key("absent")).await, Ok(None));
    harness.take_away().await;
    assert!(store.get(&key("absent")).await.is_err(), "a store that is gone knows nothing of absence");
    harness.give_back().await;
}

/// Watches share nothing that one could take from the other.
pub async fn two_watches_tell_the_same(harness: impl Harness) {
    let mut one = follow(&harness).await;
    let mut two = follow(&harness).await;
    for note in ["1", "2"] {
        write(&harness, "a", note).await;
    }
    harness.write(vec![(key("z"), document(&key("z"), "last"))]).await;
    one.until_note(&key("z"), "last").await;
    two.until_note(&key("z"), "last").await;
    one.until_note(&key("a"), "\"2\"").await;
    two.until_note(&key("a"), "\"2\"").await;
    assert_eq!(one.objects, two.objects);
}

/// A watch may be dropped at any time.
pub async fn a_dropped_watch_harms_nobody(harness: impl Harness) {
    let mut stays = follow(&harness).await;
    let goes = follow(&harness).await;
    drop(goes);
    write(&harness, "a", "1").await;
    stays.until_note(&key("a"), "1").await;
}

async fn assert_resync(store: &Arc<dyn Store>, from: Revision) {
    let mut watch = store.watch(from).await.expect("the store can be watched");
    let event = next(&mut watch).await;
    assert!(matches!(event, Some(Ok(WatchEvent::Resync))), "watching from {from}: {event:?}");
    assert!(next(&mut watch).await.is_none(), "the watch ends with its resync");
}

async fn next(watch: &mut WatchStream) -> Option<Result<WatchEvent, StoreError>> {
    timeout(PATIENCE, watch.next()).await.expect("the watch says something in time")
}
