//! What the server counts. Labels are the type of resources and the protocol, never a name.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::audit::Attempt;
use crate::resource::ResourceType;
use crate::status::Protocol;
use crate::stream::{Reply, Response};

type Labels = [(&'static str, &'static str); 1];
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// From what loopback needs to what a cluster takes that cannot warm.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 15.0, 60.0];

/// The server's metrics. A cheap handle: clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    connections: Gauge,
    streams: Family<Labels, Gauge>,
    responses: Family<Labels, Counter>,
    bytes: Family<Labels, Counter<u64, AtomicU64>>,
    acks: Family<Labels, Counter>,
    nacks: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    change_to_ack: Histograms,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Gauge::default(),
            streams: Family::default(),
            responses: Family::default(),
            bytes: Family::default(),
            acks: Family::default(),
            nacks: Family::default(),
            refused: Family::default(),
            change_to_ack: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a registry, as `xds_...`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("xds");
        registry.register("connections", "Open xDS connections that speak", self.connections.clone());
        registry.register("streams", "Open xDS streams", self.streams.clone());
        registry.register("responses", "Responses sent", self.responses.clone());
        registry.register_with_unit("sent", "Bytes of responses sent", Unit::Bytes, self.bytes.clone());
        registry.register("acks", "Responses that clients took", self.acks.clone());
        registry.register("nacks", "Responses that clients refused", self.nacks.clone());
        let help = "Attempts at what is not the caller's, each with a line in the audit log";
        registry.register("refused", help, self.refused.clone());
        let help = "From the publication of a change to its confirmation by a client";
        registry.register_with_unit("change_to_ack", help, Unit::Seconds, self.change_to_ack.clone());
    }

    pub(crate) fn refused(&self, attempt: Attempt) {
        self.refused.get_or_create(&[("attempt", attempt.word())]).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connection(&self) -> OpenGuard {
        OpenGuard::new(self.connections.clone())
    }

    /// Counts a stream for as long as the guard lives.
    pub(crate) fn stream(&self, protocol: Protocol) -> OpenGuard {
        let protocol = match protocol {
            Protocol::Delta => "delta",
            Protocol::Sotw => "sotw",
        };
        let gauge = self.streams.get_or_create(&[("protocol", protocol)]).clone();
        OpenGuard::new(gauge)
    }

    pub(crate) fn sent(&self, response: &Response) {
        let labels = labels(response.kind);
        self.responses.get_or_create(&labels).inc();
        self.bytes.get_or_create(&labels).inc_by(response.len() as u64);
    }

    pub(crate) fn replied(&self, kind: ResourceType, reply: &Reply) {
        match reply {
            Reply::None => {}
            Reply::Accepted { after } => self.accepted(kind, *after),
            Reply::Refused { .. } => drop(self.nacks.get_or_create(&labels(kind)).inc()),
        }
    }

    fn accepted(&self, kind: ResourceType, after: Duration) {
        let labels = labels(kind);
        self.acks.get_or_create(&labels).inc();
        self.change_to_ack.get_or_create(&labels).observe(after.as_secs_f64());
    }
}

const fn labels(kind: ResourceType) -> Labels {
    [("type", kind.short())]
}

/// An open stream or connection in the metrics.
#[derive(Debug)]
pub(crate) struct OpenGuard(Gauge);

impl OpenGuard {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
