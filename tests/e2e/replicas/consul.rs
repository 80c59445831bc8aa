//! Two replicas on Consul: Envoys move, one of them leads, one of them is behind.

use std::time::Duration;

use anyhow::{Result, ensure};
use biplane_testkit::{Biplane, Consul, FaultProxy, TempDir, eventually, free_port, throughout};
use serde_json::Value;

use super::plant::{Client, Place, at};
use crate::etcd::served::{ROOT, command, init, leads, options, source_is};
use crate::etcd::world::{Traffic, World, key, service, version};
use crate::harness::resources::{gateway_with, keyed};
use crate::harness::{CALM, PATIENCE, status};

/// A session may live twice as long as it is asked to, and its lock is not given away for a while after.
const LATER: Duration = Duration::from_secs(90);

const RECORD: &str = "biplane/status/VirtualService/gloo-system/host-17";

/// Two replicas, the second of which reaches Consul through a link, and an Envoy at the first.
struct OnConsul {
    client: Client,
    replicas: Vec<Biplane>,
    link: FaultProxy,
    world: World,
    consul: Consul,
    directory: TempDir,
}

impl OnConsul {
    async fn start() -> Self {
        let directory = TempDir::new("replicas-consul");
        let consul = Consul::start(&directory).await;
        let link = FaultProxy::start(consul.address());
        let url = |address| format!("consul://{address}/{ROOT}");
        init(&url(consul.address())).await;
        let (world, port, fleet) = (World::new(20), free_port(), "fleet-0");
        let gateway = gateway_with(fleet, port, &format!("proxyNames: [{fleet}]\nhttpGateway: {{}}"));
        consul.kv_put_many(&keyed(ROOT, &[gateway])).await.expect("Consul takes writes");
        consul.kv_put_many(&world.entries()).await.expect("Consul takes writes");
        let mut replicas = Vec::new();
        for (name, address) in [("replica-0", consul.address()), ("replica-1", link.address())] {
            replicas.push(Biplane::start_with(options(&url(address)).named(name), &directory).await);
        }
        let addresses: Vec<_> = replicas.iter().map(Biplane::xds).collect();
        let client = Client::start(fleet, port, &addresses, Place::at(0), &directory).await;
        let plant = Self { client, replicas, link, world, consul, directory };
        plant.live().await;
        at(&plant.replicas[0], &plant.client.id).await;
        plant
    }

    async fn live(&self) {
        self.world.live(&[self.client.port], PATIENCE).await;
    }

    async fn traffic(&self) -> Traffic {
        Traffic::start(&self.world, &[(&self.client.envoy, self.client.port)]).await
    }

    async fn edit(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let edits = self.world.edit(numbers);
        self.consul.kv_put_many(&edits).await.expect("Consul takes writes");
    }

    /// The number of the one that leads.
    async fn leader(&self) -> usize {
        eventually("one leader", PATIENCE, async || {
            let mut leading = Vec::new();
            for (number, replica) in self.replicas.iter().enumerate() {
                let status = status::fetch(replica).await?;
                leading.extend((status["leader"]["isMe"] == true).then_some(number));
            }
            ensure!(leading.len() == 1, "{leading:?} lead");
            Ok(leading[0])
        })
        .await
    }

    /// What is said of a host in the store.
    async fn record(&self) -> Result<Option<Value>> {
        Ok(self.consul.kv_get(RECORD).await?.map(|text| serde_json::from_str(&text)).transpose()?)
    }
}

#[tokio::test]
async fn envoy_moves_between_replicas_on_consul_and_is_resent_nothing() {
    let mut plant = OnConsul::start().await;
    let (updates, traffic) = (plant.client.updates().await, plant.traffic().await);
    for replica in [1, 0, 1] {
        plant.client.go(Place::at(replica));
        at(&plant.replicas[replica], &plant.client.id).await;
        throughout("calm behind the move", CALM, async || {
            let now = plant.client.updates().await;
            ensure!(now == updates, "{now:#?} instead of {updates:#?}");
            Ok(())
        })
        .await;
    }
    let file = plant.directory.join("host.yaml");
    std::fs::write(&file, service(9, 2)).expect("the test's directory is writable");
    let apply = command(&plant.replicas[0], &["apply", "-f", file.to_str().expect("UTF-8")]).await;
    assert_eq!(apply.code, 0, "{apply:?}");
    plant.world.edit([9]);
    plant.live().await;
    traffic.end(&[&plant.client.envoy]).await;
}

#[tokio::test]
async fn leader_on_consul_that_ends_in_order_gives_its_seat_up_at_once() {
    let mut plant = OnConsul::start().await;
    let first = plant.leader().await;
    plant.replicas[first].stop().await;
    leads(&plant.replicas[1 - first]).await;
}

#[tokio::test]
async fn replica_that_is_cut_off_from_consul_lets_nobody_go_back() {
    let mut plant = OnConsul::start().await;
    let traffic = plant.traffic().await;
    plant.link.cut();
    source_is(&plant.replicas[1], "failed").await;
    plant.edit([3, 20]).await;
    plant.live().await;
    plant.client.go(Place::at(1));
    let newest = version(plant.client.port, 3).await.expect("it is live");
    throughout("the newest version", Duration::from_secs(6), async || {
        let now = version(plant.client.port, 3).await?;
        ensure!(now == newest, "version {now} came after version {newest}");
        Ok(())
    })
    .await;
    plant.link.heal();
    at(&plant.replicas[1], &plant.client.id).await;
    plant.edit([3]).await;
    plant.live().await;
    traffic.end(&[&plant.client.envoy]).await;
}

#[tokio::test]
async fn long_leader_on_consul_that_slept_is_followed_by_another_and_writes_nothing_any_more() {
    let mut plant = OnConsul::start().await;
    let traffic = plant.traffic().await;
    let first = plant.leader().await;
    plant.client.go(Place::at(1 - first));
    plant.replicas[first].pause().await;
    let entries = plant.world.again([17]);
    let broken = entries[0].1.replace("name: two", "name: nobody");
    plant.consul.kv_put(&key(17), broken.clone()).await.expect("Consul takes writes");
    let told = eventually("a word by the next leader", LATER, async || {
        let status = status::fetch(&plant.replicas[1 - first]).await?;
        ensure!(status["leader"]["isMe"] == true, "{:#}", status["leader"]);
        let record = plant.record().await?.unwrap_or_default();
        ensure!(record["by"] == status["leader"]["name"], "{record:#}");
        Ok(record)
    })
    .await;
    plant.replicas[first].resume();
    let heir = told["by"].as_str().expect("a name").to_owned();
    status::until(&plant.replicas[first], "the new leader's name", |status| {
        status["leader"]["name"] == *heir && status["leader"]["isMe"] == false
    })
    .await;
    throughout("what the new leader wrote", Duration::from_secs(3), async || {
        let record = plant.record().await?.unwrap_or_default();
        ensure!(record == told, "{record:#}");
        Ok(())
    })
    .await;
    plant.consul.kv_put_many(&entries).await.expect("Consul takes writes");
    eventually("no word about a host that is mended", PATIENCE, async || {
        let record = plant.record().await?;
        ensure!(record.is_none(), "{record:#?}");
        Ok(())
    })
    .await;
    traffic.end(&[&plant.client.envoy]).await;
}
