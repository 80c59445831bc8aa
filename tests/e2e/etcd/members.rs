//! Three members, two control planes, three Envoys: a member that stands still or goes costs nobody a request.
//!
//! How long a member takes to catch up is etcd's own affair, and longer where the machine is busy: an old leader answers
//! all the heartbeats of the time that it stood still, and for each it is sent what it lacks, up to 1 MiB a time. So no
//! bound counts that time. An edit counts from when etcd took it or, where the member matters, from when it shows it.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::{Etcd, TempDir, eventually};
use tokio::time::Instant;

use super::served::{QUICK, url};
use crate::harness::PATIENCE;
use crate::replicas::plant::{Place, Plant};

/// How soon everything that etcd has taken must be live when the leader goes on.
const SOON: Duration = Duration::from_secs(5);

const HOSTS: usize = 200;

/// Two control planes on three members, with Envoys at both.
async fn plant(settings: &str) -> Plant {
    let directory = TempDir::new("members");
    let etcd = Etcd::builder().members(3).start(&directory).await;
    let addresses: Vec<_> = (0..3).map(|member| etcd.address(member)).collect();
    let url = url(&addresses, settings);
    let mut plant = Plant::on(directory, etcd, &[url.clone(), url], HOSTS).await;
    for place in [Place::at(0), Place::at(1), Place::at(0)] {
        plant.envoy(&place).await;
    }
    plant.live(PATIENCE).await;
    plant
}

/// Some edits. Somebody has to lead: a write that etcd does not answer may be carried out much later, over others.
async fn edit(plant: &mut Plant, round: usize) {
    plant.edit(hosts(round)).await;
}

/// Which hosts are edited.
fn hosts(round: usize) -> impl Iterator<Item = usize> {
    (0..10).map(move |step| (round * 10 + step) % HOSTS)
}

/// Waits until a member, asked by etcdctl for what it has itself, shows the edits of a round: they are one transaction.
async fn shows(plant: &Plant, member: usize, round: usize) {
    let edits = plant.world.again(hosts(round));
    let (key, value) = edits.last().expect("a round has edits");
    eventually("the last edit at the member that stood still", PATIENCE, async || {
        let found = plant.etcd.get_at(member, key).await?;
        ensure!(found.as_ref() == Some(value), "it has {found:?}");
        Ok(())
    })
    .await;
}

/// Waits until those that answer have a leader among them.
async fn led(plant: &Plant) {
    eventually("a leader that answers", PATIENCE, async || plant.etcd.leader().await).await;
}

/// Stops the leader under edits, lets it go on, and goes on editing.
async fn leader_stops_for(time: Duration, settings: &str) {
    let mut plant = plant(settings).await;
    let traffic = plant.traffic().await;
    edit(&mut plant, 0).await;
    let leader = plant.etcd.leader().await.expect("etcd has a leader");
    let stopped = Instant::now();
    plant.etcd.pause(leader).await;
    led(&plant).await;
    let mut round = 1;
    while stopped.elapsed() < time {
        edit(&mut plant, round).await;
        round += 1;
    }
    plant.etcd.resume(leader);
    // The others have taken all of this: it waits for nobody, least of all for the member that has to catch up.
    plant.live(SOON).await;
    plant.etcd.ready().await;
    edit(&mut plant, round).await;
    shows(&plant, leader, round).await;
    plant.live(SOON).await;
    plant.in_sync().await;
    plant.unharmed(traffic).await;
    plant.agrees().await.expect("both control planes are where etcd is");
}

#[tokio::test]
async fn leader_that_stands_still_for_10_s_costs_no_request_and_no_edit() {
    leader_stops_for(Duration::from_secs(10), QUICK).await;
}

#[tokio::test]
async fn long_leader_that_stands_still_for_30_s_costs_no_request_and_no_edit() {
    // With the patience of default.
    leader_stops_for(Duration::from_secs(30), "").await;
}

#[tokio::test]
async fn edits_are_live_while_the_member_that_was_followed_stands_still() {
    let mut plant = plant(QUICK).await;
    let traffic = plant.traffic().await;
    // Whichever it is: each stands still in its turn.
    for member in 0..3 {
        plant.etcd.pause(member).await;
        led(&plant).await;
        edit(&mut plant, member).await;
        plant.live(PATIENCE).await;
        plant.etcd.resume(member);
        plant.etcd.ready().await;
    }
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn members_that_are_killed_one_after_the_other_cost_nothing() {
    let mut plant = plant(QUICK).await;
    let traffic = plant.traffic().await;
    for member in 0..3 {
        plant.etcd.kill(member);
        led(&plant).await;
        edit(&mut plant, member).await;
        plant.live(PATIENCE).await;
        plant.etcd.start_again(member);
        plant.etcd.ready().await;
    }
    plant.unharmed(traffic).await;
    plant.agrees().await.expect("both control planes are where etcd is");
}

#[tokio::test]
async fn majority_that_is_lost_leaves_everything_as_it_is() {
    let mut plant = plant(QUICK).await;
    let traffic = plant.traffic().await;
    plant.etcd.kill(0);
    plant.etcd.kill(1);
    for replica in 0..2 {
        super::served::source_is(&plant.replicas[replica], "failed").await;
    }
    plant.live(PATIENCE).await;
    plant.etcd.start_again(0);
    plant.etcd.start_again(1);
    plant.etcd.ready().await;
    edit(&mut plant, 0).await;
    plant.live(PATIENCE).await;
    plant.unharmed(traffic).await;
}
