//! What a control plane process is told: addresses, directories, periods.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use biplane_admin::AccessOptions;
use biplane_store::Description;

use crate::guard::Rules;
use crate::identity::NodeAccess;

/// Settings of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where Envoys connect. Loopback only, unless `nodes` says who is who.
    pub xds: SocketAddr,
    /// Who may connect there, and what is whose.
    pub nodes: NodeAccess,
    /// Where the HTTP API listens. Loopback only, unless `access` says who may do what.
    pub admin: SocketAddr,
    /// A socket file on which it listens as well.
    pub admin_socket: Option<PathBuf>,
    /// Who may do what through it.
    pub access: AccessOptions,
    /// Where the last good configuration is kept; none: nowhere, and a restart needs the store.
    pub state_dir: Option<PathBuf>,
    /// The key that secrets are sealed with on disk, a file that must exist; default: one in `state_dir`,
    /// made with the first edition.
    pub snapshot_key_file: Option<PathBuf>,
    /// Written once the addresses are bound: `{"xds":"ip:port","admin":"ip:port"}`.
    pub ready_file: Option<PathBuf>,
    /// How long a deleted object that others still name stays in use.
    pub hold_deletions: Duration,
    /// How long Envoys' streams may take to end on shutdown.
    pub drain: Duration,
    /// How often the store is read in full and compared with what its watch has told.
    pub resync: Duration,
    /// Whether removals are held back when a store suddenly shows much less.
    pub guard: bool,
    /// Up to this share of a kind's objects may go within a minute without a word.
    pub guard_percent: u8,
    /// Fewer objects of a kind than this may always go.
    pub guard_min: usize,
    /// Whether this replica may write Biplane's own records (status, history) into a store that has room for
    /// them, when it is its turn.
    pub leader: bool,
}

impl Settings {
    /// The guard's rules for a store.
    pub fn rules(&self, store: &Description) -> Rules {
        Rules {
            on: self.guard,
            percent: self.guard_percent,
            min: self.guard_min,
            sentinel: store.sentinel,
            revisions: store.revisions,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            xds: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9977),
            nodes: NodeAccess::default(),
            admin: biplane_admin_api::DEFAULT_ADDRESS,
            admin_socket: None,
            access: AccessOptions::default(),
            state_dir: None,
            snapshot_key_file: None,
            ready_file: None,
            hold_deletions: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            resync: Duration::from_mins(5),
            guard: true,
            guard_percent: 30,
            guard_min: 5,
            leader: true,
        }
    }
}
