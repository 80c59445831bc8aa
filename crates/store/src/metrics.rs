//! What a driver counts. Plain counters: whoever serves `/metrics` reads a snapshot and names them
//! `biplane_store_<field>`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one [`Driver`](crate::Driver), shared with whoever shows them.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    lists: AtomicU64,
    list_failures: AtomicU64,
    watch_failures: AtomicU64,
    resyncs: AtomicU64,
    resync_drift: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreMetricsSnapshot {
    /// Full lists that were begun.
    pub lists_total: u64,
    /// Full lists that failed or ran out of time.
    pub list_failures_total: u64,
    /// Watches that could not be opened, broke or ended.
    pub watch_failures_total: u64,
    /// Times that a watch asked for a new list.
    pub resyncs_total: u64,
    /// Objects that a periodic full list showed otherwise than the watch had told. More than none
    /// means that the store or its backend loses events.
    pub resync_drift_total: u64,
}

impl StoreMetrics {
    /// The counters now.
    pub fn snapshot(&self) -> StoreMetricsSnapshot {
        StoreMetricsSnapshot {
            lists_total: self.lists.load(Ordering::Relaxed),
            list_failures_total: self.list_failures.load(Ordering::Relaxed),
            watch_failures_total: self.watch_failures.load(Ordering::Relaxed),
            resyncs_total: self.resyncs.load(Ordering::Relaxed),
            resync_drift_total: self.resync_drift.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn list(&self) {
        self.lists.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn list_failed(&self) {
        self.list_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn watch_failed(&self) {
        self.watch_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn resync(&self) {
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drift(&self, objects: usize) {
        self.resync_drift.fetch_add(objects as u64, Ordering::Relaxed);
    }
}
