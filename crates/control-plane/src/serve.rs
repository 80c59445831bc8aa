//! A control plane process: binds, wires the tasks together, and runs until it is told to stop.

mod bound;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use biplane_admin_api::Resources;
use biplane_source::{EndpointSource, SecretSource, ServiceSource};
use biplane_store::{Driver, DriverOptions, RevisionScope, Store, clock};
use biplane_xds::{Fleets, ServerOptions};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::accept::Acceptance;
use crate::catalog::{Catalog, CatalogSettings};
use crate::discovery::{self, Discovery, DiscoverySource};
use crate::engine::Engine;
use crate::freshen::freshen;
use crate::guard::{Guard, Memory};
use crate::hold::Holds;
use crate::identity::OpenKeys;
use crate::leader::{self, Board, Feed, Leader};
use crate::manager::{self, Nobody, ServiceManager};
use crate::metrics::{EndpointCollector, EngineCollector, SecretCollector};
use crate::newcomer::Newcomer;
use crate::reload::{Reload, Reloads, reloads};
use crate::run_loop::{self, Lines, Progress, Pulse, SecretLines, Watchdog};
use crate::secrets::keeper::Keeper;
use crate::secrets::{Secrets, SourceFacts};
use crate::settings::Settings;
use crate::shared::SharedEngine;
use crate::snapshot::write_editions;
use crate::status::StatusSource;
use crate::supervisor::Supervisor;
use crate::with_made::WithMade;
use crate::witness::{Meant, Witness};
use crate::{intents, snapshot};
use bound::Bound;

/// Store events that may wait while a transaction runs. The driver reads no further behind them, and
/// what it has not read coalesces there.
const EVENTS: usize = 16;

/// Commands that may wait: an operator's and the reader's of intents, which wait for their answers. As many questions and words
/// of operators about services.
const COMMANDS: usize = 4;

/// Batches of listings of secrets, or of endpoints, that may wait; behind them the sources' watches wait too.
const TOLD: usize = 4;

/// A control plane with its addresses bound, not yet running.
#[derive(Debug)]
pub struct Server {
    /// Where Envoys connect; the real port where port 0 was asked for.
    pub xds: SocketAddr,
    /// Where the HTTP API listens.
    pub admin: SocketAddr,
    settings: Settings,
    store: Arc<dyn Store>,
    resources: Arc<dyn Resources>,
    secrets: Vec<Arc<dyn SecretSource>>,
    endpoints: Vec<Arc<dyn EndpointSource>>,
    services: Vec<Arc<dyn ServiceSource>>,
    catalog: CatalogSettings,
    keys: Option<OpenKeys>,
    manager: Arc<dyn ServiceManager>,
    reload: (Reload, Reloads),
    bound: Bound,
}

/// Binds and runs until `shutdown`.
pub async fn serve(
    settings: Settings,
    store: Arc<dyn Store>,
    resources: Arc<dyn Resources>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    Server::bind(settings, store, resources).await?.run(shutdown).await
}

impl Server {
    /// Binds the addresses, takes the state directory, and says so in the ready file. `resources` is how the
    /// HTTP API reads and changes what `store` holds.
    pub async fn bind(
        settings: Settings,
        store: Arc<dyn Store>,
        resources: Arc<dyn Resources>,
    ) -> anyhow::Result<Self> {
        let (bound, addresses) = Bound::bind(&settings, &store.describe()).await?;
        let (xds, admin) = addresses;
        Ok(Self {
            xds,
            admin,
            settings,
            store,
            resources,
            secrets: Vec::new(),
            endpoints: Vec::new(),
            services: Vec::new(),
            catalog: CatalogSettings::default(),
            keys: None,
            manager: Arc::new(Nobody),
            reload: reloads(),
            bound,
        })
    }

    /// The same with sources of secrets, each with a name of its own.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Vec<Arc<dyn SecretSource>>) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same with sources of endpoints, each with a name of its own.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Vec<Arc<dyn EndpointSource>>) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// The same with sources of services, and what is made of these.
    #[must_use]
    pub fn with_services(mut self, services: Vec<Arc<dyn ServiceSource>>, catalog: CatalogSettings) -> Self {
        (self.services, self.catalog) = (services, catalog);
        self
    }

