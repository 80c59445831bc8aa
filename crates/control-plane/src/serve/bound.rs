//! What a process has to itself: its addresses and its state directory.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use biplane_admin::{Access, Listener};
use biplane_store::Description;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::identity::Door;
use crate::settings::Settings;
use crate::snapshot::{SnapshotDirectory, SnapshotError, SnapshotHealth};

/// Where Envoys connect, and where the HTTP API listens.
pub(super) type Addresses = (SocketAddr, SocketAddr);

/// Everything that was taken, to be given to the tasks.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) xds: TcpListener,
    pub(super) door: Door,
    pub(super) admin: Vec<Listener>,
    pub(super) access: Access,
    pub(super) snapshots: Option<Arc<SnapshotDirectory>>,
    pub(super) health: SnapshotHealth,
}

impl Bound {
    /// Binds the addresses, takes the state directory for `store`, and writes the ready file.
    pub(super) async fn bind(settings: &Settings, store: &Description) -> anyhow::Result<(Self, Addresses)> {
        let door = Door::open(&settings.nodes, settings.xds)?;
        let access = Access::open(&settings.access).context("access to the admin API")?;
        biplane_admin::check_address(settings.admin, &access).context("admin address")?;
        let (snapshots, health) = open_snapshots(settings, store)?;
        if let Some(directory) = &settings.state_dir {
            door.keep_keys_in(directory);
        }
        if let Some(directory) = &snapshots {
            door.keep_certificate_in(directory.clone());
        }
        let xds = listen("xds", settings.xds).await?;
        let (admin, admin_address) = listen_admin(settings).await?;
        let addresses = (xds.local_addr()?, admin_address);
        if let Some(path) = &settings.ready_file {
            write_ready_file(path, addresses).with_context(|| format!("writing {}", path.display()))?;
        }
        info!(xds = %addresses.0, admin = %addresses.1, store = store.name, "listening");
        Ok((Self { xds, door, admin, access, snapshots, health }, addresses))
    }
}

async fn listen(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen for {what} on {address}"))
}

async fn listen_admin(settings: &Settings) -> anyhow::Result<(Vec<Listener>, SocketAddr)> {
    let tcp = listen("admin", settings.admin).await?;
    let address = tcp.local_addr()?;
    let mut listeners = vec![Listener::Tcp(tcp)];
    if let Some(path) = &settings.admin_socket {
        let socket = Listener::unix(path).await;
        listeners.push(socket.with_context(|| format!("cannot listen for admin on {}", path.display()))?);
    }
    Ok((listeners, address))
}

/// Serving never depends on this disk: where it cannot be used, that is said, and a restart needs the store.
/// Only a directory that another process uses is a reason not to start, since that is a mistake of settings.
fn open_snapshots(
    settings: &Settings,
    store: &Description,
) -> anyhow::Result<(Option<Arc<SnapshotDirectory>>, SnapshotHealth)> {
    let health = SnapshotHealth::default();
    let Some(path) = &settings.state_dir else {
        warn!(
            "no state directory: after a restart nothing is served until the store has been read, and an object \
             that is bad at that moment is not served at all"
        );
        return Ok((None, health));
    };
    let directory = SnapshotDirectory::open(path, &store.name, settings.snapshot_key_file.as_deref());
    match directory.map(|directory| directory.marked(store.sentinel)) {
        Ok(directory) => match directory.claim() {
            Err(error @ SnapshotError::InUse { .. }) => Err(error.into()),
            // The first write makes the directory, or says why it cannot.
            Ok(()) | Err(_) => Ok((Some(Arc::new(directory)), health)),
        },
        Err(error) => {
            error!(%error, "the last good configuration is not kept on disk");
            health.give_up(error.to_string());
            Ok((None, health))
        }
    }
}

/// Temporary name and rename: whoever waits for the file never sees half of it.
fn write_ready_file(path: &Path, (xds, admin): Addresses) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    let text = serde_json::json!({ "xds": xds.to_string(), "admin": admin.to_string() });
    std::fs::write(&temporary, text.to_string())?;
    Ok(std::fs::rename(temporary, path)?)
}
