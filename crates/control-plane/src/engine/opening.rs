//! When first answers go out: not before the sources of secrets, endpoints and services have answered, within limits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::{Engine, Gate};

/// How long first answers wait for sources that are not required. One that answers does so within
/// milliseconds; an Envoy that got its listeners without a secret would drop what it served with it.
const SOURCES: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn open(&mut self, gate: Gate, now: Instant) {
        self.gate = gate;
        if self.fleets.is_open() {
            return;
        }
        self.opening.get_or_insert(now + SOURCES);
        let sources = self.awaited_sources();
        if !sources.is_empty() {
            info!(sources = sources.join(", "), "first answers wait for what is kept elsewhere");
        }
        self.try_open(now);
    }

    /// Lets first answers out, unless they wait for a source.
    pub(super) fn try_open(&mut self, now: Instant) {
        let Some(until) = self.opening else { return };
        let waits = now < until && !self.awaited().is_empty();
        if !waits && self.required().is_empty() {
            self.opening = None;
            self.fleets.open();
        }
    }

    /// The sources that first answers wait for.
    pub fn awaited_sources(&self) -> Vec<String> {
        if self.opening.is_none() {
            return Vec::new();
        }
        let sources: BTreeSet<_> = self.awaited().into_iter().chain(self.required()).collect();
        sources.iter().map(ToString::to_string).collect()
    }

    /// Those that have not answered yet.
    fn awaited(&self) -> BTreeSet<Arc<str>> {
        let sources = self.secrets.awaited().into_iter().chain(self.discovery.awaited());
        sources.chain(self.awaited_services().cloned()).collect()
    }

    /// Those of which not all services are known yet. What the last run made of services is served at once.
    fn awaited_services(&self) -> impl Iterator<Item = &Arc<str>> {
        self.made.waits_for.iter().filter(|source| !self.made.is_left_of(source))
    }

    /// Those that are waited for as long as it takes.
    pub(super) fn required(&self) -> BTreeSet<Arc<str>> {
        let services = self.awaited_services().filter(|source| self.discovery.requires(source)).cloned();
        self.secrets.required().into_iter().chain(self.discovery.required()).chain(services).collect()
    }
}
