//! A control plane in this process, a client that takes all that it serves, and the processor time of both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use biplane_admin_api::{Client, Resources};
use biplane_control_plane::{CatalogSettings, Server, Settings};
use biplane_core::key::{Kind, ObjectKey};
use biplane_editor::Editor;
use biplane_store::{Batch, MemoryStore, Precondition, Store as _};
use biplane_testkit::xds::{Delta, Node, type_url};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::registry::{self, Registry};

const GATEWAY: &str = "\
metadata: {name: edge, namespace: default}
bindAddress: 127.0.0.1
bindPort: 8080
httpGateway: {}
";
/// The routes of that gateway.
const ROUTES: &str = "listener-127.0.0.1-8080-routes";
/// The fleet of a gateway that names none.
const FLEET: &str = "gateway-proxy";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// One control plane with its services.
pub(crate) struct World {
    registry: Arc<Registry>,
    services: usize,
    client: Delta,
    admin: Client,
    shutdown: CancellationToken,
    task: JoinHandle<Result<()>>,
    turn: u16,
}

/// What changes do, on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// All threads of this process.
    pub(crate) processor: Duration,
    /// Until the client had it.
    pub(crate) latency: Duration,
}

/// A change of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An instance is replaced.
    Instance,
    /// A tag is another, and so is a route.
    Tag,
}

impl World {
    /// Starts with so many services; gives also what that cost, until the client has a cluster of each.
    pub(crate) async fn start(services: usize) -> Result<(Self, Cost)> {
        let (began, before) = (Instant::now(), processor()?);
        let registry = Arc::new(Registry::new(services));
        let store = MemoryStore::new("bench");
        let gateway = ObjectKey::new(Kind::Gateway, "default", "edge");
        store.commit(Batch::new().put(gateway, GATEWAY, Precondition::Any)).await?;
        let store = Arc::new(store);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { xds: any, admin: any, ..Settings::default() };
        let mut catalog = CatalogSettings::default();
        catalog.tags.biplane.enabled = true;
        let server = Server::bind(settings, store.clone(), Arc::new(Editor::new(store))).await?;
        let server =
            server.with_endpoints(vec![registry.clone()]).with_services(vec![registry.clone()], catalog);
        let (xds, admin) = (server.xds, Client::new(server.admin));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(server.run(shutdown.clone()));
        let client = Delta::connect(xds, Node::new("bench", FLEET)).await?;
        let mut world = Self { registry, services, client, admin, shutdown, task, turn: 0 };
        world.complete().await?;
        let cost = Cost { processor: processor()?.saturating_sub(before), latency: began.elapsed() };
        Ok((world, cost))
    }

    /// Waits for a cluster of each service, with its endpoints.
    async fn complete(&mut self) -> Result<()> {
        self.client.subscribe(type_url::CLUSTER, &["*"]);
        self.client.subscribe(type_url::ROUTE, &[ROUTES]);
        let (mut clusters, mut assignments) = (0, 0);
        while clusters < self.services || assignments < self.services {
            let response = self.client.next(PATIENCE).await?;
            match response.type_url.as_str() {
                type_url::CLUSTER => {
                    clusters += response.resources.len();
                    self.client.subscribe(type_url::ENDPOINT, &response.names());
                }
                type_url::ENDPOINT => assignments += response.resources.len(),
                _ => {}
            }
            self.client.ack(&response);
        }
        Ok(())
    }

    /// Changes so many services, one after the other.
    pub(crate) async fn change(&mut self, change: Change, times: u16) -> Result<Cost> {
        self.one(change).await?;
        let (began, before) = (Instant::now(), processor()?);
        for _ in 0..times {
            self.one(change).await?;
        }
        let spent = processor()?.saturating_sub(before);
        Ok(Cost { processor: spent / u32::from(times), latency: began.elapsed() / u32::from(times) })
    }

    async fn one(&mut self, change: Change) -> Result<()> {
        self.turn += 1;
        let number = usize::from(self.turn) % self.services;
        let awaited = match change {
            Change::Instance => {
                self.registry.replace_instance(number, self.turn);
                type_url::ENDPOINT
            }
            Change::Tag => {
                self.registry.retag(number, self.turn);
                type_url::ROUTE
            }
        };
        loop {
            let response = self.client.next(PATIENCE).await?;
            self.client.ack(&response);
            if response.type_url == awaited {
                return Ok(());
            }
        }
    }

    /// Somebody looks at one made object, so many times.
    pub(crate) async fn look(&self, times: u32) -> Result<Cost> {
        let (began, before) = (Instant::now(), processor()?);
        let key = ObjectKey::new(Kind::VirtualService, "tags", registry::host(self.services / 2));
        for _ in 0..times {
            let found = Resources::get(&self.admin, &key).await.with_context(|| format!("{key}"))?;
            ensure!(found.location.contains("services"), "nobody has written {key}");
        }
        let spent = processor()?.saturating_sub(before);
        Ok(Cost { processor: spent / times, latency: began.elapsed() / times })
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        drop(self.client);
        self.task.await?
    }
}

/// Of all threads of this process.
fn processor() -> Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in std::fs::read_dir("/proc/self/task")? {
        // A thread may end between the listing and the reading.
        let Ok(schedstat) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let nanoseconds = schedstat.split(' ').next().context("schedstat is empty")?.parse()?;
        total += Duration::from_nanos(nanoseconds);
    }
    Ok(total)
}