    /// The same with a way to read the keys of those who sign tokens.
    #[must_use]
    pub fn with_keys(mut self, keys: OpenKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The same, telling a supervisor outside of the process how it is.
    #[must_use]
    pub fn with_manager(mut self, manager: Arc<dyn ServiceManager>) -> Self {
        self.manager = manager;
        self
    }

    /// Has the store read when somebody asks.
    pub fn reload(&self) -> Reload {
        self.reload.0.clone()
    }

    /// Runs until `shutdown`, or until something breaks that only a new process can mend.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { settings, store, resources, secrets, endpoints, services, catalog, keys, bound, .. } =
            self;
        let (manager, (_, reloads)) = (self.manager, self.reload);
        let description = store.describe();
        let name: Arc<str> = description.name.as_str().into();
        let last_run = bound.snapshots.as_ref().map(|snapshots| snapshots.load()).unwrap_or_default();
        let fleets = Fleets::new();
        let engine = engine(&settings, &*store, &fleets, last_run, (&secrets, &endpoints));
        let (maker, made) = mpsc::channel(TOLD);
        let (accepted, accepts) = mpsc::channel(COMMANDS);
        let (ask, questions) = mpsc::channel(COMMANDS);
        let catalog =
            Catalog { sources: services, settings: catalog, made: maker, accepted: accepts, questions };
        let engine = SharedEngine::new(engine.with_made(catalog.awaited()));
        let pulse = Pulse::new();
        let (events, received) = mpsc::channel(EVENTS);
        let (commands, commanded) = mpsc::channel(COMMANDS);
        let (tell, told) = mpsc::channel(TOLD);
        let progress = Progress::new();
        let keeper = Keeper { sources: secrets.clone(), wanted: progress.wanted.subscribe(), told: tell };
        let (tell, found) = mpsc::channel(TOLD);
        let finder = discovery::keeper::Keeper {
            sources: endpoints.clone(),
            wanted: progress.endpoints.subscribe(),
            told: tell,
        };
        let (edition, activity) = (progress.editions.subscribe(), progress.activity.subscribe());
        let driver = Driver::new(store.clone(), driver_options(&settings, description.revisions), events);
        if description.revisions == RevisionScope::Store {
            let applied = progress.revisions.subscribe();
            fleets.set_freshen(freshen(store.clone(), driver.handle(), applied));
        }
        let records = store.records();
        let (board, meant) = (Board::default(), Arc::<Meant>::default());
        let leader = records.clone().filter(|_| settings.leader).map(|records| Leader {
            source: name.clone(),
            records,
            engine: engine.clone(),
            activity: activity.clone(),
            feed: Arc::new(Feed::default()),
            board: board.clone(),
            name: leader::replica_name(),
        });
        let mut registry = Registry::default();
        let options = bound.door.options(ServerOptions { drain: settings.drain, ..ServerOptions::default() });
        options.metrics.register(registry.sub_registry_with_prefix("biplane"));
        registry.register_collector(Box::new(EngineCollector {
            engine: engine.clone(),
            store: driver.metrics(),
            snapshots: bound.health.clone(),
            board: board.clone(),
        }));
        registry.register_collector(Box::new(SecretCollector {
            engine: engine.clone(),
            sources: secrets.clone(),
        }));
        registry.register_collector(Box::new(EndpointCollector {
            engine: engine.clone(),
            sources: endpoints.clone(),
        }));
        let source = StatusSource {
            engine: engine.clone(),
            fleets: fleets.clone(),
            snapshots: bound.health.clone(),
            board: board.clone(),
            troubles: bound.door.troubles(),
            pulse: pulse.clone(),
            registry,
            store: name.clone(),
            resources: Arc::new(WithMade {
                inner: Arc::new(Witness { inner: resources, meant: meant.clone() }),
                engine: engine.clone(),
            }),
            secrets: secrets.clone(),
            endpoints: endpoints.clone(),
            catalog: ask,
            acceptance: Acceptance {
                name: name.clone(),
                store,
                endpoints: endpoints.clone(),
                services: accepted,
                driver: driver.handle(),
                engine: engine.clone(),
                commands: commands.clone(),
                activity: activity.clone(),
            },
            started: SystemTime::now(),
        };
        let (handle, relist) = (driver.handle(), driver.handle());
        let mut supervisor = Supervisor::new(shutdown.clone());
        let feed = leader.as_ref().map(|leader| leader.feed.clone());
        let rules = settings.rules(&description);
        let newcomer = records.clone().map(|records| Newcomer { records, driver: handle, rules });
        supervisor.spawn("identity", bound.door.run(keys, secrets.clone(), shutdown.clone()));
        let secrets = SecretLines { told, confirmations: fleets.confirmations(), sources: secrets };
        let lines = Lines {
            events: received,
            commands: commanded,
            progress,
            feed,
            newcomer,
            secrets,
            endpoints: found,
            made,
            watchdog: Watchdog::of(manager.clone()),
        };
        supervisor.spawn("core", run_loop::run(engine.clone(), lines, pulse, shutdown.clone()));
        supervisor.spawn("store", follow(driver, shutdown.clone()));
        let admin = biplane_admin::serve(bound.admin, Arc::new(source), bound.access, shutdown.clone());
        supervisor.spawn("admin", async { Ok(admin.await?) });
        supervisor.spawn("secrets", keeper.run(shutdown.clone()));
        supervisor.spawn("endpoints", finder.run(shutdown.clone()));
        supervisor.spawn("services", catalog.run(shutdown.clone()));
        let xds = biplane_xds::serve(bound.xds, fleets, options, shutdown.clone());
        supervisor.spawn("xds", async { Ok(xds.await?) });
        let reloads = reloads.run(relist, engine.clone(), activity.clone(), shutdown.clone());
        supervisor.spawn("reload", reloads);
        let standing =
            manager::tell_standing(manager.clone(), engine.clone(), activity.clone(), shutdown.clone());
        supervisor.spawn("standing", standing);
        let sources = intents::Sources { records, meant, board };
        supervisor.spawn("intents", intents::run(sources, activity, commands, shutdown.clone()));
        if let Some(leader) = leader {
            supervisor.spawn("leader", lead(leader, shutdown.clone()));
        }
        if let Some(snapshots) = bound.snapshots {
            let writer = write_editions(snapshots, engine, name, edition, bound.health, shutdown);
            supervisor.spawn("snapshot", async {
                writer.await;
                Ok(())
            });
        }
        manager.ready();
        supervisor.run().await
    }
}

