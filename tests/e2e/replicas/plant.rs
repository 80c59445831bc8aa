//! Control planes on one etcd, and Envoys with a fleet and a port of their own, each of which goes where it is let.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use biplane_testkit::{Biplane, Envoy, Etcd, FaultProxy, TempDir, biplane, envoy, eventually, free_port};
use serde_json::{Value, json};

use crate::etcd::served::{ROOT, init, options, url_of};
use crate::etcd::world::{Traffic, World};
use crate::harness::resources::{gateway_with, keyed};
use crate::harness::{PATIENCE, ports_open, status};

/// Control planes and Envoys.
pub(crate) struct Plant {
    pub(crate) envoys: Vec<Client>,
    pub(crate) replicas: Vec<Biplane>,
    pub(crate) world: World,
    pub(crate) etcd: Etcd,
    pub(crate) directory: TempDir,
}

/// An Envoy, and the doors through which it reaches the replicas.
pub(crate) struct Client {
    pub(crate) envoy: Envoy,
    pub(crate) port: u16,
    pub(crate) id: String,
    doors: Vec<FaultProxy>,
}

/// Which replica an Envoy is let to.
#[derive(Clone, Copy)]
pub(crate) struct Place(usize);

impl Place {
    /// At one replica.
    pub(crate) const fn at(replica: usize) -> Self {
        Self(replica)
    }
}

impl Plant {
    /// An etcd of so many members, so many replicas, and a world of so many hosts.
    pub(crate) async fn start(members: usize, replicas: usize, hosts: usize) -> Self {
        let directory = TempDir::new("replicas");
        let etcd = Etcd::builder().members(members).start(&directory).await;
        let url = url_of(&etcd);
        let urls = vec![url; replicas];
        Self::on(directory, etcd, &urls, hosts).await
    }

    /// On an etcd that runs, a replica for each URL.
    pub(crate) async fn on(directory: TempDir, etcd: Etcd, urls: &[String], hosts: usize) -> Self {
        init(&url_of(&etcd)).await;
        let world = World::new(hosts);
        etcd.put_many(&world.entries()).await.expect("etcd takes writes");
        let mut replicas = Vec::new();
        for (number, url) in urls.iter().enumerate() {
            replicas.push(Biplane::start_with(options(url).named(&replica(number)), &directory).await);
        }
        Self { etcd, replicas, envoys: Vec::new(), world, directory }
    }

    /// Adds an Envoy, with a gateway for it. It is live when this returns.
    pub(crate) async fn envoy(&mut self, place: &Place) -> usize {
        let (number, port) = (self.envoys.len(), free_port());
        let fleet = format!("fleet-{number}");
        let gateway = gateway_with(&fleet, port, &format!("proxyNames: [{fleet}]\nhttpGateway: {{}}"));
        self.etcd.put_many(&keyed(ROOT, &[gateway])).await.expect("etcd takes writes");
        let addresses: Vec<_> = self.replicas.iter().map(Biplane::xds).collect();
        let client = Client::start(&fleet, port, &addresses, *place, &self.directory).await;
        self.envoys.push(client);
        number
    }

    /// The ports of all Envoys.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.envoys.iter().map(|client| client.port).collect()
    }

    /// Waits until the world is live everywhere.
    pub(crate) async fn live(&self, patience: Duration) {
        self.world.live(&self.ports(), patience).await;
    }

    /// Writes with etcdctl the next version of hosts.
    pub(crate) async fn edit(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let edits = self.world.edit(numbers);
        self.etcd.put_many(&edits).await.expect("etcd takes writes");
    }

    /// Traffic through all Envoys, during which they are to lose and refuse nothing.
    pub(crate) async fn traffic(&self) -> Traffic {
        let envoys: Vec<_> = self.envoys.iter().map(|client| (&client.envoy, client.port)).collect();
        Traffic::start(&self.world, &envoys).await
    }

    /// Ends the traffic, of which every request must have been answered.
    pub(crate) async fn unharmed(&self, traffic: Traffic) {
        let envoys: Vec<_> = self.envoys.iter().map(|client| &client.envoy).collect();
        traffic.end(&envoys).await;
    }

    /// Waits until each Envoy has accepted everything from the replica that it is at.
    pub(crate) async fn in_sync(&self) {
        for client in &self.envoys {
            eventually(&format!("{} in sync", client.id), PATIENCE, async || {
                let mut seen = Vec::new();
                for replica in &self.replicas {
                    seen.extend(node(replica, &client.id).await.ok());
                }
                ensure!(seen.iter().any(|node| node["inSync"] == true), "{seen:#?}");
                Ok(())
            })
            .await;
        }
    }

    /// Waits until an Envoy is at a replica, and in sync with it.
    pub(crate) async fn is_at(&self, envoy: usize, replica: usize) {
        at(&self.replicas[replica], &self.envoys[envoy].id).await;
    }

    /// Waits until all replicas have what etcd has.
    pub(crate) async fn agrees(&self) -> Result<()> {
        let hosts = self.etcd.keys(&format!("{ROOT}/config/VirtualService/")).await?.len();
        ensure!(hosts == self.world.len(), "etcd has {hosts} hosts, the world {}", self.world.len());
        for replica in &self.replicas {
            let what = format!("{hosts} hosts");
            let status = status::until(replica, &what, |status| status["objects"]["VirtualService"] == hosts);
            ensure!(status.await["sources"][0]["state"] == "complete", "a source that is complete");
            crate::etcd::served::nothing_was_lost(replica).await;
        }
        Ok(())
    }
}

