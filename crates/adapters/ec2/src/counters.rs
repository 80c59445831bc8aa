//! What is counted, for whoever publishes metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often things have happened. Each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Calls of any service.
    pub(crate) calls: AtomicU64,
    /// Calls that were answered with "too many".
    pub(crate) throttled: AtomicU64,
    /// Credentials that a service found too old.
    pub(crate) expired: AtomicU64,
    /// Roles that were assumed.
    pub(crate) sessions: AtomicU64,
    /// Polls that ended with a listing.
    pub(crate) reads: AtomicU64,
    /// Polls that did not.
    pub(crate) read_failures: AtomicU64,
    /// Polls that found nothing where there was something.
    pub(crate) suspicions: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// All of them now, by the words of metrics.
    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        let all = [
            ("calls", &self.calls),
            ("throttled", &self.throttled),
            ("expired", &self.expired),
            ("sessions", &self.sessions),
            ("reads", &self.reads),
            ("read_failures", &self.read_failures),
            ("suspicions", &self.suspicions),
        ];
        all.into_iter().map(|(word, counter)| (word, counter.load(Ordering::Relaxed))).collect()
    }
}
