//! A crowd of clients whose replica dies: all come back at the other one soon, and are resent nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use biplane_testkit::xds::{Delta, DeltaResponse, Node, type_url};
use biplane_testkit::{Biplane, eventually};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plant::{Place, Plant};
use crate::harness::{PATIENCE, status};

/// How soon everybody is back.
const BACK: Duration = Duration::from_mins(1);

/// A fleet's gateway of its own is not needed: the crowd takes what the first Envoy takes.
const FLEET: &str = "fleet-0";

/// A client that has taken everything, and what it holds by type.
struct Follower {
    id: String,
    client: Delta,
    held: BTreeMap<String, BTreeMap<String, String>>,
    routes: String,
}

impl Follower {
    /// Asks as Envoy does, and accepts what comes, until it has everything.
    async fn start(replica: std::net::SocketAddr, id: String, port: u16) -> Result<Self> {
        let client = Delta::connect(replica, Node::new(&id, FLEET)).await?;
        let routes = format!("listener-127.0.0.1-{port}-routes");
        let mut follower = Self { id, client, held: BTreeMap::new(), routes };
        follower.client.subscribe(type_url::CLUSTER, &["*"]);
        follower.client.subscribe(type_url::LISTENER, &["*"]);
        while !follower.is_complete() {
            let response = follower.take().await?;
            match response.type_url.as_str() {
                type_url::CLUSTER => follower.client.subscribe(type_url::ENDPOINT, &response.names()),
                type_url::LISTENER => {
                    let routes = follower.routes.clone();
                    follower.client.subscribe(type_url::ROUTE, &[&routes]);
                }
                _ => {}
            }
        }
        Ok(follower)
    }

    /// Comes back elsewhere with what it holds.
    async fn come_back(&mut self, replica: std::net::SocketAddr) -> Result<()> {
        self.client = Delta::connect(replica, Node::new(&self.id, FLEET)).await?;
        let held = |kind: &str| self.held.get(kind).cloned().unwrap_or_default();
        let endpoints = held(type_url::ENDPOINT);
        let names: Vec<_> = endpoints.keys().map(String::as_str).collect();
        self.client.resume(type_url::CLUSTER, &["*"], held(type_url::CLUSTER));
        self.client.resume(type_url::ENDPOINT, &names, endpoints.clone());
        self.client.resume(type_url::LISTENER, &["*"], held(type_url::LISTENER));
        self.client.resume(type_url::ROUTE, &[&self.routes], held(type_url::ROUTE));
        Ok(())
    }

    /// The next response, accepted.
    async fn take(&mut self) -> Result<DeltaResponse> {
        let response = self.client.next(PATIENCE).await.with_context(|| format!("for {}", self.id))?;
        self.client.ack(&response);
        let held = self.held.entry(response.type_url.clone()).or_default();
        held.extend(response.resources.iter().map(|one| (one.name.clone(), one.version.clone())));
        response.removed.iter().for_each(|name| drop(held.remove(name)));
        Ok(response)
    }

    fn is_complete(&self) -> bool {
        let count = |kind: &str| self.held.get(kind).map_or(0, BTreeMap::len);
        let counts = [type_url::CLUSTER, type_url::ENDPOINT, type_url::LISTENER, type_url::ROUTE].map(count);
        counts == [2, 2, 1, 1]
    }
}

/// Starts all of them side by side.
async fn crowd(replica: std::net::SocketAddr, size: usize, port: u16) -> Vec<Follower> {
    let mut starts = JoinSet::new();
    for number in 0..size {
        starts.spawn(Follower::start(replica, format!("crowd-{number}"), port));
    }
    starts.join_all().await.into_iter().collect::<Result<_>>().expect("everybody gets everything")
}

