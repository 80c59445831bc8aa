//! The fleets and their Envoys.

use biplane_admin_api::status::{FleetStatus, NodeIdentity, NodeStatus, Proof, Rejection, TypeStatus};
use biplane_xds::{ProvedBy, ResourceType};

use super::timestamp;
use crate::engine::Engine;

/// The fleets that some gateway belongs to.
pub(super) fn fleets(engine: &Engine) -> Vec<FleetStatus> {
    let nodes = engine.fleets().nodes();
    let fleet = |name: String| {
        let snapshot = engine.fleets().snapshot(&name);
        let count = |kind| snapshot.as_ref().map_or(0, |snapshot| snapshot.count(kind) as u64);
        FleetStatus {
            generation: snapshot.as_ref().map_or(0, |snapshot| snapshot.generation()),
            listeners: count(ResourceType::Listener),
            routes: count(ResourceType::Route),
            clusters: count(ResourceType::Cluster),
            endpoints: count(ResourceType::Endpoint),
            secrets: count(ResourceType::Secret),
            nodes: nodes.iter().filter(|node| node.fleet == name).count() as u64,
            name,
        }
    };
    engine.graph().fleet_names().into_iter().map(fleet).collect()
}

/// The Envoys that are connected.
pub(super) fn nodes(engine: &Engine) -> Vec<NodeStatus> {
    engine.fleets().nodes().into_iter().map(node).collect()
}

fn node(node: biplane_xds::NodeStatus) -> NodeStatus {
    let rejected: Vec<_> = node.rejected.into_iter().map(rejection).collect();
    let types: Vec<_> = node.types.iter().map(type_status).collect();
    NodeStatus {
        in_sync: rejected.is_empty() && types.iter().all(|kind| kind.pending == 0),
        id: node.id,
        fleet: node.fleet,
        remote: node.remote,
        identity: identity(node.identity),
        build_version: node.build_version,
        protocol: protocol(node.protocol).to_owned(),
        connected_since: timestamp(node.connected_since),
        types,
        rejected,
    }
}

fn identity(identity: biplane_xds::NodeIdentity) -> NodeIdentity {
    let by = match identity.by {
        ProvedBy::Certificate => Proof::Certificate,
        ProvedBy::Token => Proof::Token,
        ProvedBy::Loopback => Proof::Loopback,
        ProvedBy::Nothing => Proof::Nothing,
    };
    NodeIdentity { by, who: identity.who, until: identity.until.map(timestamp) }
}

const fn protocol(protocol: biplane_xds::Protocol) -> &'static str {
    match protocol {
        biplane_xds::Protocol::Delta => "delta",
        biplane_xds::Protocol::Sotw => "state of the world",
    }
}

fn type_status(status: &biplane_xds::TypeStatus) -> TypeStatus {
    TypeStatus {
        r#type: status.kind.to_string(),
        subscribed: status.subscribed as u64,
        sent: status.sent as u64,
        acked: status.acked as u64,
        pending: u64::from(status.pending),
    }
}

fn rejection(rejection: biplane_xds::Rejection) -> Rejection {
    Rejection {
        resource: rejection
            .resource
            .map_or_else(|| "a response as a whole".to_owned(), |name| name.to_string()),
        version: rejection.version.map(|version| version.to_string()).unwrap_or_default(),
        error: rejection.error,
        origins: rejection.origins.iter().map(ToString::to_string).collect(),
        at: timestamp(rejection.at),
    }
}
