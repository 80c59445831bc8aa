//! A client that asks for a fleet's whole configuration, as Envoy does, and accepts everything at once: what it
//! measures is Biplane alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use biplane_testkit::xds::{Delta, DeltaResponse, Node, type_url};

use crate::replay::Resources;
use crate::world::{FLEET, World};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A pause of this length means that nothing more comes.
const QUIET: Duration = Duration::from_millis(10);

/// A connected client.
#[derive(Debug)]
pub(crate) struct Subscriber {
    client: Delta,
    /// All resources as they were sent last.
    pub(crate) resources: Resources,
}

/// A response that has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When it was there as a whole.
    pub(crate) at: Instant,
    /// The length of the message.
    pub(crate) bytes: usize,
}

impl Subscriber {
    /// Connects and asks for everything; returns when everything that `world` describes is there.
    pub(crate) async fn complete(address: std::net::SocketAddr, world: &World) -> Result<Self> {
        let client = Delta::connect(address, Node::new("bench", FLEET)).await?;
        let mut subscriber = Self { client, resources: Resources::new() };
        subscriber.client.subscribe(type_url::CLUSTER, &["*"]);
        subscriber.client.subscribe(type_url::LISTENER, &["*"]);
        while !subscriber.is_complete(world) {
            let response = subscriber.next().await?;
            match response.type_url.as_str() {
                type_url::CLUSTER => subscriber.client.subscribe(type_url::ENDPOINT, &response.names()),
                type_url::LISTENER => {
                    subscriber.client.subscribe(type_url::ROUTE, &[&world.route_configuration()]);
                }
                _ => {}
            }
        }
        Ok(subscriber)
    }

    /// Waits for a response of a type.
    pub(crate) async fn until(&mut self, type_url: &str) -> Result<Arrival> {
        loop {
            let response = self.next().await?;
            let arrival = Arrival { at: Instant::now(), bytes: response.size };
            if response.type_url == type_url {
                return Ok(arrival);
            }
        }
    }

    /// Takes whatever else comes.
    pub(crate) async fn settle(&mut self) {
        while let Ok(response) = self.client.next(QUIET).await {
            self.take(&response);
        }
    }

    fn is_complete(&self, world: &World) -> bool {
        let count = |type_url| self.resources.get(type_url).map_or(0, BTreeMap::len);
        let size = world.size;
        let clusters = size.upstreams.min(size.total_routes());
        count(type_url::CLUSTER) == clusters
            && count(type_url::ENDPOINT) == clusters
            && count(type_url::LISTENER) == 1
            && count(type_url::ROUTE) == 1
    }

    async fn next(&mut self) -> Result<DeltaResponse> {
        let response = self.client.next(PATIENCE).await.with_context(|| format!("with {}", self.counts()))?;
        self.take(&response);
        Ok(response)
    }

    fn take(&mut self, response: &DeltaResponse) {
        self.client.ack(response);
        let of_type = self.resources.entry(response.type_url.clone()).or_default();
        for resource in response.resources.iter().filter(|resource| resource.any.is_some()) {
            of_type.insert(resource.name.clone(), resource.clone());
        }
        response.removed.iter().for_each(|name| drop(of_type.remove(name)));
    }

    fn counts(&self) -> String {
        let counts = self.resources.iter().map(|(kind, resources)| format!("{} {kind}", resources.len()));
        counts.collect::<Vec<_>>().join(", ")
    }
}
