//! Findings that were not there before: what a log tells once, when it happens.

use biplane_core::report::Report;

/// Collects new findings until they are taken.
#[derive(Debug, Default)]
pub(crate) struct News(Vec<Report>);

/// Nobody reads more at once; status has them all.
const MOST: usize = 100;

impl News {
    /// Notes what `after` has and `before` has not.
    pub(crate) fn compare(&mut self, before: &[Report], after: &[Report]) {
        let room = MOST.saturating_sub(self.0.len());
        let new = after.iter().filter(|report| !before.contains(report));
        self.0.extend(new.take(room).cloned());
    }

    /// Everything that was noted.
    pub(crate) fn take(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.0)
    }
}
