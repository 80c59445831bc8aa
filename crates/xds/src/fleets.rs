//! All fleets: their snapshots, the gate before the first answers, and the clients that are connected.
//!
//! Publishers and streams meet here and nowhere else. A publisher swaps a fleet's snapshot and wakes
//! the streams of that fleet; a stream loads the snapshot and owes its client what changed. No lock is
//! held while anything is sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::node::NodeStatus;
use crate::snapshot::{Change, Snapshot};

/// A handle on all fleets; cheap to clone.
#[derive(Clone, Debug)]
pub struct Fleets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fleets: Mutex<BTreeMap<String, Arc<Fleet>>>,
    gate: watch::Sender<bool>,
    nodes: Mutex<BTreeMap<u64, NodeStatus>>,
    next_node: AtomicU64,
}

/// One fleet: what it is served now, and a way to hear of changes.
#[derive(Debug)]
pub(crate) struct Fleet {
    snapshot: ArcSwap<Snapshot>,
    generation: watch::Sender<u64>,
    configured: AtomicBool,
}

impl Fleet {
    fn new() -> Self {
        let generation = watch::Sender::new(0);
        Self { snapshot: ArcSwap::default(), generation, configured: AtomicBool::new(false) }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.configured.load(Ordering::Relaxed)
    }
}

impl Default for Fleets {
    fn default() -> Self {
        Self::new()
    }
}

impl Fleets {
    /// No fleets, the gate closed.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            fleets: Mutex::default(),
            gate: watch::Sender::new(false),
            nodes: Mutex::default(),
            next_node: AtomicU64::new(0),
        }))
    }

    /// Changes what a fleet is served; gives the generation that holds the change. A change that
    /// changes nothing wakes nobody. Publishers of one fleet take turns among themselves.
    pub fn publish(&self, fleet: &str, change: Change) -> u64 {
        let fleet = self.fleet(fleet);
        fleet.configured.store(true, Ordering::Relaxed);
        // The watch's lock makes load, change and store one step.
        fleet.generation.send_if_modified(|generation| {
            let Some(next) = fleet.snapshot.load().apply(change) else { return false };
            *generation = next.generation();
            fleet.snapshot.store(Arc::new(next));
            true
        });
        *fleet.generation.borrow()
    }

    /// Opens the gate: from now on streams are answered. It never closes again.
    pub fn open(&self) {
        self.0.gate.send_if_modified(|open| !std::mem::replace(open, true));
    }

    /// Whether the gate is open.
    pub fn is_open(&self) -> bool {
        *self.0.gate.borrow()
    }

    /// Whether anything was ever published for a fleet.
    pub fn configured(&self, fleet: &str) -> bool {
        lock(&self.0.fleets).get(fleet).is_some_and(|fleet| fleet.is_configured())
    }

    /// The names of all configured fleets, sorted.
    pub fn fleet_names(&self) -> Vec<String> {
        let fleets = lock(&self.0.fleets);
        fleets.iter().filter(|(_, fleet)| fleet.is_configured()).map(|(name, _)| name.clone()).collect()
    }

    /// What a fleet is served now; `None`: it is not configured.
    pub fn snapshot(&self, fleet: &str) -> Option<Arc<Snapshot>> {
        let fleet = lock(&self.0.fleets).get(fleet).filter(|fleet| fleet.is_configured()).cloned();
        fleet.map(|fleet| fleet.snapshot())
    }

    /// All clients that are connected, in the order in which they came.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        lock(&self.0.nodes).values().cloned().collect()
    }

    pub(crate) fn gate(&self) -> watch::Receiver<bool> {
        self.0.gate.subscribe()
    }

    /// The fleet of a name, configured or not.
    pub(crate) fn fleet(&self, name: &str) -> Arc<Fleet> {
        let mut fleets = lock(&self.0.fleets);
        if let Some(fleet) = fleets.get(name) {
            return fleet.clone();
        }
        let fleet = Arc::new(Fleet::new());
        fleets.insert(name.to_owned(), fleet.clone());
        fleet
    }

    /// Enters a client; it stays until the ticket is dropped.
    pub(crate) fn enter(&self, status: NodeStatus) -> Ticket {
        let number = self.0.next_node.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.nodes).insert(number, status);
        Ticket { fleets: self.clone(), number }
    }
}

/// A client's place in the list of those that are connected.
#[derive(Debug)]
pub(crate) struct Ticket {
    fleets: Fleets,
    number: u64,
}

impl Ticket {
    /// Says how the client stands now.
    pub(crate) fn update(&self, change: impl FnOnce(&mut NodeStatus)) {
        if let Some(status) = lock(&self.fleets.0.nodes).get_mut(&self.number) {
            change(status);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.fleets.0.nodes).remove(&self.number);
    }
}

/// Plain data is behind the locks of this module: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
