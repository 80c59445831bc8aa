//! The registry of connected nodes, and of the secrets that they hold. Invariant: an entry is listed exactly
//! as long as its stream lives.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::resource::Version;
use crate::status::{NodeStatus, Protocol};
use crate::stream::HeldSecret;

type Registered = Arc<Mutex<Node>>;

/// What one stream tells of its node.
struct Node {
    status: NodeStatus,
    /// The secrets that it has confirmed, each in its version.
    secrets: HashMap<Arc<str>, Version>,
}

#[derive(Default)]
struct Registry {
    next: u64,
    streams: BTreeMap<u64, Registered>,
}

#[derive(Clone, Default)]
pub(super) struct Nodes {
    registry: Arc<Mutex<Registry>>,
    /// Counts what changes the answer of [`Nodes::hold`].
    confirmations: Arc<watch::Sender<u64>>,
}

impl Nodes {
    pub(super) fn enter(&self, status: NodeStatus) -> NodeEntry {
        let node = Arc::new(Mutex::new(Node { status, secrets: HashMap::new() }));
        let mut registry = lock(&self.registry);
        let number = registry.next;
        registry.next += 1;
        registry.streams.insert(number, node.clone());
        NodeEntry { number, node, nodes: self.clone() }
    }

    /// Changes whenever a node confirms a secret, lets go of one, or goes.
    pub(super) fn confirmations(&self) -> watch::Receiver<u64> {
        self.confirmations.subscribe()
    }

    /// Whether every node that holds one of these secrets holds a version that is its fleet's. `current` looks at a
    /// fleet, and gives what tells the version of each of its secrets: it is called once a stream, and only
    /// for those that hold any.
    pub(super) fn hold<C>(&self, names: &[Arc<str>], current: impl Fn(&str) -> C) -> bool
    where
        C: Fn(&str) -> Option<Version>,
    {
        let streams: Vec<_> = lock(&self.registry).streams.values().cloned().collect();
        streams.iter().all(|stream| {
            let node = lock(stream);
            let held = names.iter().filter_map(|name| Some((name, node.secrets.get(name)?)));
            let mut held = held.peekable();
            if held.peek().is_none() {
                return true;
            }
            let current = current(&node.status.fleet);
            held.all(|(name, held)| current(name).is_none_or(|current| current == *held))
        })
    }

    /// Newer streams come later and overrule older ones of the same node, type by type.
    pub(super) fn list(&self) -> Vec<NodeStatus> {
        let streams: Vec<_> = lock(&self.registry).streams.values().cloned().collect();
        let mut nodes: BTreeMap<(String, String, Protocol), NodeStatus> = BTreeMap::new();
        for stream in streams {
            let status = lock(&stream).status.clone();
            let key = (status.fleet.clone(), status.id.clone(), status.protocol);
            match nodes.get_mut(&key) {
                Some(node) => merge(node, status),
                None => drop(nodes.insert(key, status)),
            }
        }
        nodes.into_values().collect()
    }
}

fn merge(node: &mut NodeStatus, newer: NodeStatus) {
    let overruled = |kind| newer.types.iter().any(|status| status.kind == kind);
    node.types.retain(|status| !overruled(status.kind));
    node.rejected.retain(|rejection| !rejection.resource.as_ref().is_some_and(|name| overruled(name.kind)));
    node.types.extend(newer.types);
    node.types.sort_by_key(|status| status.kind);
    node.rejected.extend(newer.rejected);
    (node.remote, node.identity) = (newer.remote, newer.identity);
}

/// A node's place in the registry; dropping it takes the node off.
pub(crate) struct NodeEntry {
    number: u64,
    node: Registered,
    nodes: Nodes,
}

impl NodeEntry {
    /// Changes what is listed.
    pub(crate) fn update(&self, change: impl FnOnce(&mut NodeStatus)) {
        change(&mut lock(&self.node).status);
    }

