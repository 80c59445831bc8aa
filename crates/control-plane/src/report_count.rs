//! How many findings there are, counted without copying any.

use biplane_core::report::{Report, Severity};

/// Errors and warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects or parts that are not used.
    pub errors: usize,
    /// Objects that work, but not as their authors may expect.
    pub warnings: usize,
}

impl Count {
    /// One more.
    #[must_use]
    pub const fn with(self, report: &Report) -> Self {
        self.and(report.severity)
    }

    /// One more of this severity.
    #[must_use]
    pub const fn and(mut self, severity: Severity) -> Self {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        self
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { errors: self.errors + other.errors, warnings: self.warnings + other.warnings }
    }
}
