//! Whether the loop makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A transaction that takes longer than this has hung.
const STUCK: Duration = Duration::from_mins(1);

/// Whether the loop makes progress, for `/live`.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    origin: Instant,
    /// Milliseconds since `origin` at which the present transaction began, plus one; 0: idle.
    busy: Arc<AtomicU64>,
}

impl Pulse {
    /// A pulse of a loop that is idle.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), busy: Arc::default() }
    }

    pub(super) fn begin(&self) {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.busy.store(elapsed.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.busy.store(0, Ordering::Relaxed);
    }

    /// How long the present transaction has taken, where that is too long.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let began = self.busy.load(Ordering::Relaxed).checked_sub(1)?;
        let busy = self.origin.elapsed().saturating_sub(Duration::from_millis(began));
        (busy > STUCK).then_some(busy)
    }
}
