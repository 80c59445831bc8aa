//! Metrics of the control plane itself, read from the engine when Prometheus asks. Names carry their
//! unit, labels have few values.

mod endpoints;
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::key::Kind;
use biplane_store::StoreMetrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::engine::{Engine, Gate};
use crate::leader::{Board, Role};
use crate::report_count::Count;
use crate::shared::SharedEngine;
use crate::snapshot::SnapshotHealth;
pub(crate) use endpoints::EndpointCollector;
pub(crate) use secrets::SecretCollector;

/// Reads engine and store when asked.
#[derive(Debug)]
pub(crate) struct EngineCollector {
    pub(crate) engine: SharedEngine,
    pub(crate) store: Arc<StoreMetrics>,
    pub(crate) snapshots: SnapshotHealth,
    pub(crate) board: Board,
}

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.encode_engine(&mut encoder)?;
        self.encode_store(&mut encoder)?;
        self.encode_leader(&mut encoder)
    }
}

impl EngineCollector {
    fn encode_engine(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Reading { open, gate, failing, stale, held, suspect, withheld, objects, count } =
            Reading::of(&self.engine.lock());
        gauge(encoder, "biplane_gate_open", "1 while Envoys get answers", i64::from(open))?;
        gauge(
            encoder,
            "biplane_gate_restored",
            "1 while the snapshot on disk is served",
            i64::from(gate == Gate::Restored),
        )?;
        let kept = self.snapshots.failure().is_none();
        gauge(
            encoder,
            "biplane_snapshot_up",
            "0 while the last good configuration cannot be kept on disk",
            i64::from(kept),
        )?;
        gauge(encoder, "biplane_source_up", "1 while the store can be read", i64::from(!failing))?;
        gauge(
            encoder,
            "biplane_source_staleness_seconds",
            "How long the store has not been read",
            whole(stale),
        )?;
        gauge(
            encoder,
            "biplane_source_suspect",
            "1 while the store lacks more than is believed to be meant",
            i64::from(suspect),
        )?;
        gauge(
            encoder,
            "biplane_guard_held_removals",
            "Objects that the store lacks and that stay in use until an operator says that it was meant",
            whole(withheld as u64),
        )?;
        gauge(
            encoder,
            "biplane_held_deletions",
            "Deletions that wait for what names the object",
            whole(held as u64),
        )?;
        gauge(encoder, "biplane_config_errors", "Errors in the configuration", whole(count.errors as u64))?;
        gauge(
            encoder,
            "biplane_config_warnings",
            "Warnings about the configuration",
            whole(count.warnings as u64),
        )?;
        let mut family =
            encoder.encode_descriptor("biplane_objects", "Objects in use", None, MetricType::Gauge)?;
        for (kind, count) in objects {
            let label = [("kind", kind.as_str())];
            let metric: MetricEncoder<'_> = family.encode_family(&label)?;
            ConstGauge::new(whole(count as u64)).encode(metric)?;
        }
        Ok(())
    }

    fn encode_store(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let store = self.store.snapshot();
        counter(encoder, "biplane_store_lists", "Full lists that were begun", store.lists_total)?;
        counter(encoder, "biplane_store_list_failures", "Full lists that failed", store.list_failures_total)?;
        counter(encoder, "biplane_store_watch_failures", "Watches that broke", store.watch_failures_total)?;
        counter(encoder, "biplane_store_resyncs", "Times a watch asked for a new list", store.resyncs_total)?;
        counter(
            encoder,
            "biplane_store_resync_drift",
            "Objects whose change a watch lost",
            store.resync_drift_total,
        )
    }
}

impl EngineCollector {
    fn encode_leader(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let leads = self.board.role() == Role::Leader;
        gauge(encoder, "biplane_leader", "1 while this replica writes status and history", i64::from(leads))?;
        counter(
            encoder,
            "biplane_status_write_failures",
            "Writes of status and history that the store refused",
            self.board.write_failures(),
        )
    }
}

/// What is read under the engine's lock.
struct Reading {
    open: bool,
    gate: Gate,
    failing: bool,
    stale: u64,
    held: usize,
    suspect: bool,
    withheld: usize,
    objects: BTreeMap<Kind, usize>,
    count: Count,
}

impl Reading {
    fn of(engine: &Engine) -> Self {
        let (store, guard) = (engine.store(), engine.guard());
        let failing = store.is_failing();
        Self {
            open: engine.fleets().is_open(),
            gate: engine.gate(),
            failing,
            stale: store.fresh.filter(|_| failing).map_or(0, |fresh| fresh.elapsed().as_secs()),
            held: engine.holds().iter().count(),
            suspect: guard.suspicion().is_some() || engine.doubt().is_some(),
            withheld: guard.held().len(),
            objects: engine.graph().counts(),
            count: engine.count_reports(),
        }
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: i64,
) -> Result<(), std::fmt::Error> {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), std::fmt::Error> {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
