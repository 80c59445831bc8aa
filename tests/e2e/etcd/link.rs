//! The way to etcd is dead for a while, and much happens behind it.

use biplane_testkit::{Etcd, FaultProxy};

use super::served::{QUICK, Served, delete, nothing_was_lost, options, readings, url};
use crate::harness::Tree;

/// An etcd that Biplane reaches through a link.
async fn behind_a_link(hosts: usize) -> (FaultProxy, Served) {
    let tree = Tree::new();
    let etcd = Etcd::start(&tree.directory).await;
    let link = FaultProxy::start(etcd.address(0));
    let through = options(&url(&[link.address()], QUICK));
    let served = Served::on(tree, etcd, &through, hosts).await;
    (link, served)
}

#[tokio::test]
async fn a_thousand_edits_behind_a_dead_link_are_one_reading_without_ghosts_and_without_loss() {
    let (link, mut served) = behind_a_link(1300).await;
    let readings_before = readings(&served.site.biplane).await;
    let traffic = served.traffic().await;

    link.blackhole();
    let before = served.world.remember();
    let edits = served.world.edit(0..1000);
    served.write(&edits).await;
    let removed = served.world.remove(1000..1300);
    delete(&served.etcd, &removed).await.expect("etcd takes writes");
    served.etcd.compact_to_head().await.expect("etcd takes compactions");
    let source = served.until_state("failed").await;
    assert!(source["lastError"].as_str().is_some_and(|error| error.contains("no answer")), "{source:#}");
    let after = served.world.remember();
    served.world.go_back(before);
    served.stays().await;

    link.heal();
    served.world.go_back(after);
    served.live().await;
    served.until_state("complete").await;
    assert_eq!(readings(&served.site.biplane).await, readings_before + 1, "one reading heals it");
    nothing_was_lost(&served.site.biplane).await;
    served.site.in_sync().await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn link_that_is_cut_again_and_again_loses_nothing() {
    let (link, mut served) = behind_a_link(20).await;
    let traffic = served.traffic().await;
    for round in 0..5 {
        link.reset();
        let edits = served.world.edit([round, round + 1]);
        served.write(&edits).await;
        served.live().await;
        link.cut();
        let edits = served.world.edit([round + 2, 30 + round]);
        served.write(&edits).await;
        served.until_state("failed").await;
        link.heal();
        served.live().await;
    }
    served.until_state("complete").await;
    nothing_was_lost(&served.site.biplane).await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn garbage_from_the_link_is_a_failure_and_not_a_configuration() {
    let (link, mut served) = behind_a_link(20).await;
    let traffic = served.traffic().await;
    link.corrupt(0);
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.until_state("failed").await;
    link.heal();
    served.live().await;
    served.unharmed(traffic).await;
}
