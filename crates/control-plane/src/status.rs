//! What the process says about itself: the admin server's [`Source`], put together when asked.
//! The engine is locked for one reading; nothing is kept ready, so serving pays nothing for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use biplane_admin::Source;
use biplane_admin_api::resources::Accepted;
use biplane_admin_api::status::{
    FleetStatus, Gate as GateStatus, GateState, HeldDeletion, NodeStatus, ObjectReport, Rejection, Severity,
    SourceState, SourceStatus, TypeStatus,
};
use biplane_admin_api::{Problem, ProblemKind, Resources, Status};
use biplane_core::scalars::Timestamp;
use biplane_xds::{Fleets, ResourceType};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::engine::{Engine, Findings, Gate};
use crate::run_loop::Pulse;
use crate::shared::SharedEngine;
use crate::snapshot::SnapshotHealth;

/// Answers the admin server.
pub(crate) struct StatusSource {
    pub(crate) engine: SharedEngine,
    pub(crate) fleets: Fleets,
    pub(crate) snapshots: SnapshotHealth,
    pub(crate) pulse: Pulse,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<str>,
    pub(crate) resources: Arc<dyn Resources>,
    pub(crate) started: SystemTime,
}

#[async_trait]
impl Source for StatusSource {
    fn status(&self) -> Status {
        // The lock is waited for and much is read: not on a worker that serves Envoys.
        block_in_place(|| {
            let (mut status, findings) = self.read();
            status.reports = findings.located().iter().map(Into::into).collect();
            status.reports.extend(self.snapshots.failure().as_deref().map(unkept));
            status
        })
    }

    fn ready(&self) -> Result<(), String> {
        // Asked of the gate itself, which no transaction holds up.
        if self.fleets.is_open() { Ok(()) } else { Err(format!("waiting for {}", self.store)) }
    }

    fn live(&self) -> Result<(), String> {
        match self.pulse.stuck() {
            Some(busy) => Err(format!("one transaction has taken {} s", busy.as_secs())),
            None => Ok(()),
        }
    }

    fn resources(&self) -> Arc<dyn Resources> {
        self.resources.clone()
    }

    async fn accept(&self, source: &str, _author: &str) -> Result<Accepted, Problem> {
        if source != &*self.store {
            let problem = Problem::new(ProblemKind::NotFound, format!("there is no source {source:?}"));
            return Err(problem.hint(format!("the source is {}", self.store)));
        }
        Ok(Accepted { source: source.to_owned(), ..Accepted::default() })
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        block_in_place(|| encode(&mut text, &self.registry)).expect("writing to a string");
        text
    }
}

impl StatusSource {
    /// Everything but the findings, which are put in their places without the engine.
    fn read(&self) -> (Status, Findings) {
        let engine = self.engine.lock();
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: timestamp(self.started),
            ready: engine.gate() != Gate::Waiting,
            gate: gate(&engine, &self.store),
            sources: vec![source(&engine, &self.store)],
            fleets: fleets(&engine),
            nodes: engine.fleets().nodes().into_iter().map(node).collect(),
            reports: Vec::new(),
            held: held(&engine),
            objects: objects(&engine),
        };
        (status, engine.findings())
    }
}

/// A restart would cost what the store does not hold at that moment: an error, if about no object.
fn unkept(failure: &str) -> ObjectReport {
    ObjectReport {
        severity: Severity::Error,
        message: format!("the last good configuration is not kept on disk: {failure}"),
        ..ObjectReport::default()
    }
}

fn gate(engine: &Engine, store: &str) -> GateStatus {
    let (state, waiting_for) = match engine.gate() {
        Gate::Waiting => (GateState::Waiting, vec![store.to_owned()]),
        Gate::Restored => (GateState::Restored, vec![store.to_owned()]),
        Gate::Open => (GateState::Open, Vec::new()),
    };
    GateStatus { state, waiting_for }
}

fn source(engine: &Engine, name: &str) -> SourceStatus {
    let store = engine.store();
    let state = match (engine.gate(), &store.error) {
        (Gate::Restored, _) => SourceState::Restored,
        (_, Some(_)) => SourceState::Failed,
        (Gate::Waiting, None) => SourceState::Waiting,
        (Gate::Open, None) => SourceState::Complete,
    };
    SourceStatus {
        name: name.to_owned(),
        kind: "store".to_owned(),
        state,
        revision: store.revision.map(|revision| revision.to_string()),
        objects: engine.graph().counts().values().map(|count| *count as u64).sum(),
        age_seconds: store.fresh.map(|fresh| age(fresh, store.error.is_some())),
        last_error: store.error.clone(),
    }
}

/// A store whose watch is alive is as fresh as can be; one that fails ages.
fn age(fresh: Instant, failing: bool) -> u64 {
    if failing { fresh.elapsed().as_secs() } else { 0 }
}

fn fleets(engine: &Engine) -> Vec<FleetStatus> {
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

fn node(node: biplane_xds::NodeStatus) -> NodeStatus {
    let rejected: Vec<_> = node.rejected.into_iter().map(rejection).collect();
    let types: Vec<_> = node.types.iter().map(type_status).collect();
    NodeStatus {
        in_sync: rejected.is_empty() && types.iter().all(|kind| kind.pending == 0),
        id: node.id,
        fleet: node.fleet,
        remote: node.remote,
        build_version: node.build_version,
        protocol: protocol(node.protocol).to_owned(),
        connected_since: timestamp(node.connected_since),
        types,
        rejected,
    }
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

fn held(engine: &Engine) -> Vec<HeldDeletion> {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let deletion = |(key, held): (&biplane_core::key::ObjectKey, &crate::hold::Held)| HeldDeletion {
        object: key.to_string(),
        referenced_by: engine.graph().referrers(key).iter().map(ToString::to_string).collect(),
        since: timestamp(wall - now.saturating_duration_since(held.since)),
        until: timestamp(wall + held.until.saturating_duration_since(now)),
    };
    engine.holds().iter().map(deletion).collect()
}

fn objects(engine: &Engine) -> BTreeMap<String, u64> {
    engine.graph().counts().into_iter().map(|(kind, count)| (kind.to_string(), count as u64)).collect()
}

fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}
