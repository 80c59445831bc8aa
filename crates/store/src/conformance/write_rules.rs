//! The rules of writing. A store that cannot be written passes them by saying so.

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::{Kind, ObjectKey};
use bytes::Bytes;

use super::hands::{list, writable};
use super::{Follower, Harness, document, key};
use crate::batch::{Batch, Precondition};
use crate::error::StoreError;
use crate::store::StoreExt as _;

/// What a store says about itself and what it does agree.
pub async fn a_store_says_whether_it_can_be_written(harness: impl Harness) {
    let store = harness.store();
    let result = store.put(key("a"), value("1"), Precondition::Any).await;
    assert_eq!(store.describe().writable, result.is_ok(), "{result:?}");
    if let Err(error) = result {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert!(error.hint().is_some());
    }
}

/// A write is visible to everybody from the revision that it returned.
pub async fn a_committed_object_is_listed_and_watched(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let mut follower = Follower::start(&store).await;
    let revision = store.put(key("a"), value("written"), Precondition::Any).await.expect("a write");
    follower.until_note(&key("a"), "written").await;
    assert!(follower.revision >= revision);
    assert_eq!(follower.objects[&key("a")].revision, revision);
    let listing = store.list().await.expect("the store lists");
    assert_eq!(listing.items.iter().map(|object| &object.value).collect::<Vec<_>>(), [&value("written")]);
}

/// Who decides on what has changed meanwhile decides again.
pub async fn an_outdated_writer_gets_a_conflict(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let first = store.put(key("a"), value("1"), Precondition::Absent).await.expect("nothing is there");
    let second =
        store.put(key("a"), value("2"), Precondition::At(first)).await.expect("nothing happened since");
    let conflict = StoreError::Conflict { key: key("a"), found: Some(second) };
    assert_eq!(store.put(key("a"), value("3"), Precondition::At(first)).await, Err(conflict.clone()));
    assert_eq!(store.delete(key("a"), Precondition::At(first)).await, Err(conflict));
}

/// Creating is not overwriting.
pub async fn creating_what_exists_is_a_conflict(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let first = store.put(key("a"), value("1"), Precondition::Absent).await.expect("nothing is there");
    let again = store.put(key("a"), value("2"), Precondition::Absent).await;
    assert_eq!(again, Err(StoreError::Conflict { key: key("a"), found: Some(first) }));
}

/// Deleting is not making sure of absence: a mistyped name must be told.
pub async fn deleting_what_is_absent_is_not_found(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let result = store.delete(key("a"), Precondition::Any).await;
    assert_eq!(result, Err(StoreError::NotFound { key: key("a") }));
}

/// One operation that cannot be costs the whole batch.
pub async fn a_batch_is_all_or_nothing(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let of_b = |note: &str| document(&key("b"), note);
    store.put(key("b"), of_b("1"), Precondition::Any).await.expect("a write");
    let batch = Batch::new().put(key("a"), value("1"), Precondition::Any).put(
        key("b"),
        of_b("2"),
        Precondition::Absent,
    );
    store.commit(batch).await.expect_err("b exists");
    let listing = list(&harness).await;
    assert_eq!(listing.items.iter().map(|object| &object.value).collect::<Vec<_>>(), [&of_b("1")]);
}

/// Two writes of one object in one step have no order.
pub async fn a_batch_names_an_object_once(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let batch = Batch::new().put(key("a"), value("1"), Precondition::Any).put(
        key("a"),
        value("2"),
        Precondition::Any,
    );
    let result = store.commit(batch).await;
    assert!(matches!(result, Err(StoreError::Invalid { .. })), "{result:?}");
}

/// A name that would lead out of its folder is refused before anything is written.
pub async fn a_name_that_cannot_be_is_refused(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    for (namespace, name) in
        [("default", ".."), ("..", "a"), ("default", "a/b"), ("default", ""), ("a b", "c")]
    {
        let key = ObjectKey::new(Kind::Upstream, namespace, name);
        let result = store.put(key.clone(), document(&key, "1"), Precondition::Any).await;
        assert!(matches!(result, Err(StoreError::Invalid { .. })), "{key}: {result:?}");
    }
    assert_eq!(list(&harness).await.items, []);
}

/// A batch of nothing asks for nothing.
pub async fn an_empty_batch_changes_nothing(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let before = list(&harness).await;
    store.commit(Batch::new()).await.expect("nothing can be written");
    assert_eq!(list(&harness).await.items, before.items);
}

/// What users can write by their means can be written by ours.
pub async fn a_large_value_can_be_written(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let large = value(&"x".repeat(400 * 1024));
    store.put(key("a"), large.clone(), Precondition::Absent).await.expect("a large value");
    assert_eq!(list(&harness).await.items[0].value, large);
}

/// What could not be read is not written, and takes nothing with it.
pub async fn a_value_over_the_limit_is_refused(harness: impl Harness) {
    let Some(store) = writable(&harness) else { return };
    let mut large = value("").to_vec();
    large.resize(MAX_OBJECT + 1, b'\n');
    let batch = Batch::new().put(key("a"), large, Precondition::Any).put(
        key("b"),
        document(&key("b"), "1"),
        Precondition::Any,
    );
    let error = store.commit(batch).await.expect_err("one byte too many");
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains(&key("a").to_string()) && error.hint().is_some(), "{error}");
    assert_eq!(list(&harness).await.items, []);
}

fn value(note: &str) -> Bytes {
    document(&key("a"), note)
}
