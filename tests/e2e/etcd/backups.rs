//! An older backup is put back under a running Biplane: what is newer stays in use until an operator has
//! said that it is to go.

use std::collections::BTreeMap;

use biplane_testkit::etcd::Revisions;

use super::served::Served;

/// A store of which there is a backup, with edits and new hosts since.
async fn since_a_backup() -> (Served, BTreeMap<usize, u64>) {
    let mut served = Served::start(20).await;
    let backup = served.site.directory.join("backup.db");
    served.etcd.snapshot_save(&backup).await.expect("etcd gives snapshots");
    let then = served.world.remember();
    let edits = served.world.edit((0..5).chain(20..23));
    served.write(&edits).await;
    served.live().await;
    served.site.in_sync().await;
    (served, then)
}

async fn put_back(served: &mut Served, revisions: Revisions) {
    let backup = served.site.directory.join("backup.db");
    served.etcd.snapshot_restore(&backup, revisions).await.expect("it is etcd's own");
}

/// What is newer than the backup is held, and goes when it is accepted.
async fn is_held_until_accepted(mut served: Served, then: BTreeMap<usize, u64>) {
    let source = served.until_held(8).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("backup")), "{source:#}");
    served.stays().await;
    // What is written since flows.
    let edits = served.world.edit([4, 30]);
    served.write(&edits).await;
    served.until_held(7).await;
    served.live().await;

    served.accept().await;
    let mut wanted = then;
    wanted.extend(served.world.remember().into_iter().filter(|(number, _)| [4, 30].contains(number)));
    served.world.go_back(wanted);
    served.live().await;
    served.until_state("complete").await;
    served.until_held(0).await;
}

#[tokio::test]
async fn older_backup_takes_nothing_back_before_it_is_accepted() {
    let (mut served, then) = since_a_backup().await;
    let traffic = served.traffic().await;
    put_back(&mut served, Revisions::GoBack).await;
    served.until_held(8).await;
    served.stays().await;
    served.unharmed(traffic).await;
    is_held_until_accepted(served, then).await;
}

#[tokio::test]
async fn older_backup_with_raised_revisions_takes_nothing_back_either() {
    let (mut served, then) = since_a_backup().await;
    let traffic = served.traffic().await;
    put_back(&mut served, Revisions::Bumped).await;
    served.until_held(8).await;
    served.stays().await;
    served.unharmed(traffic).await;
    is_held_until_accepted(served, then).await;
}

#[tokio::test]
async fn older_backup_that_was_put_back_while_biplane_was_down_takes_nothing_back() {
    let (mut served, then) = since_a_backup().await;
    let traffic = served.traffic().await;
    served.site.biplane.stop().await;
    put_back(&mut served, Revisions::GoBack).await;
    served.site.biplane.start_again().await;
    served.until_held(8).await;
    served.stays().await;
    served.unharmed(traffic).await;
    is_held_until_accepted(served, then).await;
}

#[tokio::test]
async fn what_is_put_back_by_a_copy_of_the_data_is_older_too() {
    let mut served = Served::start(20).await;
    let copy = served.site.directory.join("copy");
    served.etcd.copy_data(&copy).await.expect("etcd has data");
    let then = served.world.remember();
    let edits = served.world.edit((0..5).chain(20..23));
    served.write(&edits).await;
    served.live().await;
    let traffic = served.traffic().await;
    served.etcd.restore_data(&copy).await.expect("it is etcd's own");
    served.until_held(8).await;
    served.stays().await;
    served.unharmed(traffic).await;
    is_held_until_accepted(served, then).await;
}
