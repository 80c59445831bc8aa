//! What the process says about itself: the admin server's [`Source`], put together when asked.
//! The engine is locked for one reading; nothing is kept ready, so serving pays nothing for it.

pub(crate) mod endpoints;
mod nodes;
mod secrets;
mod services;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use biplane_admin::Source;
use biplane_admin_api::explain::{ExplainQuery, Explanation};
use biplane_admin_api::resources::Accepted;
use biplane_admin_api::status::{
    EndpointsStatus, HeldDeletion, ObjectReport, SecretStatus, ServiceStatus, Severity, SourceStatus,
};
use biplane_admin_api::{Problem, ProblemKind, Resources, Status};
use biplane_core::scalars::Timestamp;
use biplane_source::{EndpointSource, SecretSource};
use biplane_xds::Fleets;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::accept::Acceptance;
use crate::catalog::Answer;
use crate::engine::{Engine, Findings};
use crate::explain::explain;
use crate::identity::Troubles;
use crate::leader::Board;
use crate::run_loop::Pulse;
use crate::shared::SharedEngine;
use crate::snapshot::SnapshotHealth;
pub(crate) use endpoints::state as endpoint_state;
pub(crate) use secrets::state as secret_state;

/// Answers the admin server.
pub(crate) struct StatusSource {
    pub(crate) engine: SharedEngine,
    pub(crate) fleets: Fleets,
    pub(crate) snapshots: SnapshotHealth,
    pub(crate) board: Board,
    pub(crate) troubles: Troubles,
    pub(crate) pulse: Pulse,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<str>,
    pub(crate) resources: Arc<dyn Resources>,
    pub(crate) secrets: Vec<Arc<dyn SecretSource>>,
    pub(crate) endpoints: Vec<Arc<dyn EndpointSource>>,
    /// Asks what is known of services.
    pub(crate) catalog: mpsc::Sender<Answer>,
    pub(crate) acceptance: Acceptance,
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
            status.reports.extend(self.board.reports());
            status.reports.extend(self.troubles.reports());
            status.problems = status.problems();
            status
        })
    }

    fn ready(&self) -> Result<(), String> {
        // Asked of the gate itself, which no transaction holds up.
        if self.fleets.is_open() {
            return Ok(());
        }
        let awaited = self.engine.lock().awaited_sources();
        let sources = if awaited.is_empty() { self.store.to_string() } else { awaited.join(", ") };
        Err(format!("waiting for {sources}"))
    }

    fn live(&self) -> Result<(), String> {
        match self.pulse.stuck() {
            Some(busy) => Err(format!("one transaction has taken {} s", busy.as_secs())),
            None => Ok(()),
        }
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        block_in_place(|| encode(&mut text, &self.registry)).expect("a String takes all text");
        text
    }

    fn secrets(&self) -> Vec<SecretStatus> {
        block_in_place(|| secrets::secrets(&self.engine.lock()))
    }

    fn endpoints(&self) -> Vec<EndpointsStatus> {
        block_in_place(|| endpoints::endpoints(&self.engine.lock()))
    }

    async fn services(&self) -> Vec<ServiceStatus> {
        let known = services::known(&self.catalog).await;
        block_in_place(|| {
            let engine = self.engine.lock();
            services::complete(&engine, &endpoints::sources(&engine, &self.endpoints), known)
        })
    }

    fn explain(&self, query: &ExplainQuery) -> Result<Explanation, Problem> {
        block_in_place(|| explain(&self.engine, query).map_err(Box::new)).map_err(|problem| *problem)
    }

    fn refresh(&self, source: &str) -> Result<(), Problem> {
        if let Some(found) = self.secrets.iter().find(|known| known.name() == source) {
            found.refresh();
            return Ok(());
        }
        if let Some(found) = self.endpoints.iter().find(|known| known.name() == source) {
            found.refresh();
            return Ok(());
        }
        let secrets = self.secrets.iter().map(|source| source.name());
        let names: Vec<_> = secrets.chain(self.endpoints.iter().map(|source| source.name())).collect();
        let message = format!("there is no source of secrets or endpoints {source:?}");
        let problem = Problem::new(ProblemKind::NotFound, message);
        Err(match names.as_slice() {
            [] => problem.hint("none is set up: see the settings `secrets` and `discovery`"),
            _ => problem.hint(format!("the sources are {}", names.join(", "))),
        })
    }

    fn resources(&self) -> Arc<dyn Resources> {
        self.resources.clone()
    }

    async fn accept(&self, source: &str, held_tag: Option<&str>, author: &str) -> Result<Accepted, Problem> {
        self.acceptance.accept(source, held_tag, author).await
    }
}

impl StatusSource {
    fn sources(&self, engine: &Engine) -> Vec<SourceStatus> {
        let store = source::source(engine, &self.store);
        let secrets = secrets::sources(engine, &self.secrets);
        let endpoints = endpoints::sources(engine, &self.endpoints);
        std::iter::once(store).chain(secrets).chain(endpoints).collect()
    }

    /// Everything that needs the engine's lock; findings are placed and turned into text without it.
    fn read(&self) -> (Status, Findings) {
        let engine = self.engine.lock();
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: timestamp(self.started),
            ready: engine.fleets().is_open(),
            gate: source::gate(&engine, &self.store),
            sources: self.sources(&engine),
            fleets: nodes::fleets(&engine),
            nodes: nodes::nodes(&engine),
            reports: Vec::new(),
            held: held(&engine),
            objects: objects(&engine),
            leader: self.board.status(),
            problems: Vec::new(),
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

fn held(engine: &Engine) -> Vec<HeldDeletion> {
    let deletion = |(key, held): (&biplane_core::key::ObjectKey, &crate::hold::Held)| HeldDeletion {
        object: key.to_string(),
        referenced_by: engine.graph().referrers(key).iter().map(ToString::to_string).collect(),
        since: time_of(held.since),
        until: time_of(held.until),
    };
    engine.holds().iter().map(deletion).collect()
}

fn objects(engine: &Engine) -> BTreeMap<String, u64> {
    engine.graph().counts().into_iter().map(|(kind, count)| (kind.to_string(), count as u64)).collect()
}

/// The time of day of a moment, past or to come.
fn time_of(moment: Instant) -> Timestamp {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let past = now.saturating_duration_since(moment);
    timestamp(wall - past + moment.saturating_duration_since(now))
}

/// In seconds since 1970.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}
