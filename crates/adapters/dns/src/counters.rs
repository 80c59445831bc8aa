//! What is counted, for whoever publishes metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often things have happened. Each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Questions that went to a server.
    pub(crate) queries: AtomicU64,
    /// Looks that ended with a listing.
    pub(crate) reads: AtomicU64,
    /// Looks that did not.
    pub(crate) read_failures: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// All of them now, by the words of metrics.
    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        let all =
            [("queries", &self.queries), ("reads", &self.reads), ("read_failures", &self.read_failures)];
        all.into_iter().map(|(word, counter)| (word, counter.load(Ordering::Relaxed))).collect()
    }
}
