//! Metrics of secrets and of their sources. A secret that is in use has a line of its own: alarms on its end are
//! set by its name, and there are as many as people have written.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;
use std::time::SystemTime;

use biplane_source::{Phase, SecretSource};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::time::Instant;

use super::whole;
use crate::shared::SharedEngine;
use crate::status::{secret_state, timestamp};

/// Reads secrets and their sources when asked.
#[derive(Debug)]
pub(crate) struct SecretCollector {
    pub(crate) engine: SharedEngine,
    pub(crate) sources: Vec<Arc<dyn SecretSource>>,
}

/// What is told of one secret in use.
struct InUse {
    namespace: String,
    name: String,
    age: Option<i64>,
    expires: Option<i64>,
}

impl Collector for SecretCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        if self.sources.is_empty() {
            return Ok(());
        }
        let (states, in_use) = self.read();
        counts(&mut encoder, &states)?;
        each(&mut encoder, &in_use)?;
        self.encode_sources(&mut encoder)
    }
}

impl SecretCollector {
    fn read(&self) -> (BTreeMap<(String, &'static str), i64>, Vec<InUse>) {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let engine = self.engine.lock();
        let (mut states, mut in_use) = (BTreeMap::new(), Vec::new());
        for (name, entry) in engine.secrets().entries() {
            if let Some(place) = entry.place() {
                *states.entry((place.source.to_string(), secret_state(entry).as_str())).or_default() += 1;
            }
            if entry.is_named && entry.served().is_some() {
                let expires = entry.facts().map(|facts| facts.not_after.0);
                in_use.push(InUse {
                    namespace: name.namespace.clone(),
                    name: name.name.clone(),
                    age: entry.place().and(entry.age(now, wall)).map(|age| whole(age.as_secs())),
                    expires: expires.or_else(|| entry.raw()?.expires.map(|at| timestamp(at).0)),
                });
            }
        }
        (states, in_use)
    }

    fn encode_sources(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "1 while the source of secrets can be read, or nobody has asked it anything";
        let mut up = encoder.encode_descriptor("biplane_secret_source_up", help, None, MetricType::Gauge)?;
        for source in &self.sources {
            let label = [("source", source.name())];
            let is_up = source.state().borrow().phase != Phase::Failed;
            ConstGauge::new(i64::from(is_up)).encode(up.encode_family(&label)?)?;
        }
        let help =
            "What has happened at sources of secrets: logins, renewals, requests, and those that failed";
        let mut events =
            encoder.encode_descriptor("biplane_secret_source_events", help, None, MetricType::Counter)?;
        for source in &self.sources {
            for (event, count) in source.counters() {
                let labels = [("source", source.name()), ("event", event.to_owned())];
                ConstCounter::new(count).encode(events.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn counts(encoder: &mut DescriptorEncoder<'_>, states: &BTreeMap<(String, &str), i64>) -> Result<(), Error> {
    let help = "Secrets that are kept elsewhere, by what their source said last";
    let mut family = encoder.encode_descriptor("biplane_secrets", help, None, MetricType::Gauge)?;
    for ((source, state), count) in states {
        let labels = [("source", source.as_str()), ("state", *state)];
        ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn each(encoder: &mut DescriptorEncoder<'_>, in_use: &[InUse]) -> Result<(), Error> {
    let age = "How long the source of a secret in use has not said that it is what is served";
    family(encoder, "biplane_secret_age_seconds", age, in_use, |secret| secret.age)?;
    let expires = "When a secret in use ends to be of use, in seconds since 1970";
    family(encoder, "biplane_secret_expiry_timestamp_seconds", expires, in_use, |secret| secret.expires)
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &str,
    help: &str,
    secrets: &[InUse],
    value: impl Fn(&InUse) -> Option<i64>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(metric, help, None, MetricType::Gauge)?;
    for secret in secrets {
        if let Some(value) = value(secret) {
            let labels = [("namespace", secret.namespace.as_str()), ("name", secret.name.as_str())];
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
