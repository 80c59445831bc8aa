//! The rules of the sentinel: an unmarked place is never taken for an empty store. A store that no sentinel
//! marks passes them by saying so in its description.

use super::hands::{follow, keys, list, marked, write};
use super::{Harness, key};
use crate::error::StoreError;
use crate::object::Change;

/// Whoever cannot see the mark may not see the objects either (I1): wiped, hidden by rights, or new.
pub async fn an_unmarked_place_is_not_empty(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    harness.unmark().await;
    for answer in [
        store.list().await.map(|_| ()),
        store.head().await.map(|_| ()),
        store.get(&key("a")).await.map(|_| ()),
        harness.replica().await.list().await.map(|_| ()),
    ] {
        let error = answer.expect_err("nothing says that this is a store");
        assert!(matches!(error, StoreError::Unmarked { .. }), "{error:?}");
        assert!(error.hint().is_some(), "somebody has to be told about init");
    }
}

/// `biplane init` makes a store of a place, and of what lies there already its content.
pub async fn init_marks_a_place_and_keeps_what_is_there(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    write(&harness, "a", "1").await;
    harness.unmark().await;
    let identity = store.init().await.expect("a place can be marked");
    let listing = list(&harness).await;
    assert_eq!((listing.identity.clone(), keys(&listing)), (identity, vec![key("a")]));
    assert_eq!(listing.faults, []);
}

/// Marking what is marked changes nothing, whoever does it.
pub async fn init_of_a_marked_store_changes_nothing(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    let before = list(&harness).await;
    for instance in [store, harness.replica().await] {
        assert_eq!(instance.init().await, Ok(before.identity.clone()));
    }
    assert_eq!(list(&harness).await, before);
}

/// Two who mark a place at once agree on what it is called.
pub async fn two_inits_at_once_agree(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    harness.unmark().await;
    let replica = harness.replica().await;
    let (one, two) = tokio::join!(store.init(), replica.init());
    let identity = one.expect("a place can be marked");
    assert_eq!(two, Ok(identity.clone()));
    assert_eq!(list(&harness).await.identity, identity);
}

/// A place that is marked anew is another store: what was known of the old one is not known of it.
pub async fn a_place_that_is_marked_anew_is_another_store(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    let before = list(&harness).await.identity;
    harness.unmark().await;
    assert_ne!(store.init().await.expect("a place can be marked"), before);
}

/// The mark gone means that nothing is known any more; the watch says so and ends.
pub async fn a_mark_taken_away_ends_the_watch(harness: impl Harness) {
    if marked(&harness).is_none() {
        return;
    }
    write(&harness, "a", "1").await;
    let mut follower = follow(&harness).await;
    harness.unmark().await;
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    assert!(matches!(follower.ended, Some(StoreError::Unmarked { .. })), "{:?}", follower.ended);
}

/// A wipe takes the mark with it: of all those deletions none is told.
pub async fn a_wipe_tells_no_deletion(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    for name in ["a", "b", "c"] {
        write(&harness, name, "1").await;
    }
    let mut follower = follow(&harness).await;
    harness.wipe().await;
    let told = follower.until_end().await;
    let deleted = |change: &Change| matches!(change, Change::Deleted(_));
    assert!(!told.iter().flat_map(|told| &told.changes).any(deleted), "{told:?}");
    assert!(matches!(follower.ended, Some(StoreError::Unmarked { .. })), "{:?}", follower.ended);
    assert!(matches!(store.list().await, Err(StoreError::Unmarked { .. })));
}

/// What a sentinel marks has room for Biplane's own records.
pub async fn a_marked_store_keeps_records(harness: impl Harness) {
    let Some(store) = marked(&harness) else { return };
    for instance in [store, harness.replica().await] {
        assert!(instance.records().is_some(), "{instance:?} has a sentinel and no records");
    }
}
