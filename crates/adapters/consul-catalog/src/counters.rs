//! What is counted, by the words that metrics have for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often things have happened. Each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Answers with content that were read.
    pub(crate) reads: AtomicU64,
    /// Answers that brought a change.
    pub(crate) changes: AtomicU64,
    /// Questions that were not answered as they should be.
    pub(crate) read_failures: AtomicU64,
    /// Answers that left out what the token may not see.
    pub(crate) filtered: AtomicU64,
    /// Answers that were asked for again with the strongest consistency, because they lacked something.
    pub(crate) confirmations: AtomicU64,
    /// Answers that were not believed, because the catalog had begun anew.
    pub(crate) held: AtomicU64,
    /// How often a catalog has begun anew, or gone back.
    pub(crate) restarts: AtomicU64,
    /// Looks for changes anywhere in the catalog.
    pub(crate) hints: AtomicU64,
    /// Questions for an index only.
    pub(crate) probes: AtomicU64,
    /// How often all that have no connection of their own were asked for their index.
    pub(crate) sweeps: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// All of them now.
    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        let all = [
            ("reads", &self.reads),
            ("changes", &self.changes),
            ("read_failures", &self.read_failures),
            ("filtered", &self.filtered),
            ("confirmations", &self.confirmations),
            ("held", &self.held),
            ("restarts", &self.restarts),
            ("hints", &self.hints),
            ("probes", &self.probes),
            ("sweeps", &self.sweeps),
        ];
        all.into_iter().map(|(word, counter)| (word, counter.load(Ordering::Relaxed))).collect()
    }
}
