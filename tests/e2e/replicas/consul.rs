//! Two replicas on Consul: Envoys move, one of them leads.

use anyhow::ensure;
use biplane_testkit::{Biplane, Consul, TempDir, eventually, free_port, throughout};

use super::plant::{Client, Place, at};
use crate::etcd::served::{ROOT, command, init, leads, options};
use crate::etcd::world::{Traffic, World, service};
use crate::harness::resources::{gateway_with, keyed};
use crate::harness::{CALM, PATIENCE, status};

#[tokio::test]
async fn envoy_moves_between_replicas_on_consul_and_is_resent_nothing() {
    let directory = TempDir::new("replicas-consul");
    let consul = Consul::start(&directory).await;
    let url = format!("consul://{}/{ROOT}", consul.address());
    init(&url).await;
    let (mut world, port) = (World::new(20), free_port());
    let fleet = "fleet-0";
    let gateway = gateway_with(fleet, port, &format!("proxyNames: [{fleet}]\nhttpGateway: {{}}"));
    consul.kv_put_many(&keyed(ROOT, &[gateway])).await.expect("Consul takes writes");
    consul.kv_put_many(&world.entries()).await.expect("Consul takes writes");
    let mut replicas = Vec::new();
    for name in ["replica-0", "replica-1"] {
        replicas.push(Biplane::start_with(options(&url).named(name), &directory).await);
    }
    let addresses: Vec<_> = replicas.iter().map(Biplane::xds).collect();
    let client = Client::start(fleet, port, &addresses, Place::at(0), &directory).await;
    world.live(&[port], PATIENCE).await;
    at(&replicas[0], &client.id).await;
    let (updates, traffic) = (client.updates().await, Traffic::start(&world, &[(&client.envoy, port)]).await);
    for replica in [1, 0, 1] {
        client.go(Place::at(replica));
        at(&replicas[replica], &client.id).await;
        throughout("calm behind the move", CALM, async || {
            let now = client.updates().await;
            ensure!(now == updates, "{now:#?} instead of {updates:#?}");
            Ok(())
        })
        .await;
    }
    traffic.end(&[&client.envoy]).await;

    let file = directory.join("host.yaml");
    std::fs::write(&file, service(9, 2)).expect("the test's directory is writable");
    let apply = command(&replicas[0], &["apply", "-f", file.to_str().expect("UTF-8")]).await;
    assert_eq!(apply.code, 0, "{apply:?}");
    world.edit([9]);
    world.live(&[port], PATIENCE).await;
    let first = eventually("one leader", PATIENCE, async || {
        let mut leading = Vec::new();
        for (number, replica) in replicas.iter().enumerate() {
            let status = status::fetch(replica).await?;
            leading.extend((status["leader"]["isMe"] == true).then_some(number));
        }
        ensure!(leading.len() == 1, "{leading:?} lead");
        Ok(leading[0])
    })
    .await;
    // One that ends in order need not be waited for.
    replicas[first].stop().await;
    leads(&replicas[1 - first]).await;
}
