//! What there is to say about objects, taken out of the engine to be looked at without it.

use biplane_core::key::ObjectKey;
use biplane_core::report::Report;
use biplane_store::StoredObject;
use imbl::OrdMap;

use crate::ingest::locate;

/// Findings, not all of them with a place yet.
pub struct Findings {
    reports: Vec<Report>,
    good: OrdMap<ObjectKey, StoredObject>,
}

impl Findings {
    /// Findings about these objects.
    pub(super) const fn new(reports: Vec<Report>, good: OrdMap<ObjectKey, StoredObject>) -> Self {
        Self { reports, good }
    }

    /// All findings with their places, sorted, each once.
    pub fn located(mut self) -> Vec<Report> {
        locate(&mut self.reports, &self.good);
        self.reports.sort_unstable();
        self.reports.dedup();
        self.reports
    }
}

/// Objects may be secret and are many.
impl std::fmt::Debug for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Findings").field("reports", &self.reports.len()).finish_non_exhaustive()
    }
}
