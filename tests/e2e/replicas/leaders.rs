//! The leader, who alone writes Biplane's own records: what becomes of them when it goes, or sleeps too long.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use biplane_testkit::{Etcd, eventually, throughout};
use serde_json::Value;

use super::plant::Plant;
use crate::etcd::served::{ROOT, leads};
use crate::etcd::world::key;
use crate::harness::{PATIENCE, status};

/// Where the record about a host lies.
const RECORD: &str = "biplane/status/VirtualService/gloo-system/host-7";
const SUMMARY: &str = "biplane/status/_summary";

/// A host whose upstream nobody knows.
fn broken(plant: &Plant) -> (String, String) {
    let entries = plant.world.again([7]);
    (key(7), entries[0].1.replace("name: two", "name: nobody"))
}

/// The number of the replica that leads.
async fn leader(plant: &Plant) -> usize {
    eventually("a leader", PATIENCE, async || {
        for (number, replica) in plant.replicas.iter().enumerate() {
            if status::fetch(replica).await.is_ok_and(|status| status["leader"]["isMe"] == true) {
                return Ok(number);
            }
        }
        anyhow::bail!("nobody leads")
    })
    .await
}

async fn name_of(plant: &Plant, replica: usize) -> String {
    let status = status::fetch(&plant.replicas[replica]).await.expect("a status");
    status["leader"]["name"].as_str().expect("it leads").to_owned()
}

/// A record, and how often it was written since it came to be.
async fn record(etcd: &Etcd, path: &str) -> Result<(Value, u64)> {
    let answer = etcd.ctl(["get", path, "--write-out=json"]).await.success()?;
    let answer: Value = serde_json::from_str(&answer)?;
    let written = answer["kvs"][0]["version"].as_u64().with_context(|| format!("there is no {path}"))?;
    let text = etcd.get(path).await?.with_context(|| format!("there is no {path}"))?;
    Ok((serde_json::from_str(&text)?, written))
}

async fn until_written_by(plant: &Plant, path: &str, name: &str) -> (Value, u64) {
    eventually(&format!("{path} by {name}"), PATIENCE, async || {
        let (value, written) = record(&plant.etcd, path).await?;
        ensure!(value["by"] == name, "{value:#}");
        Ok((value, written))
    })
    .await
}

#[tokio::test]
async fn killed_leader_is_followed_by_another_and_status_goes_on() {
    let mut plant = Plant::start(1, 2, 20).await;
    let first = leader(&plant).await;
    let second = 1 - first;
    until_written_by(&plant, SUMMARY, &name_of(&plant, first).await).await;
    let (key, value) = broken(&plant);
    plant.etcd.put(&key, &value).await.expect("etcd takes writes");
    until_written_by(&plant, RECORD, &name_of(&plant, first).await).await;
    // The other one knows who leads.
    let named = name_of(&plant, first).await;
    status::until(&plant.replicas[second], "the leader's name", |status| {
        status["leader"]["name"] == *named && status["leader"]["isMe"] == false
    })
    .await;

    plant.replicas[first].kill();
    leads(&plant.replicas[second]).await;
    let heir = name_of(&plant, second).await;
    until_written_by(&plant, SUMMARY, &heir).await;
    let entries = plant.world.edit([7]);
    plant.etcd.put_many(&entries).await.expect("etcd takes writes");
    eventually("no word about a host that is mended", PATIENCE, async || {
        ensure!(plant.etcd.get(RECORD).await?.is_none(), "it is still there");
        Ok(())
    })
    .await;
    plant.replicas[first].start_again().await;
    status::until(&plant.replicas[first], "the new leader's name", |status| {
        status["leader"]["name"] == *heir
    })
    .await;
}

#[tokio::test]
async fn leader_that_ends_in_order_gives_its_seat_up_at_once() {
    let mut plant = Plant::start(1, 2, 5).await;
    let first = leader(&plant).await;
    plant.replicas[first].stop().await;
    leads(&plant.replicas[1 - first]).await;
}

#[tokio::test]
async fn leader_that_slept_through_its_lease_writes_nothing_any_more() {
    let mut plant = Plant::start(1, 2, 20).await;
    let first = leader(&plant).await;
    let second = 1 - first;
    until_written_by(&plant, SUMMARY, &name_of(&plant, first).await).await;
    plant.replicas[first].pause().await;
    // What it would write about as soon as it wakes up; by then it is no longer so.
    let (key, value) = broken(&plant);
    plant.etcd.put(&key, &value).await.expect("etcd takes writes");
    leads(&plant.replicas[second]).await;
    let heir = name_of(&plant, second).await;
    until_written_by(&plant, RECORD, &heir).await;
    let extra = value.replace("name: nobody", "name: somebody");
    plant.etcd.put(&key, &extra).await.expect("etcd takes writes");
    let wanted = |value: &Value| value.to_string().contains("somebody");
    eventually("the last word about the host", PATIENCE, async || {
        let (value, _) = record(&plant.etcd, RECORD).await?;
        ensure!(wanted(&value), "{value:#}");
        Ok(())
    })
    .await;
    let before = until_written_by(&plant, SUMMARY, &heir).await;
    let word = record(&plant.etcd, RECORD).await.expect("it is there");

    plant.replicas[first].resume();
    // Until it has found out, and for a while after.
    status::until(&plant.replicas[first], "the new leader's name", |status| {
        status["leader"]["name"] == *heir && status["leader"]["isMe"] == false
    })
    .await;
    throughout("what the new leader wrote", Duration::from_secs(3), async || {
        let now = (record(&plant.etcd, SUMMARY).await?, record(&plant.etcd, RECORD).await?);
        ensure!(now.0 == before && now.1 == word, "{now:#?}");
        Ok(())
    })
    .await;
    leads(&plant.replicas[second]).await;
    assert!(plant.replicas[first].process().log().contains("no longer leading"), "it says so");
}

#[tokio::test]
async fn history_goes_on_under_the_next_leader_without_gaps_and_twins() {
    let mut plant = Plant::start(1, 2, 5).await;
    let folder = format!("{ROOT}/history/VirtualService/gloo-system/host-0/");
    let versions = async |etcd: &Etcd, wanted: usize| {
        eventually(&format!("{wanted} versions"), PATIENCE, async || {
            let keys = etcd.keys(&folder).await?;
            ensure!(keys.len() == wanted, "{keys:#?}");
            Ok(())
        })
        .await;
    };
    let first = leader(&plant).await;
    versions(&plant.etcd, 1).await;
    plant.edit([0]).await;
    versions(&plant.etcd, 2).await;
    plant.replicas[first].kill();
    plant.edit([0]).await;
    leads(&plant.replicas[1 - first]).await;
    versions(&plant.etcd, 3).await;
    plant.edit([0]).await;
    versions(&plant.etcd, 4).await;
}
