//! A Consul full of services, and a source of which all of them are asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use biplane_consul_catalog::{CatalogOptions, ConsulCatalog};
use biplane_consul_client::{Address, Settings};
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{Endpoint, EndpointRequest, EndpointSource, Listing, Query, Watch};
use biplane_testkit::{Consul, TempDir};
use futures::StreamExt as _;
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long anything may take before it counts as broken.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many operations Consul takes in one transaction.
const TRANSACTION: usize = 60;

/// What happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The check of its first instance turns critical.
    Critical,
    /// It passes again.
    Passing,
    /// One instance more.
    Registered,
    /// One less.
    Deregistered,
}

/// All of it.
pub(crate) struct World {
    consul: Consul,
    source: ConsulCatalog,
    services: usize,
    instances: usize,
    watches: Vec<Watch<Vec<Endpoint>>>,
    /// Goes last.
    _directory: TempDir,
}

impl World {
    pub(crate) async fn start(services: usize, instances: usize, max_watches: usize) -> Result<Self> {
        let directory = TempDir::new("bench-catalog");
        let consul = Consul::builder().connections(5_000).start(&directory).await;
        for instance in 0..=instances {
            let node = json!({ "Node": node(instance), "Address": format!("10.0.0.{}", instance + 1) });
            consul.call(Method::PUT, "/v1/catalog/register", node.to_string()).await?;
        }
        let mut operations = Vec::new();
        for service in 0..services {
            for instance in 0..instances {
                operations.extend(registration(service, instance, "passing"));
            }
        }
        for part in operations.chunks(TRANSACTION) {
            consul.call(Method::PUT, "/v1/txn", Value::from(part).to_string()).await?;
        }
        let address = consul.address();
        let address = Address::Tcp { host: address.ip().to_string(), port: address.port(), tls: false };
        let mut options = CatalogOptions::new(Settings { address, ..Settings::default() });
        options.max_watches = max_watches;
        let source = ConsulCatalog::connect(options).context("a source")?;
        Ok(Self { consul, source, services, instances, watches: Vec::new(), _directory: directory })
    }

    /// Asks for everything, and says how long that took.
    pub(crate) async fn follow_all(&mut self) -> Result<Duration> {
        let began = Instant::now();
        for service in 0..self.services {
            let upstream = ConsulUpstream { service_name: Some(name(service)), ..ConsulUpstream::default() };
            let request = EndpointRequest { query: Query::Consul(upstream), credentials: None };
            self.watches.push(EndpointSource::watch(&self.source, &request));
        }
        for service in 0..self.services {
            let instances = self.instances;
            self.until(service, |told| told.len() == instances).await?;
        }
        let took = began.elapsed();
        self.idle(Duration::from_secs(3)).await?;
        Ok(took)
    }

    /// Changes a service, and says how long it took until that was told.
    pub(crate) async fn change(&mut self, kind: Kind, service: usize) -> Result<Duration> {
        let (more, usual) = (self.instances + 1, self.instances);
        let operations = match kind {
            Kind::Critical => vec![check(service, 0, "critical")],
            Kind::Passing => vec![check(service, 0, "passing")],
            Kind::Registered => registration(service, usual, "passing"),
            Kind::Deregistered => {
                vec![json!({ "Service": { "Verb": "delete", "Node": node(usual), "Service": {
                "ID": format!("{}-{usual}", name(service)), "Service": name(service),
            } } })]
            }
        };
        self.consul.call(Method::PUT, "/v1/txn", Value::from(operations).to_string()).await?;
        let began = Instant::now();
        let usable = |told: &[Endpoint]| told.iter().filter(|endpoint| endpoint.health.is_usable()).count();
        match kind {
            Kind::Critical => self.until(service, |told| usable(told) + 1 == told.len()).await?,
            Kind::Passing | Kind::Deregistered => self.until(service, |told| usable(told) == usual).await?,
            Kind::Registered => self.until(service, |told| usable(told) == more).await?,
        }
        Ok(began.elapsed())
    }

    /// Requests to Consul so far, by what they are for.
    pub(crate) fn requests(&self) -> BTreeMap<&'static str, u64> {
        let counters = EndpointSource::counters(&self.source);
        let wanted = ["reads", "confirmations", "hints", "probes"];
        wanted.into_iter().map(|word| (word, counters[word])).collect()
    }

    /// Lets time pass in which nothing may be told.
    pub(crate) async fn idle(&mut self, time: Duration) -> Result<()> {
        let all = futures::stream::select_all(&mut self.watches);
        let told = timeout(time, all.into_future()).await;
        ensure!(told.is_err(), "something was told although nothing has changed");
        Ok(())
    }

    async fn until(&mut self, service: usize, fits: impl Fn(&[Endpoint]) -> bool) -> Result<()> {
        let watch = &mut self.watches[service];
        loop {
            match timeout(PATIENCE, watch.next()).await.context("nothing was told")? {
                Some(Listing::Complete(told)) if fits(&told) => return Ok(()),
                Some(Listing::Complete(_)) => {}
                Some(Listing::Failed(error)) => bail!("{error}"),
                None => bail!("a watch has ended"),
            }
        }
    }
}

fn name(service: usize) -> String {
    format!("service-{service:04}")
}

fn node(instance: usize) -> String {
    format!("node-{instance}")
}

fn registration(service: usize, instance: usize, status: &str) -> Vec<Value> {
    let name = name(service);
    let registered = json!({ "Service": { "Verb": "set", "Node": node(instance), "Service": {
        "ID": format!("{name}-{instance}"), "Service": name, "Port": 8_000 + service, "Tags": ["v1"],
    } } });
    vec![registered, check(service, instance, status)]
}

fn check(service: usize, instance: usize, status: &str) -> Value {
    let id = format!("{}-{instance}", name(service));
    json!({ "Check": { "Verb": "set", "Check": {
        "Node": node(instance), "CheckID": format!("check-{id}"), "Name": "alive", "Status": status, "ServiceID": id,
    } } })
}
