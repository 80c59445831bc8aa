//! A control plane process: binds, wires the tasks together, and runs until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use biplane_admin_api::Resources;
use biplane_store::{Driver, DriverOptions, Revision, RevisionScope, Store, StoreMetrics};
use biplane_xds::{Fleets, ServerOptions};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::engine::Engine;
use crate::freshen::freshen;
use crate::hold::Holds;
use crate::metrics::EngineCollector;
use crate::run_loop::{self, Progress, Pulse};
use crate::settings::Settings;
use crate::shared::SharedEngine;
use crate::snapshot::{SnapshotDirectory, SnapshotHealth, write_editions};
use crate::status::StatusSource;
use crate::supervisor::Supervisor;

/// Store events that may wait while a transaction runs. The driver reads no further behind them, and
/// what it has not read coalesces there.
const EVENTS: usize = 16;

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
    xds_listener: TcpListener,
    admin_listener: TcpListener,
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
    /// Binds the addresses, and says so in the ready file. `resources` is how the HTTP API reads and changes
    /// what `store` holds.
    pub async fn bind(
        settings: Settings,
        store: Arc<dyn Store>,
        resources: Arc<dyn Resources>,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(settings.xds.ip().is_loopback(), biplane_xds::ServeError::NotLoopback(settings.xds));
        biplane_admin::check_address(settings.admin).context("admin address")?;
        let xds_listener = listen("xds", settings.xds).await?;
        let admin_listener = listen("admin", settings.admin).await?;
        let server = Self {
            xds: xds_listener.local_addr()?,
            admin: admin_listener.local_addr()?,
            settings,
            store,
            resources,
            xds_listener,
            admin_listener,
        };
        if let Some(path) = &server.settings.ready_file {
            write_ready_file(path, &server).with_context(|| format!("writing {}", path.display()))?;
        }
        info!(xds = %server.xds, admin = %server.admin, store = server.store.describe().name, "listening");
        Ok(server)
    }

    /// Runs until `shutdown`, or until something breaks that only a new process can mend.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let store_name: Arc<str> = self.store.describe().name.into();
        let health = SnapshotHealth::default();
        let snapshots = self.open_snapshots(&store_name, &health);
        let fallback = snapshots.as_ref().map(SnapshotDirectory::load).unwrap_or_default();
        let fleets = Fleets::new();
        let holds = Holds::new(self.settings.hold_deletions);
        let engine = SharedEngine::new(Engine::new(fleets.clone(), holds, fallback));
        let pulse = Pulse::new();
        let (events, received) = mpsc::channel(EVENTS);
        let (editions, edition) = watch::channel(0);
        let (revisions, revision) = watch::channel(Revision::default());
        if self.store.describe().revisions == RevisionScope::Store {
            fleets.set_freshen(freshen(self.store.clone(), revision));
        }
        let driver = Driver::new(self.store.clone(), self.driver_options(), events);
        let mut registry = Registry::default();
        let options = ServerOptions { drain: self.settings.drain, ..ServerOptions::default() };
        options.metrics.register(registry.sub_registry_with_prefix("biplane"));
        registry.register_collector(Box::new(collector(&engine, driver.metrics(), &health)));
        let source = StatusSource {
            engine: engine.clone(),
            fleets: fleets.clone(),
            snapshots: health.clone(),
            pulse: pulse.clone(),
            registry,
            store: store_name,
            resources: self.resources,
            started: SystemTime::now(),
        };
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn(
            "core",
            run_loop::run(
                engine.clone(),
                received,
                Progress { editions, revisions },
                pulse,
                shutdown.clone(),
            ),
        );
        supervisor.spawn("store", follow(driver, shutdown.clone()));
        let admin = biplane_admin::serve(self.admin_listener, Arc::new(source), shutdown.clone());
        supervisor.spawn("admin", async { Ok(admin.await?) });
        let xds = biplane_xds::serve(self.xds_listener, fleets, options, shutdown.clone());
        supervisor.spawn("xds", async { Ok(xds.await?) });
        if let Some(snapshots) = snapshots {
            let writer = write_editions(Arc::new(snapshots), engine, edition, health, shutdown);
            supervisor.spawn("snapshot", async {
                writer.await;
                Ok(())
            });
        }
        supervisor.run().await
    }

    /// Serving never depends on this disk: where it cannot be used, that is said, and a restart needs the store.
    fn open_snapshots(&self, store: &str, health: &SnapshotHealth) -> Option<SnapshotDirectory> {
        let Some(path) = &self.settings.state_dir else {
            warn!(
                "no state directory: after a restart nothing is served until the store has been read, and an object \
                 that is bad at that moment is not served at all"
            );
            return None;
        };
        let opened = SnapshotDirectory::open(path, store, self.settings.snapshot_key_file.as_deref());
        if let Err(error) = &opened {
            error!(%error, "the last good configuration is not kept on disk");
            health.give_up(error.to_string());
        }
        opened.ok()
    }

    const fn driver_options(&self) -> DriverOptions {
        DriverOptions { audit_period: self.settings.resync, ..DriverOptions::local() }
    }
}

async fn listen(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen for {what} on {address}"))
}

async fn follow(driver: Driver, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        () = driver.run() => anyhow::bail!("the driver of the store ended"),
    }
}

fn collector(engine: &SharedEngine, store: Arc<StoreMetrics>, health: &SnapshotHealth) -> EngineCollector {
    EngineCollector { engine: engine.clone(), store, snapshots: health.clone() }
}

/// Temporary name and rename: whoever waits for the file never sees half of it.
fn write_ready_file(path: &Path, server: &Server) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    let text = serde_json::json!({ "xds": server.xds.to_string(), "admin": server.admin.to_string() });
    std::fs::write(&temporary, text.to_string())?;
    Ok(std::fs::rename(temporary, path)?)
}
