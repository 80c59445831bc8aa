//! Envoys that move from one replica to another: nothing is sent again, and nothing goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use biplane_testkit::throughout;
use tokio::task::JoinHandle;

use super::plant::{Client, Place, Plant};
use crate::etcd::world::version;
use crate::harness::{CALM, PATIENCE};

/// Looks at a host's version all the time: it may only rise.
pub(super) struct Ratchet {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<u64>>,
}

impl Ratchet {
    pub(super) fn start(port: u16, number: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut highest = 0;
            while !stopped.load(Ordering::Relaxed) {
                let now = version(port, number).await?;
                ensure!(now >= highest, "version {now} came after version {highest}");
                highest = now;
            }
            Ok(highest)
        });
        Self { stop, task }
    }

    /// The last version that was seen; panics if it ever fell.
    pub(super) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it does not panic").expect("versions only rise")
    }
}

#[tokio::test]
async fn envoy_that_moves_is_resent_nothing() {
    let mut plant = Plant::start(1, 2, 50).await;
    plant.envoy(&Place::at(0)).await;
    plant.live(PATIENCE).await;
    plant.is_at(0, 0).await;
    let client = &plant.envoys[0];
    let (updates, traffic) = (client.updates().await, plant.traffic().await);
    for replica in [1, 0, 1] {
        client.go(Place::at(replica));
        plant.is_at(0, replica).await;
        throughout("calm behind the move", CALM, async || {
            let now = client.updates().await;
            ensure!(now == updates, "{now:#?} instead of {updates:#?}");
            Ok(())
        })
        .await;
    }
    plant.unharmed(traffic).await;
    // And it is followed there.
    plant.edit([0, 7]).await;
    plant.live(PATIENCE).await;
}

#[tokio::test]
async fn replica_that_is_killed_costs_nothing() {
    let mut plant = Plant::start(1, 2, 50).await;
    for _ in 0..3 {
        plant.envoy(&Place::at(0)).await;
    }
    plant.live(PATIENCE).await;
    for envoy in 0..3 {
        plant.is_at(envoy, 0).await;
    }
    let mut updates = Vec::new();
    for client in &plant.envoys {
        updates.push(client.updates().await);
        client.go_anywhere();
    }
    let traffic = plant.traffic().await;
    plant.replicas[0].kill();
    for (envoy, updates) in updates.into_iter().enumerate() {
        plant.is_at(envoy, 1).await;
        assert_eq!(plant.envoys[envoy].updates().await, updates, "nothing is resent");
    }
    plant.edit(0..10).await;
    plant.live(PATIENCE).await;
    plant.replicas[0].start_again().await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn replicas_that_are_restarted_in_turn_cost_nothing() {
    let mut plant = Plant::start(1, 2, 50).await;
    for replica in 0..2 {
        plant.envoy(&Place::at(replica)).await;
    }
    plant.live(PATIENCE).await;
    plant.in_sync().await;
    plant.envoys.iter().for_each(Client::go_anywhere);
    let traffic = plant.traffic().await;
    for replica in [0, 1, 0, 1] {
        plant.replicas[replica].restart().await;
        plant.edit([replica, 7]).await;
        plant.live(PATIENCE).await;
        plant.in_sync().await;
    }
    plant.unharmed(traffic).await;
}

/// Moves to and fro under edits: what is live never becomes an older version.
async fn moves(times: usize) {
    let mut plant = Plant::start(1, 2, 20).await;
    plant.envoy(&Place::at(0)).await;
    plant.live(PATIENCE).await;
    let port = plant.envoys[0].port;
    let (ratchet, traffic) = (Ratchet::start(port, 3), plant.traffic().await);
    for round in 1..=times {
        plant.edit([3]).await;
        plant.envoys[0].go(Place::at(round % 2));
        plant.edit([3, round % 3]).await;
        plant.is_at(0, round % 2).await;
        plant.edit([3]).await;
    }
    plant.live(PATIENCE).await;
    plant.is_at(0, times % 2).await;
    assert_eq!(ratchet.stop().await, 1 + 3 * times as u64);
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn versions_only_rise_while_an_envoy_moves_under_edits() {
    moves(6).await;
}

#[tokio::test]
async fn long_versions_only_rise_while_an_envoy_moves_100_times_under_edits() {
    moves(100).await;
}