    /// Notes the secrets of which the node's version has changed.
    pub(crate) fn hold(&self, secrets: Vec<HeldSecret>) {
        if secrets.is_empty() {
            return;
        }
        let mut node = lock(&self.node);
        for (name, version) in secrets {
            match version {
                Some(version) => drop(node.secrets.insert(name, version)),
                None => drop(node.secrets.remove(&name)),
            }
        }
        drop(node);
        self.nodes.confirmations.send_modify(|count| *count += 1);
    }
}

impl Drop for NodeEntry {
    fn drop(&mut self) {
        lock(&self.nodes.registry).streams.remove(&self.number);
        self.nodes.confirmations.send_modify(|count| *count += 1);
    }
}

// Plain data stays whole even if a thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::SystemTime;

    use super::*;
    use crate::door::ProvedBy;
    use crate::resource::ResourceType;
    use crate::status::{NodeIdentity, TypeStatus};

    fn status(kind: ResourceType, sent: usize) -> NodeStatus {
        let of_type = TypeStatus { kind, subscribed: 1, sent, acked: 0, pending: true, last_ack: None };
        NodeStatus {
            id: "envoy-1".into(),
            fleet: "edge".into(),
            remote: "127.0.0.1:1".into(),
            identity: NodeIdentity { by: ProvedBy::Loopback, who: "127.0.0.1".into(), until: None },
            build_version: String::new(),
            connected_since: SystemTime::UNIX_EPOCH,
            protocol: Protocol::Delta,
            types: vec![of_type],
            rejected: vec![],
        }
    }

    #[test]
    fn streams_of_one_node_are_one_entry_and_the_newer_overrules() {
        let nodes = Nodes::default();
        let _old = nodes.enter(status(ResourceType::Cluster, 1));
        let _other = nodes.enter(status(ResourceType::Listener, 2));
        let _new = nodes.enter(status(ResourceType::Cluster, 3));
        let listed = nodes.list();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].types.iter().map(|status| status.sent).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn node_is_listed_while_its_stream_lives() {
        let nodes = Nodes::default();
        let entry = nodes.enter(status(ResourceType::Cluster, 1));
        entry.update(|status| status.build_version = "1.40".into());
        assert_eq!(nodes.list()[0].build_version, "1.40");
        drop(entry);
        assert!(nodes.list().is_empty());
    }

    #[test]
    fn fleet_is_looked_up_once_a_stream_however_many_secrets_it_holds() {
        let nodes = Nodes::default();
        let names: Vec<Arc<str>> = (0..100).map(|number| number.to_string().into()).collect();
        let version = Version::of(b"new");
        let streams: Vec<_> = (0..3).map(|_| nodes.enter(status(ResourceType::Secret, 1))).collect();
        for stream in &streams[..2] {
            stream.hold(names.iter().map(|name| (name.clone(), Some(version))).collect());
        }
        let looks = Cell::new(0);
        let current = |_: &str| {
            looks.set(looks.get() + 1);
            |_: &str| Some(version)
        };
        assert!(nodes.hold(&names, current));
        assert_eq!(looks.get(), 2, "the third holds none");
    }

    #[test]
    fn secret_is_confirmed_once_every_node_that_holds_it_has_the_current_version() {
        let nodes = Nodes::default();
        let version = |body: &'static str| Version::of(body.as_bytes());
        let names = ["s".into()];
        let confirmed = |nodes: &Nodes| nodes.hold(&names, |_| |_: &str| Some(version("new")));
        let (one, two) =
            (nodes.enter(status(ResourceType::Secret, 1)), nodes.enter(status(ResourceType::Secret, 1)));
        assert!(confirmed(&nodes), "nobody holds it");
        one.hold(vec![("s".into(), Some(version("old")))]);
        two.hold(vec![("s".into(), Some(version("new")))]);
        assert!(!confirmed(&nodes));
        let mut told = nodes.confirmations();
        one.hold(vec![("s".into(), Some(version("new")))]);
        assert!(confirmed(&nodes) && told.has_changed().unwrap());
        told.mark_unchanged();
        two.hold(vec![("s".into(), Some(version("other")))]);
        assert!(!confirmed(&nodes));
        drop(two);
        assert!(confirmed(&nodes) && told.has_changed().unwrap(), "who has gone is not waited for");
    }
}
