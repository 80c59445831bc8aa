//! Hosts that tell their version: what is edited in a store, and what must be seen of it through Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use biplane_testkit::load::Rate;
use biplane_testkit::{Client, Envoy, Load, Request, Upstream, eventually};
use tokio::time::Instant;

use super::served::ROOT;
use crate::harness::resources::{keyed, route_answering, route_to, service_at, upstream};

/// Keys and values, as `etcdctl put` and `consul kv put` take them.
pub(crate) type Entries = Vec<(String, String)>;

/// Hosts by number. Each sends `/` to an upstream and answers `/version` itself.
pub(crate) struct World {
    servers: [Upstream; 2],
    versions: BTreeMap<usize, u64>,
    gone: BTreeSet<usize>,
}

impl World {
    /// So many hosts, at their first version.
    pub(crate) fn new(hosts: usize) -> Self {
        let servers = ["one", "two"].map(Upstream::start);
        Self { servers, versions: (0..hosts).map(|number| (number, 1)).collect(), gone: BTreeSet::new() }
    }

    /// Everything but the gateway.
    pub(crate) fn entries(&self) -> Entries {
        let services = self.versions.iter().map(|(&number, &version)| service(number, version));
        let upstreams = ["one", "two"].into_iter().zip(&self.servers);
        keyed(
            ROOT,
            &upstreams.map(|(name, server)| upstream(name, server)).chain(services).collect::<Vec<_>>(),
        )
    }

    /// The next version of some hosts, new ones among them.
    pub(crate) fn edit(&mut self, numbers: impl IntoIterator<Item = usize>) -> Entries {
        let mut objects = Vec::new();
        for number in numbers {
            let version = self.versions.entry(number).or_default();
            *version += 1;
            objects.push(service(number, *version));
            self.gone.remove(&number);
        }
        keyed(ROOT, &objects)
    }

    /// Some hosts as they are.
    pub(crate) fn again(&self, numbers: impl IntoIterator<Item = usize>) -> Entries {
        let objects: Vec<_> =
            numbers.into_iter().map(|number| service(number, self.versions[&number])).collect();
        keyed(ROOT, &objects)
    }

    /// The keys of hosts that are not to be there any more.
    pub(crate) fn remove(&mut self, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
        let remove = |number| {
            self.versions.remove(&number);
            self.gone.insert(number);
            key(number)
        };
        numbers.into_iter().map(remove).collect()
    }

    /// The state of now, to come back to.
    pub(crate) fn remember(&self) -> BTreeMap<usize, u64> {
        self.versions.clone()
    }

    /// Back to what was remembered: hosts that are newer are not to be there any more.
    pub(crate) fn go_back(&mut self, to: BTreeMap<usize, u64>) {
        self.gone.extend(self.versions.keys().filter(|number| !to.contains_key(*number)));
        self.gone.retain(|number| !to.contains_key(number));
        self.versions = to;
    }

    /// How many hosts there are.
    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }

    /// Waits until each host answers with its version at these ports, and those that are gone with 404.
    pub(crate) async fn live(&self, ports: &[u16], patience: Duration) {
        let deadline = Instant::now() + patience;
        for &port in ports {
            let mut hosts = self.versions.iter().cycle().peekable();
            let left = deadline.saturating_duration_since(Instant::now());
            eventually(&format!("every host's version at port {port}"), left, async || {
                let client = &mut Client::new(port);
                // A round in which nobody is behind, wherever it begins.
                for _ in 0..self.len() {
                    let (number, version) = *hosts.peek().expect("a round of nobody has no steps");
                    tells(client, *number, *version).await?;
                    hosts.next();
                }
                self.are_gone(client).await
            })
            .await;
        }
    }

    /// Whether it is so now.
    pub(crate) async fn check(&self, port: u16) -> Result<()> {
        // A connection for each question would take longer than what is often waited for.
        let client = &mut Client::new(port);
        for (&number, &version) in &self.versions {
            tells(client, number, version).await?;
        }
        self.are_gone(client).await
    }

    async fn are_gone(&self, client: &mut Client) -> Result<()> {
        for number in &self.gone {
            let answer = client.send(&Request::get(&host(*number), "/version")).await?;
            ensure!(answer.status == 404, "{} is gone, and answers {}", host(*number), answer.status);
        }
        Ok(())
    }

    /// Traffic to the first half of the hosts, through their upstreams.
    pub(crate) fn load(&self, port: u16) -> Load {
        let requests =
            self.versions.keys().take(self.len().div_ceil(2)).map(|number| Request::get(&host(*number), "/"));
        Load::start(port, requests.collect(), Rate { per_second: 100, connections: 4 })
    }
}

/// Traffic through some Envoys, and what they had lost and refused when it began.
pub(crate) struct Traffic {
    loads: Vec<Load>,
    losses: Vec<BTreeMap<String, u64>>,
}

impl Traffic {
    /// Begins, at Envoys with their ports.
    pub(crate) async fn start(world: &World, envoys: &[(&Envoy, u16)]) -> Self {
        let loads = envoys.iter().map(|(_, port)| world.load(*port)).collect();
        let envoys: Vec<_> = envoys.iter().map(|(envoy, _)| *envoy).collect();
        Self { loads, losses: losses(&envoys).await }
    }

    /// Ends. Every request must have been answered; no cluster and no listener was removed, nothing refused.
    pub(crate) async fn end(self, envoys: &[&Envoy]) {
        for load in self.loads {
            load.stop().assert_clean();
        }
        assert_eq!(losses(envoys).await, self.losses);
    }
}

async fn losses(envoys: &[&Envoy]) -> Vec<BTreeMap<String, u64>> {
    let mut losses = Vec::new();
    for envoy in envoys {
        losses.push(envoy.losses().await.expect("statistics"));
    }
    losses
}

/// A host's key.
pub(crate) fn key(number: usize) -> String {
    format!("{ROOT}/config/VirtualService/gloo-system/{}", name(number))
}

/// The name of a host's virtual service.
pub(crate) fn name(number: usize) -> String {
    format!("host-{number}")
}

/// A host's version as Envoy tells it.
pub(crate) async fn version(port: u16, number: usize) -> Result<u64> {
    told(&mut Client::new(port), number).await
}

async fn told(client: &mut Client, number: usize) -> Result<u64> {
    let answer = client.send(&Request::get(&host(number), "/version")).await?;
    ensure!(answer.status == 200, "{} answers {} {}", host(number), answer.status, answer.text());
    Ok(answer.text().parse()?)
}

async fn tells(client: &mut Client, number: usize, wanted: u64) -> Result<()> {
    let found = told(client, number).await?;
    ensure!(found == wanted, "{} is at version {found}, not {wanted}", host(number));
    Ok(())
}

/// A host's virtual service.
pub(crate) fn service(number: usize, version: u64) -> String {
    let target = if number.is_multiple_of(2) { "one" } else { "two" };
    let routes = format!("{}\n{}", route_answering("/version", &version.to_string()), route_to("/", target));
    service_at(&name(number), &host(number), &routes)
}

fn host(number: usize) -> String {
    format!("{}.example.com", name(number))
}
