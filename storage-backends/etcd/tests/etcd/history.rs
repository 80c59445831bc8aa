//! Histories that end or change: compaction while away, and backups.

use std::sync::Arc;

use biplane_store::conformance::{Follower, document, key};
use biplane_store::{Listing, Precondition, Revision, Store, StoreExt as _, WatchEvent};
use biplane_testkit::Etcd;
use biplane_testkit::etcd::Revisions;
use futures::StreamExt as _;

use crate::harness::{Own, names};

async fn first(store: &Arc<dyn Store>, from: Revision) -> WatchEvent {
    let mut watch = store.watch(from).await.expect("the store can be watched");
    watch.next().await.expect("it says something").expect("it works")
}

async fn list(store: &Arc<dyn Store>) -> Listing {
    store.list().await.expect("the store lists")
}

async fn write(store: &Arc<dyn Store>, name: &str) {
    store.put(key(name), document(&key(name), "1"), Precondition::Any).await.expect("written");
}

#[tokio::test]
async fn who_was_away_during_a_compaction_lists_again() {
    let own = Own::start(Etcd::builder()).await;
    let store = own.store();
    for name in ["stays", "goes"] {
        write(&store, name).await;
    }
    let away = list(&store).await.revision;
    own.etcd.delete("biplane/config/VirtualService/default/goes").await.expect("deleted");
    for n in 0..100 {
        write(&store, &format!("n{n:02}")).await;
    }
    own.etcd.compact_to_head().await.expect("compacted");
    assert_eq!(first(&store, away).await, WatchEvent::Resync);
    let names = names(&store).await;
    assert_eq!(names.len(), 101, "{names:?}");
    assert!(!names.contains(&"goes".to_owned()));
}

#[tokio::test]
async fn another_instance_watches_from_a_listing_that_it_has_not_made() {
    let own = Own::start(Etcd::builder()).await;
    own.etcd.put("biplane/config/Typo/default/a", "1").await.expect("written");
    let listing = list(&own.store()).await;
    own.put("a", "1").await;
    own.etcd.delete("biplane/config/Typo/default/a").await.expect("deleted");
    let store = own.store();
    let mut watch = store.watch(listing.revision).await.expect("the store can be watched");
    let mut faults = None;
    while faults.is_none() {
        let event = watch.next().await.expect("it goes on").expect("it works");
        let WatchEvent::Changes(changes) = event else { panic!("no history was lost: {event:?}") };
        faults = changes.faults;
    }
    assert_eq!(faults, Some(Vec::new()), "it knew of the fault that went");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_shows_an_earlier_revision_of_the_same_store() {
    let mut own = Own::start(Etcd::builder()).await;
    let store = own.store();
    write(&store, "old").await;
    let backup = own.directory.folder("backup");
    own.etcd.copy_data(&backup).await.expect("copied");
    let store = own.store();
    for n in 0..10 {
        write(&store, &format!("new-{n}")).await;
    }
    let before = list(&store).await;
    let mut follower = Follower::start(&store).await;
    own.etcd.restore_data(&backup).await.expect("restored");
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    assert_eq!(first(&store, before.revision).await, WatchEvent::Resync);
    let after = list(&store).await;
    assert!(after.revision < before.revision, "{} after {}", after.revision, before.revision);
    assert_eq!(after.identity, before.identity);
    assert_eq!(names(&store).await, ["old"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_restored_is_read_anew() {
    let mut own = Own::start(Etcd::builder()).await;
    let store = own.store();
    write(&store, "old").await;
    let snapshot = own.directory.join("snapshot.db");
    own.etcd.snapshot_save(&snapshot).await.expect("saved");
    write(&store, "new").await;
    let before = list(&store).await;
    own.etcd.snapshot_restore(&snapshot, Revisions::Bumped).await.expect("restored");
    assert_eq!(first(&own.store(), before.revision).await, WatchEvent::Resync);
    let after = list(&own.store()).await;
    assert!(after.revision > before.revision);
    assert_eq!(names(&own.store()).await, ["old"]);
}
