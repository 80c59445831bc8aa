//! What is counted, for whoever publishes metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What everybody counts in.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) rate_limited: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) read_failures: AtomicU64,
    pub(crate) check_reads: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) suspicions: AtomicU64,
    pub(crate) drifts: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// A status that was answered.
    pub(crate) fn answered(&self, status: u16) {
        match status {
            429 => {
                count(&self.refused);
                count(&self.rate_limited);
            }
            400..=499 => count(&self.refused),
            500.. => count(&self.failed),
            _ => {}
        }
    }

    /// All of it now, by the words of metrics.
    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BTreeMap::from([
            // Requests of any kind, and those that were not answered well.
            ("requests", of(&self.requests)),
            ("requests_refused", of(&self.refused)),
            ("requests_failed", of(&self.failed)),
            ("requests_unanswered", of(&self.unanswered)),
            ("rate_limited", of(&self.rate_limited)),
            // Readings of a service, and of the checks of one.
            ("reads", of(&self.reads)),
            ("read_failures", of(&self.read_failures)),
            ("check_reads", of(&self.check_reads)),
            // Streams of events that came about, that broke off, and what they have told.
            ("streams", of(&self.streams)),
            ("gaps", of(&self.gaps)),
            ("events", of(&self.events)),
            // Servers that had forgotten something; changes that no event had told of.
            ("suspicions", of(&self.suspicions)),
            ("drifts", of(&self.drifts)),
        ])
    }
}