impl Client {
    /// Starts an Envoy that is let to one of the replicas.
    pub(crate) async fn start(
        fleet: &str,
        port: u16,
        replicas: &[SocketAddr],
        place: Place,
        directory: &TempDir,
    ) -> Self {
        let doors: Vec<_> = replicas.iter().map(|address| FaultProxy::start(*address)).collect();
        let id = format!("{fleet}-1");
        let bootstrap = bootstrap(fleet, &id, &doors);
        open(&doors, place);
        let options = envoy::Options { name: id.clone(), ..envoy::Options::default() };
        let mut envoy = Envoy::start_with(&bootstrap, directory, options).await;
        envoy.ready().await;
        ports_open(&[port]).await;
        Self { envoy, port, id, doors }
    }

    /// Lets it to another replica, and cuts it off from the one where it is.
    pub(crate) fn go(&self, place: Place) {
        open(&self.doors, place);
    }

    /// Lets it wherever it likes.
    pub(crate) fn go_anywhere(&self) {
        self.doors.iter().for_each(FaultProxy::heal);
    }

    /// How often it took something that it did not have, or refused something, of any type.
    pub(crate) async fn updates(&self) -> BTreeMap<String, u64> {
        let changed = "(config_reload|cluster_(added|modified|removed)|listener_(added|modified|removed)|update_rejected|\\.update_success)$";
        let mut updates = self.envoy.stats_matching(changed).await.expect("statistics");
        // An answer that says that there is nothing new is a success too.
        updates.retain(|name, _| !name.ends_with(".update_success") || name.contains(".rds."));
        updates
    }
}

/// Waits until an Envoy is at a replica, and in sync with it.
pub(crate) async fn at(replica: &Biplane, id: &str) {
    eventually(&format!("{id} in sync"), PATIENCE, async || {
        let node = node(replica, id).await?;
        ensure!(node["inSync"] == true, "{node:#}");
        Ok(())
    })
    .await;
}

/// What a replica says of a node.
async fn node(replica: &Biplane, id: &str) -> Result<Value> {
    let status = status::fetch(replica).await?;
    let mut nodes = status::list(&status, "nodes").into_iter();
    nodes.find(|node| node["id"] == id).with_context(|| format!("{id} is not here: {:#}", status["nodes"]))
}

fn replica(number: usize) -> String {
    format!("replica-{number}")
}

/// Opens one door and closes the others, in an order in which there is always one open.
fn open(doors: &[FaultProxy], place: Place) {
    doors[place.0].heal();
    doors.iter().enumerate().filter(|(number, _)| *number != place.0).for_each(|(_, door)| door.cut());
}

/// What `biplane envoy bootstrap` makes, with all replicas in it.
fn bootstrap(fleet: &str, id: &str, doors: &[FaultProxy]) -> String {
    let xds = doors[0].address().to_string();
    let arguments = ["envoy", "bootstrap", "--xds", &xds, "--admin", "127.0.0.1:0", "-o", "json"];
    let output = biplane::run(arguments.into_iter().chain(["--fleet", fleet, "--id", id]));
    assert_eq!(output.code, 0, "{}", output.stderr);
    let mut bootstrap: Value = serde_json::from_str(&output.stdout).expect("JSON, as asked for");
    let address = |door: &FaultProxy| json!({ "socket_address": { "address": "127.0.0.1", "port_value": door.port() } });
    let endpoint = |door| json!({ "endpoint": { "address": address(door) } });
    let endpoints: Vec<_> = doors.iter().map(endpoint).collect();
    let cluster = &mut bootstrap["static_resources"]["clusters"][0];
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = json!(endpoints);
    bootstrap.to_string()
}
