//! The fleets and what each ought to have: the control plane publishes, streams read. Invariant:
//! a reader always sees a whole snapshot, and nobody holds a lock while it sends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::resource::ResourceType;
use crate::snapshot::{Change, Snapshot};
use crate::status::NodeStatus;

mod nodes;

pub(crate) use nodes::NodeEntry;
use nodes::Nodes;

/// Ends when what is published is at least as new as what the store held when it was called.
pub type Freshen = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Every fleet's snapshot and the nodes that are connected. A cheap handle: clones are the same.
#[derive(Clone)]
pub struct Fleets {
    shared: Arc<Shared>,
}

struct Shared {
    // A stream that waits for a fleet keeps a receiver of it; the sender never goes before them.
    fleets: Mutex<BTreeMap<String, watch::Sender<Arc<Snapshot>>>>,
    open: watch::Sender<bool>,
    nodes: Nodes,
    freshen: OnceLock<Freshen>,
}

impl Fleets {
    /// No fleet yet, and the gate shut.
    pub fn new() -> Self {
        let open = watch::Sender::new(false);
        Self {
            shared: Arc::new(Shared {
                fleets: Mutex::default(),
                open,
                nodes: Nodes::default(),
                freshen: OnceLock::new(),
            }),
        }
    }

    /// Applies a change and wakes the fleet's streams. Returns the generation, which stays the same, with
    /// nobody woken, if the change changes nothing. Costs as much as the change.
    pub fn publish(&self, fleet: &str, change: Change) -> u64 {
        let mut fleets = self.fleets();
        let sender = entry(&mut fleets, fleet);
        let current = sender.borrow().clone();
        let next = Arc::new(current.with(change, Instant::now()));
        let generation = next.generation();
        if generation == current.generation() && current.configured() {
            // Origins may differ: later streams see them, nobody is woken for them.
            sender.send_if_modified(|snapshot| {
                *snapshot = next;
                false
            });
        } else {
            sender.send_replace(next);
        }
        generation
    }

    /// Says how to catch up with the store. A client that brings versions along which are not ours may come
    /// from a replica that is ahead; between versions there is no order, so its answers wait for this
    /// once. Without it, or called a second time, nothing happens.
    pub fn set_freshen(&self, freshen: Freshen) {
        let _ = self.shared.freshen.set(freshen);
    }

    pub(crate) fn freshen(&self) -> Option<BoxFuture<'static, ()>> {
        self.shared.freshen.get().map(|freshen| freshen())
    }

    /// Opens the publish gate: until then every stream's answers are held.
    pub fn open(&self) {
        self.shared.open.send_replace(true);
    }

    /// Whether the publish gate is open.
    pub fn is_open(&self) -> bool {
        *self.shared.open.borrow()
    }

    /// Whether anybody has published for a fleet.
    pub fn configured(&self, fleet: &str) -> bool {
        self.snapshot(fleet).is_some()
    }

    /// The fleets that were published for, by name.
    pub fn fleet_names(&self) -> Vec<String> {
        let fleets = self.fleets();
        fleets
            .iter()
            .filter(|(_, sender)| sender.borrow().configured())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What a fleet ought to have; nothing if nobody has published for it.
    pub fn snapshot(&self, fleet: &str) -> Option<Arc<Snapshot>> {
        let snapshot = self.fleets().get(fleet)?.borrow().clone();
        snapshot.configured().then_some(snapshot)
    }

    /// Whether any fleet has a resource of this name.
    pub(crate) fn have(&self, kind: ResourceType, name: &str) -> bool {
        let fleets = self.fleets();
        fleets.values().any(|sender| sender.borrow().get(kind, name).is_some())
    }

    /// The connected nodes, by fleet and id. Per-type streams of one node are one entry.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.shared.nodes.list()
    }

    /// Changes whenever the answer of [`Self::secrets_confirmed`] may have.
    pub fn confirmations(&self) -> watch::Receiver<u64> {
        self.shared.nodes.confirmations()
    }

    /// Whether every connected client that holds one of these secrets has confirmed it as it is published now.
    /// Clients that hold none of them do not count.
    pub fn secrets_confirmed(&self, names: &[Arc<str>]) -> bool {
        let current = |fleet: &str| {
            let snapshot = self.snapshot(fleet);
            move |name: &str| Some(snapshot.as_ref()?.get(ResourceType::Secret, name)?.version)
        };
        self.shared.nodes.hold(names, current)
    }

    /// The snapshots of a fleet as they come, whether or not it is configured yet.
    pub(crate) fn watch(&self, fleet: &str) -> watch::Receiver<Arc<Snapshot>> {
        let mut fleets = self.fleets();
        // Names that only clients have brought must not pile up.
        fleets.retain(|_, sender| sender.borrow().configured() || sender.receiver_count() > 0);
        entry(&mut fleets, fleet).subscribe()
    }

    pub(crate) fn watch_open(&self) -> watch::Receiver<bool> {
        self.shared.open.subscribe()
    }

    /// Lists a node for as long as the entry lives.
    pub(crate) fn enter(&self, status: NodeStatus) -> NodeEntry {
        self.shared.nodes.enter(status)
    }

    fn fleets(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Arc<Snapshot>>>> {
        self.shared.fleets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Fleets {
    fn default() -> Self {
        Self::new()
    }
}

fn entry<'a>(
    fleets: &'a mut BTreeMap<String, watch::Sender<Arc<Snapshot>>>,
    fleet: &str,
) -> &'a watch::Sender<Arc<Snapshot>> {
    fleets
        .entry(fleet.to_owned())
        .or_insert_with(|| watch::Sender::new(Arc::new(Snapshot::empty(Instant::now()))))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::resource::{Resource, ResourceName};

    fn change(body: &'static str, origin: &str) -> Change {
        let name = ResourceName::new(ResourceType::Cluster, "a");
        let origins: Vec<Arc<str>> = vec![origin.into()];
        let resource = Resource::new(name, Bytes::from_static(body.as_bytes()), vec![], origins);
        Change { upserts: vec![Arc::new(resource)], ..Change::default() }
    }

    #[test]
    fn publish_wakes_a_fleet_only_if_something_changed() {
        let fleets = Fleets::new();
        let mut watch = fleets.watch("edge");
        assert_eq!(fleets.publish("edge", change("1", "x")), 1);
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        assert_eq!(fleets.publish("edge", change("1", "y")), 1);
        assert!(!watch.has_changed().unwrap());
        let origins =
            fleets.snapshot("edge").unwrap().get(ResourceType::Cluster, "a").unwrap().origins.clone();
        assert_eq!(*origins, ["y".into()]);
    }

    #[test]
    fn fleet_is_configured_by_its_first_publish_even_an_empty_one() {
        let fleets = Fleets::new();
        let watch = fleets.watch("edge");
        assert!(!fleets.configured("edge"));
        fleets.publish("edge", Change::default());
        assert!(fleets.configured("edge"));
        assert!(watch.has_changed().unwrap());
        assert_eq!(fleets.fleet_names(), ["edge"]);
    }

    #[test]
    fn fleet_that_only_clients_named_is_forgotten_with_them() {
        let fleets = Fleets::new();
        drop(fleets.watch("typo"));
        drop(fleets.watch("other"));
        assert_eq!(fleets.fleets().keys().collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn gate_opens_once_for_every_handle() {
        let fleets = Fleets::new();
        assert!(!fleets.is_open());
        fleets.clone().open();
        assert!(fleets.is_open());
    }
}
