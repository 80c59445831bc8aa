//! Metrics of discovery: how old what is served of each source is, and what is held.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;

use biplane_source::{EndpointSource, Health, Phase};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::time::Instant;

use super::whole;
use crate::shared::SharedEngine;
use crate::status::endpoint_state;

/// Reads answers and their sources when asked.
#[derive(Debug)]
pub(crate) struct EndpointCollector {
    pub(crate) engine: SharedEngine,
    pub(crate) sources: Vec<Arc<dyn EndpointSource>>,
}

/// What is told of one source.
#[derive(Default)]
struct OfSource {
    /// Upstreams, by what the source said about them last.
    upstreams: BTreeMap<&'static str, i64>,
    /// Endpoints, by their health.
    endpoints: BTreeMap<&'static str, i64>,
    /// How old the oldest answer is, in seconds.
    oldest: i64,
    held: usize,
}

impl Collector for EndpointCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        if self.sources.is_empty() {
            return Ok(());
        }
        let told = self.read();
        by(&mut encoder, "biplane_upstreams", UPSTREAMS, "state", &told, |source| &source.upstreams)?;
        by(&mut encoder, "biplane_endpoints", ENDPOINTS, "health", &told, |source| &source.endpoints)?;
        gauges(&mut encoder, "biplane_endpoints_oldest_age_seconds", OLDEST, &told, |source| source.oldest)?;
        let held = |source: &OfSource| i64::try_from(source.held).unwrap_or(i64::MAX);
        gauges(&mut encoder, "biplane_endpoints_held_services", HELD, &told, held)?;
        self.encode_sources(&mut encoder)
    }
}

const UPSTREAMS: &str = "Upstreams whose endpoints are looked up, by what their source said last";
const ENDPOINTS: &str = "Endpoints in use that were looked up, by health";
const OLDEST: &str = "How long a source has not confirmed the oldest answer that is in use";
const HELD: &str =
    "Services that stay in use though their source shows none of their endpoints: many vanished at once";

impl EndpointCollector {
    fn read(&self) -> BTreeMap<String, OfSource> {
        let now = Instant::now();
        let mut told: BTreeMap<_, OfSource> =
            self.sources.iter().map(|source| (source.name(), OfSource::default())).collect();
        let engine = self.engine.lock();
        for (_, asker, answer) in engine.discovery().askers() {
            let Ok(question) = &asker.question else { continue };
            let Some(source) = told.get_mut(&*question.source) else { continue };
            *source.upstreams.entry(endpoint_state(asker, answer).as_str()).or_default() += 1;
            for endpoint in asker.served.iter().flat_map(|served| served.iter()) {
                *source.endpoints.entry(health(endpoint.health)).or_default() += 1;
            }
            let age = answer.and_then(|answer| answer.age(now)).map_or(0, |age| whole(age.as_secs()));
            source.oldest = source.oldest.max(age);
        }
        for (name, held) in engine.discovery().held() {
            told.entry(name.to_string()).or_default().held = held;
        }
        told
    }

    fn encode_sources(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "1 while the source of endpoints can be read, or nobody has asked it anything";
        let mut up =
            encoder.encode_descriptor("biplane_endpoint_source_up", help, None, MetricType::Gauge)?;
        for source in &self.sources {
            let is_up = source.state().borrow().phase != Phase::Failed;
            ConstGauge::new(i64::from(is_up)).encode(up.encode_family(&[("source", source.name())])?)?;
        }
        let help = "What has happened at sources of endpoints: reads, gaps, and those that failed";
        let mut events =
            encoder.encode_descriptor("biplane_endpoint_source_events", help, None, MetricType::Counter)?;
        for source in &self.sources {
            for (event, count) in source.counters() {
                let labels = [("source", source.name()), ("event", event.to_owned())];
                ConstCounter::new(count).encode(events.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

const fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Draining => "draining",
    }
}

fn by(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &str,
    help: &str,
    label: &'static str,
    told: &BTreeMap<String, OfSource>,
    counts: impl Fn(&OfSource) -> &BTreeMap<&'static str, i64>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(metric, help, None, MetricType::Gauge)?;
    for (source, of_source) in told {
        for (value, count) in counts(of_source) {
            let labels = [("source", source.as_str()), (label, *value)];
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &str,
    help: &str,
    told: &BTreeMap<String, OfSource>,
    value: impl Fn(&OfSource) -> i64,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(metric, help, None, MetricType::Gauge)?;
    for (source, of_source) in told {
        ConstGauge::new(value(of_source)).encode(family.encode_family(&[("source", source.as_str())])?)?;
    }
    Ok(())
}
