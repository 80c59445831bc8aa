//! What nodes may soon need and cannot be had now: told where operators look for what is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_source::SourceError;

/// All of it, by what it is about. A cheap handle: clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<BTreeMap<String, ObjectReport>>>);

impl Troubles {
    /// Something cannot be had; `meanwhile` is what that means for nodes.
    pub(super) fn tell(&self, what: &str, error: &SourceError, meanwhile: &str) {
        let report = ObjectReport {
            severity: Severity::Warning,
            message: format!("{what} cannot be read: {error}; {meanwhile}"),
            hint: error.hint.clone(),
            ..ObjectReport::default()
        };
        self.lock().insert(what.to_owned(), report);
    }

    /// It is well, or of no interest any more.
    pub(super) fn clear(&self, what: &str) {
        self.lock().remove(what);
    }

    /// For a status.
    pub(crate) fn reports(&self) -> Vec<ObjectReport> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ObjectReport>> {
        // Plain data stays whole even if a thread panicked while it held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
