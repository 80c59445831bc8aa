//! Whether the last good configuration can be kept on disk, for status, metrics and the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle that whoever writes sets and whoever reports reads.
#[derive(Clone, Debug, Default)]
pub struct SnapshotHealth(Arc<Mutex<Option<String>>>);

impl SnapshotHealth {
    /// Why it cannot be kept; `None`: it can.
    pub fn failure(&self) -> Option<String> {
        self.lock().clone()
    }

    /// States how it stands; says whether that is news.
    pub(super) fn set(&self, failure: Option<String>) -> bool {
        let mut known = self.lock();
        let news = *known != failure;
        *known = failure;
        news
    }

    /// The directory cannot be used at all.
    pub fn give_up(&self, failure: String) {
        self.set(Some(failure));
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