/// What is read besides the store.
type Elsewhere<'a> = (&'a [Arc<dyn SecretSource>], &'a [Arc<dyn EndpointSource>]);

/// The engine with what the last run left.
fn engine(
    settings: &Settings,
    store: &dyn Store,
    fleets: &Fleets,
    last_run: snapshot::LastRun,
    (secrets, endpoints): Elsewhere<'_>,
) -> Engine {
    let description = store.describe();
    let moved = !last_run.sources.is_empty() && !last_run.sources.contains_key(&description.name);
    let record =
        if moved { last_run.sources.values().next() } else { last_run.sources.get(&description.name) };
    let record = record.cloned().unwrap_or_default();
    let memory = Memory { moved, ..record.memory() };
    let guard = Guard::new(&description.name, settings.rules(&description), memory);
    let holds = Holds::new(settings.hold_deletions);
    let sources = secrets.iter().map(|source| SourceFacts::of(&**source)).collect();
    let secrets = Secrets::new(sources, last_run.secrets);
    let engine = Engine::guarded(fleets.clone(), holds, guard, last_run.objects);
    let sources = endpoints.iter().map(|source| DiscoverySource::of(&**source)).collect();
    let now = clock::now();
    let left = last_run.endpoints.into_iter().filter(|kept| !kept.is_stale(now)).collect();
    let discovery = Discovery::new(sources, left);
    engine.read_last(record.read_at).with_secrets(secrets).with_discovery(discovery)
}

/// A store that counts its own revisions is across a network and shared.
const fn driver_options(settings: &Settings, revisions: RevisionScope) -> DriverOptions {
    let options = match revisions {
        RevisionScope::Store => DriverOptions::remote(),
        RevisionScope::Process => DriverOptions::local(),
    };
    DriverOptions { audit_period: settings.resync, ..options }
}

/// A replica that has read nothing, or does not believe what it has read, has nothing to say: the seat is left
/// to those that have.
async fn lead(mut leader: Leader, shutdown: CancellationToken) -> anyhow::Result<()> {
    let read = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        read = leader.activity.wait_for(|activity| activity.readings > 0) => read.is_ok(),
    };
    if read { leader::run(leader, shutdown).await } else { Ok(()) }
}

async fn follow(driver: Driver, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        () = driver.run() => anyhow::bail!("the driver of the store ended"),
    }
}