/// Waits until so many nodes are at a replica and in sync.
async fn nodes(replica: &Biplane, wanted: usize, patience: Duration) {
    eventually(&format!("{wanted} nodes"), patience, async || {
        let status = status::fetch(replica).await?;
        let nodes = status::list(&status, "nodes");
        let in_sync = nodes.iter().filter(|node| node["inSync"] == true).count();
        ensure!(in_sync == wanted, "{in_sync} of {} are in sync", nodes.len());
        Ok(())
    })
    .await;
}

async fn all_move(size: usize) {
    let mut plant = Plant::start(1, 2, 200).await;
    for _ in 0..3 {
        plant.envoy(&Place::at(0)).await;
    }
    plant.live(PATIENCE).await;
    let first = plant.replicas[0].xds();
    let mut followers = crowd(first, size, plant.envoys[0].port).await;
    nodes(&plant.replicas[0], size + 3, PATIENCE).await;
    let memory = plant.replicas[0].process().usage().expect("it runs").resident_bytes;
    let mut updates = Vec::new();
    for client in &plant.envoys {
        updates.push(client.updates().await);
        client.go_anywhere();
    }
    let traffic = plant.traffic().await;

    plant.replicas[0].kill();
    let died = Instant::now();
    let second = plant.replicas[1].xds();
    for follower in &mut followers {
        follower.come_back(second).await.expect("the other replica takes connections");
    }
    for follower in &mut followers {
        let response = follower.take().await.expect("a word that it has everything");
        assert_eq!((response.names(), response.removed.len()), (vec![], 0));
    }
    nodes(&plant.replicas[1], size + 3, BACK).await;
    assert!(died.elapsed() < BACK, "back after {:?}", died.elapsed());
    let now = plant.replicas[1].process().usage().expect("it runs").resident_bytes;
    assert!(now < 2 * memory, "{now} bytes for what took {memory} before");
    for (client, updates) in plant.envoys.iter().zip(updates) {
        assert_eq!(client.updates().await, updates, "nothing is resent to an Envoy");
    }
    // What comes next, and alone, is what has changed since.
    plant.edit([0]).await;
    for follower in &mut followers {
        let response = follower.take().await.expect("an edit");
        let routes = follower.routes.clone();
        assert_eq!((response.names(), response.removed.len()), (vec![routes.as_str()], 0));
    }
    plant.live(PATIENCE).await;
    plant.unharmed(traffic).await;
}

#[tokio::test]
async fn crowd_of_50_moves_to_the_other_replica_and_is_resent_nothing() {
    all_move(50).await;
}

#[tokio::test]
async fn long_crowd_of_500_moves_to_the_other_replica_and_is_resent_nothing() {
    all_move(500).await;
}

#[tokio::test]
async fn client_that_stands_still_costs_bounded_memory_and_gets_the_last_state_at_once() {
    let mut plant = Plant::start(1, 1, 200).await;
    plant.envoy(&Place::at(0)).await;
    plant.envoy(&Place::at(0)).await;
    plant.live(PATIENCE).await;
    let rds = "rds\\..*config_reload$";
    let before = plant.envoys[1].envoy.stats_matching(rds).await.expect("statistics");
    plant.envoys[1].envoy.process().pause().await;
    for round in 0..20 {
        plant.edit((0..10).map(|step| round * 10 + step)).await;
        plant.world.live(&[plant.envoys[0].port], PATIENCE).await;
    }
    let early = plant.replicas[0].process().usage().expect("it runs").resident_bytes;
    for round in 0..60 {
        plant.edit((0..10).map(|step| (round * 10 + step) % 200)).await;
        plant.world.live(&[plant.envoys[0].port], PATIENCE).await;
    }
    let late = plant.replicas[0].process().usage().expect("it runs").resident_bytes;
    assert!(late < early + 32 * 1024 * 1024, "{late} bytes after {early}");
    plant.envoys[1].envoy.process().resume();
    plant.live(PATIENCE).await;
    let after = plant.envoys[1].envoy.stats_matching(rds).await.expect("statistics");
    let (before, after): (u64, u64) = (before.values().sum(), after.values().sum());
    assert!(after - before <= 5, "{} updates instead of the last one", after - before);
}
