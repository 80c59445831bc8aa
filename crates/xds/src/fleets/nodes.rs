//! The registry of connected nodes. Invariant: an entry is listed exactly as long as its stream lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::status::{NodeStatus, Protocol};

type Registered = Arc<Mutex<NodeStatus>>;

#[derive(Default)]
struct Registry {
    next: u64,
    streams: BTreeMap<u64, Registered>,
}

#[derive(Clone, Default)]
pub(super) struct Nodes {
    registry: Arc<Mutex<Registry>>,
}

impl Nodes {
    pub(super) fn enter(&self, status: NodeStatus) -> NodeEntry {
        let status = Arc::new(Mutex::new(status));
        let mut registry = lock(&self.registry);
        let number = registry.next;
        registry.next += 1;
        registry.streams.insert(number, status.clone());
        NodeEntry { number, status, nodes: self.clone() }
    }

    /// Newer streams come later and overrule older ones of the same node, type by type.
    pub(super) fn list(&self) -> Vec<NodeStatus> {
        let streams: Vec<_> = lock(&self.registry).streams.values().cloned().collect();
        let mut nodes: BTreeMap<(String, String, Protocol), NodeStatus> = BTreeMap::new();
        for stream in streams {
            let status = lock(&stream).clone();
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
    node.remote = newer.remote;
}

/// A node's place in the registry; dropping it takes the node off.
pub(crate) struct NodeEntry {
    number: u64,
    status: Registered,
    nodes: Nodes,
}

impl NodeEntry {
    /// Changes what is listed.
    pub(crate) fn update(&self, change: impl FnOnce(&mut NodeStatus)) {
        change(&mut lock(&self.status));
    }
}

impl Drop for NodeEntry {
    fn drop(&mut self) {
        lock(&self.nodes.registry).streams.remove(&self.number);
    }
}

// Plain data stays whole even if a thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::resource::ResourceType;
    use crate::status::TypeStatus;

    fn status(kind: ResourceType, sent: usize) -> NodeStatus {
        let of_type = TypeStatus { kind, subscribed: 1, sent, acked: 0, pending: true, last_ack: None };
        NodeStatus {
            id: "envoy-1".into(),
            fleet: "edge".into(),
            remote: "127.0.0.1:1".into(),
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
}
