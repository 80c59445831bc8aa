//! Comparing everything from time to time, where there are no events to say when an edit is complete:
//! what is missing or has only just changed may be half of one, and is given a second.

use std::path::Path;
use std::time::{Duration, Instant};

use biplane_store::StoreError;

use super::{Mode, Tree};

/// As long as a writer that was told of by events may pause.
pub(super) const GRACE: Duration = Duration::from_secs(1);

impl Tree {
    /// Reads what has changed and has rested.
    pub(crate) fn poll(&mut self) -> Result<(), StoreError> {
        self.waited = Some(std::mem::take(&mut self.waiting));
        let result = self.sweep(Mode::Changed);
        self.waited = None;
        result
    }

    /// Whether what was found at the path is left to a later poll. It is not put off for longer than the
    /// grace in all, however often it changes.
    pub(super) fn has_to_wait(&mut self, logical: &Path) -> bool {
        let Some(waited) = &self.waited else { return false };
        let since = waited.get(logical).copied().unwrap_or_else(Instant::now);
        let waits = since.elapsed() < GRACE;
        if waits {
            self.waiting.insert(logical.to_owned(), since);
        }
        waits
    }
}
