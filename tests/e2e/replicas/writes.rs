//! What is written through one replica is there at the others.

use anyhow::ensure;
use biplane_testkit::eventually;

use super::plant::{Place, Plant};
use crate::etcd::served::{ROOT, command, held_of, metric, source_is};
use crate::etcd::world::{name, service};
use crate::harness::{PATIENCE, status};

#[tokio::test]
async fn what_is_applied_at_one_replica_is_read_and_served_at_the_other() {
    let mut plant = Plant::start(1, 2, 5).await;
    plant.envoy(&Place::at(1)).await;
    plant.live(PATIENCE).await;
    let file = plant.directory.join("host.yaml");
    std::fs::write(&file, service(9, 1)).expect("the test's directory is writable");
    let file = file.to_str().expect("UTF-8");
    let apply = command(&plant.replicas[0], &["apply", "-f", file, "-m", "one host more"]).await;
    assert_eq!(apply.code, 0, "{apply:?}");
    plant.world.edit([9]);
    plant.live(PATIENCE).await;
    let get = command(&plant.replicas[1], &["get", "VirtualService", &name(9), "-o", "yaml"]).await;
    assert_eq!(get.code, 0, "{get:?}");
    assert!(get.stdout.contains("host-9.example.com"), "{get:?}");
    eventually("the version with its author's word", PATIENCE, async || {
        let history = command(&plant.replicas[1], &["history", "VirtualService", &name(9)]).await;
        ensure!(history.stdout.contains("one host more"), "{history:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_writers_at_two_replicas_are_told_apart() {
    let plant = Plant::start(1, 2, 5).await;
    let paths: Vec<_> = (0..2)
        .map(|number| {
            let path = plant.directory.join(format!("{number}.yaml"));
            std::fs::write(&path, service(0, 10 + number)).expect("the test's directory is writable");
            path.to_str().expect("UTF-8").to_owned()
        })
        .collect();
    let apply =
        async |number: usize| command(&plant.replicas[number], &["apply", "-f", &paths[number]]).await;
    let (one, other) = tokio::join!(apply(0), apply(1));
    // Neither names a revision, so both are done, one after the other.
    assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
    let stored = plant.etcd.get(&format!("{ROOT}/config/VirtualService/gloo-system/host-0")).await;
    let stored = stored.expect("etcd answers").expect("it is there");
    for replica in &plant.replicas {
        let get = command(replica, &["get", "VirtualService", "host-0", "-o", "yaml"]).await;
        let ten = stored.contains("\"10\"");
        assert_eq!(get.stdout.contains("\"10\""), ten, "{get:?}");
    }
}

#[tokio::test]
async fn what_is_accepted_at_one_replica_is_let_go_at_the_other() {
    let mut plant = Plant::start(1, 2, 20).await;
    for replica in [0, 1] {
        plant.envoy(&Place::at(replica)).await;
    }
    plant.live(PATIENCE).await;
    plant.etcd.delete_prefix(&format!("{ROOT}/config/VirtualService/")).await.expect("etcd takes deletions");
    for replica in &plant.replicas {
        status::until(replica, "20 held hosts", |status| held_of(status).len() == 20).await;
    }
    plant.live(PATIENCE).await;
    let fetched = status::fetch(&plant.replicas[0]).await.expect("a status");
    let source = fetched["sources"][0]["name"].as_str().expect("a name");
    let accept = command(&plant.replicas[0], &["source", "accept", source, "--yes"]).await;
    assert_eq!(accept.code, 0, "{accept:?}");
    let all: Vec<_> = (0..20).collect();
    plant.world.remove(all);
    plant.live(PATIENCE).await;
    for replica in &plant.replicas {
        source_is(replica, "complete").await;
        assert_eq!(metric(replica, "biplane_guard_held_removals").await.expect("a metric"), 0);
    }
}

#[tokio::test]
async fn batch_that_etcd_takes_in_parts_is_seen_as_one_everywhere() {
    let mut plant = Plant::start(1, 2, 20).await;
    for replica in 0..2 {
        plant.envoy(&Place::at(replica)).await;
    }
    plant.live(PATIENCE).await;
    let generation = async |replica: usize| {
        let status = status::fetch(&plant.replicas[replica]).await.expect("a status");
        status::fleet(&status, &format!("fleet-{replica}"))["generation"].as_u64().expect("a number")
    };
    let before = (generation(0).await, generation(1).await);
    let file = plant.directory.join("batch.yaml");
    // More than two of etcd's transactions: all hosts at another version, and as many more as make 300.
    let batch: Vec<_> = (0..300).map(|number| service(number, if number < 20 { 2 } else { 1 })).collect();
    std::fs::write(&file, batch.join("---\n")).expect("the test's directory is writable");
    let file = file.to_str().expect("UTF-8");
    let apply = command(&plant.replicas[0], &["apply", "-f", file]).await;
    assert_eq!(apply.code, 0, "{apply:?}");
    plant.world.edit(0..300);
    plant.live(PATIENCE).await;
    let after = (generation(0).await, generation(1).await);
    assert_eq!(after, (before.0 + 1, before.1 + 1), "one change for each fleet");
}
