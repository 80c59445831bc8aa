//! A replica that is behind, because its way to etcd is slow or dead: it never moves an Envoy backwards.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::{Etcd, FaultProxy, TempDir, throughout};

use super::moves::Ratchet;
use super::plant::{Place, Plant};
use crate::etcd::served::{QUICK, source_is, url, url_of};
use crate::etcd::world::version;
use crate::harness::PATIENCE;

/// Longer than any bound that one could put on waiting for the store, short enough to look at.
const LONG: Duration = Duration::from_secs(8);

/// Two replicas, the second of which reaches etcd through a link, and an Envoy at the first.
async fn plant() -> (FaultProxy, Plant) {
    let directory = TempDir::new("behind");
    let etcd = Etcd::start(&directory).await;
    let link = FaultProxy::start(etcd.address(0));
    let urls = [url_of(&etcd), url(&[link.address()], QUICK)];
    let mut plant = Plant::on(directory, etcd, &urls, 20).await;
    plant.envoy(&Place::at(0)).await;
    plant.live(PATIENCE).await;
    plant.is_at(0, 0).await;
    for replica in &plant.replicas {
        source_is(replica, "complete").await;
    }
    (link, plant)
}

/// What is live stays so although the Envoy is at the replica that is behind.
async fn never_goes_back(plant: &Plant, time: Duration) {
    let port = plant.envoys[0].port;
    let newest = version(port, 3).await.expect("it is live");
    throughout("the newest version", time, async || {
        let now = version(port, 3).await?;
        ensure!(now == newest, "version {now} came after version {newest}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn replica_whose_link_is_slow_lets_nobody_go_back() {
    let (link, mut plant) = plant().await;
    let port = plant.envoys[0].port;
    let (ratchet, traffic) = (Ratchet::start(port, 3), plant.traffic().await);
    for _ in 0..3 {
        // Each way: a question and its answer take nearly as long as a call may.
        link.delay(Duration::from_millis(400));
        for _ in 0..5 {
            plant.edit([3]).await;
        }
        plant.live(PATIENCE).await;
        plant.envoys[0].go(Place::at(1));
        plant.is_at(0, 1).await;
        plant.live(PATIENCE).await;
        link.heal();
        plant.envoys[0].go(Place::at(0));
        plant.is_at(0, 0).await;
    }
    ratchet.stop().await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn replica_whose_link_is_dead_lets_nobody_go_back() {
    let (link, mut plant) = plant().await;
    let traffic = plant.traffic().await;
    link.blackhole();
    plant.edit([3, 20]).await;
    plant.live(PATIENCE).await;
    plant.envoys[0].go(Place::at(1));
    never_goes_back(&plant, LONG).await;
    link.heal();
    plant.is_at(0, 1).await;
    plant.edit([3]).await;
    plant.live(PATIENCE).await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn replica_that_knows_that_it_is_cut_off_lets_nobody_go_back() {
    let (link, mut plant) = plant().await;
    let traffic = plant.traffic().await;
    link.cut();
    source_is(&plant.replicas[1], "failed").await;
    plant.edit([3, 20]).await;
    plant.live(PATIENCE).await;
    plant.envoys[0].go(Place::at(1));
    never_goes_back(&plant, LONG).await;
    link.heal();
    plant.is_at(0, 1).await;
    plant.live(PATIENCE).await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn replica_that_was_restored_from_disk_lets_nobody_go_back() {
    let (link, mut plant) = plant().await;
    let traffic = plant.traffic().await;
    plant.replicas[1].stop().await;
    link.cut();
    plant.edit([3, 20]).await;
    plant.live(PATIENCE).await;
    plant.replicas[1].start_again().await;
    source_is(&plant.replicas[1], "restored").await;
    plant.envoys[0].go(Place::at(1));
    never_goes_back(&plant, LONG).await;
    link.heal();
    plant.is_at(0, 1).await;
    plant.live(PATIENCE).await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn envoy_with_what_the_replica_has_is_served_although_the_store_is_away() {
    let (link, plant) = plant().await;
    link.cut();
    source_is(&plant.replicas[1], "failed").await;
    plant.envoys[0].go(Place::at(1));
    plant.is_at(0, 1).await;
    assert_eq!(version(plant.envoys[0].port, 3).await.expect("it is live"), 1);
}
