//! The rules of records: Biplane's own notes beside the users' objects. A store without room for them
//! passes by saying so.

use std::sync::Arc;

use super::hands::{follow, list, write};
use super::{Harness, key};
use crate::batch::Precondition;
use crate::error::StoreError;
use crate::records::{Record, RecordWrite, Records};

/// What was written is read, here and by other replicas, at the revision that the write told.
pub async fn a_record_reads_as_it_was_written(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let path = "status/VirtualService/default/a";
    assert_eq!(records.read(path).await, Ok(None));
    for value in ["one", "two"] {
        let revision = records.write(vec![RecordWrite::put(path, value)], None).await.expect("a write");
        let replica = harness.replica().await.records().expect("every instance has them");
        for reader in [&records, &replica] {
            assert_eq!(reader.read(path).await, Ok(Some(Record { value: value.into(), revision })));
        }
    }
}

/// Records go, and making sure that one is gone is no error.
pub async fn a_deleted_record_is_gone(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let path = "meta/gone";
    put(&records, path, "1").await;
    for _ in 0..2 {
        records.write(vec![RecordWrite::delete(path)], None).await.expect("deleting twice is no error");
        assert_eq!(records.read(path).await, Ok(None));
    }
}

/// A folder is read whole, in order, and nothing beside it: `status/a/` is not `status/ab/`.
pub async fn a_folder_of_records_reads_whole_and_sorted(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    for path in ["status/a/2", "status/ab/1", "status/a/1", "status/a/10", "status/a/b/c", "history/a/1"] {
        put(&records, path, path).await;
    }
    let below = records.read_below("status/a/").await.expect("a folder can be read");
    let paths: Vec<_> = below.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["status/a/1", "status/a/10", "status/a/2", "status/a/b/c"]);
    assert!(below.iter().all(|(path, record)| record.value == path.as_bytes()));
    assert_eq!(records.read_below("status/none/").await, Ok(Vec::new()));
}

/// Whoever knows a folder up to a path reads what is behind it, and whoever wants only names reads names.
pub async fn a_folder_of_records_reads_from_a_path_on_and_by_name(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let all = ["meta/a/1", "meta/a/2", "meta/a/3", "meta/a/b/c"];
    for path in all.into_iter().chain(["meta/ab/1", "meta/0", "status/a/1"]) {
        put(&records, path, path).await;
    }
    assert_eq!(records.paths_below("meta/a/").await.expect("a folder can be read"), all);
    assert_eq!(records.paths_below("meta/none/").await, Ok(Vec::new()));
    let whole = records.read_below("meta/a/").await.expect("a folder can be read");
    for (after, first) in
        [("", 0), ("a", 0), ("meta/a/0", 0), ("meta/a/1", 1), ("meta/a/2x", 2), ("meta/a/x", 4), ("x", 4)]
    {
        let found = records.read_below_after("meta/a/", after).await.expect("a folder can be read");
        assert_eq!(found, whole[first..], "after {after:?}");
    }
}

/// A note that was made on an outdated belief is refused, and every note beside it in the same step.
pub async fn a_record_written_on_an_outdated_belief_is_refused(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let path = "meta/a";
    let first = put(&records, path, "1").await.revision;
    let second = put(&records, path, "2").await.revision;
    let conflict = StoreError::RecordConflict { path: path.to_owned(), found: Some(second) };
    for precondition in [Precondition::Absent, Precondition::At(first)] {
        let writes =
            vec![RecordWrite::put("meta/beside", "3"), RecordWrite::put(path, "3").when(precondition)];
        assert_eq!(records.write(writes, None).await, Err(conflict.clone()));
    }
    assert_eq!(records.read("meta/beside").await, Ok(None));
    let write = RecordWrite::put(path, "3").when(Precondition::At(second));
    records.write(vec![write], None).await.expect("nothing happened since");
    assert_eq!(read(&records, path).await.value, "3");
}

/// More records than one step of the store takes are written all the same.
pub async fn many_records_are_written_in_one_call(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let path = |n: usize| format!("status/many/{n:03}");
    let writes = (0..300).map(|n| RecordWrite::put(path(n), n.to_string())).collect();
    let revision = records.write(writes, None).await.expect("a write");
    let below = records.read_below("status/many/").await.expect("a folder can be read");
    assert_eq!(below.len(), 300);
    assert_eq!(below[299].1.revision, revision, "the last step's revision is told");
    let behind = records.read_below_after("status/many/", &path(9)).await.expect("a folder can be read");
    assert_eq!(behind, below[10..]);
    let deletes = (0..300).map(|n| RecordWrite::delete(path(n))).collect();
    records.write(deletes, None).await.expect("a write");
    assert_eq!(records.read_below("status/many/").await, Ok(Vec::new()));
}

/// Status is apart: writing it wakes no watch with an object, and no listing shows it.
pub async fn records_never_show_among_objects(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let mut follower = follow(&harness).await;
    put(&records, "status/VirtualService/default/a", "kind: VirtualService").await;
    put(&records, "history/VirtualService/default/a/1", "kind: VirtualService").await;
    write(&harness, "z", "marker").await;
    follower.until_note(&key("z"), "marker").await;
    let told: Vec<_> = follower.told.iter().flat_map(|told| &told.changes).map(|c| c.key().clone()).collect();
    assert_eq!((told, &follower.faults), (vec![key("z")], &Vec::new()));
    let listing = list(&harness).await;
    assert_eq!((listing.items.len(), listing.faults), (1, Vec::new()));
}

/// A record that cannot be read is not a record that is not there.
pub async fn records_of_a_store_that_is_away_are_unknown(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    put(&records, "meta/a", "1").await;
    harness.take_away().await;
    assert!(records.read("meta/a").await.is_err());
    assert!(records.read_below("meta/").await.is_err());
    assert!(records.write(vec![RecordWrite::put("meta/a", "2")], None).await.is_err());
    harness.give_back().await;
    assert_eq!(read(&records, "meta/a").await.value, "1");
}

async fn put(records: &Arc<dyn Records>, path: &str, value: &str) -> Record {
    records.write(vec![RecordWrite::put(path, value.to_owned())], None).await.expect("a write");
    read(records, path).await
}

async fn read(records: &Arc<dyn Records>, path: &str) -> Record {
    records.read(path).await.expect("records can be read").expect("it was written")
}
