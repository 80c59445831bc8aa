//! What decoding and validation find about one object, collected until it is complete.

use crate::key::ObjectKey;
use crate::location::Location;
use crate::path::{FieldPath, Step, Trail};
use crate::report::{Report, Severity};

/// The findings about one object.
pub(crate) struct Findings<'a> {
    key: &'a ObjectKey,
    location: &'a Location,
    reports: Vec<Report>,
    /// What was reported as an error and left out: what depends on it is not reported again.
    dropped: Vec<FieldPath>,
    /// Gloo's fields that were left out with a warning. The object must do without them.
    unsupported: Vec<FieldPath>,
}

impl<'a> Findings<'a> {
    pub(crate) const fn new(key: &'a ObjectKey, location: &'a Location) -> Self {
        Self { key, location, reports: Vec::new(), dropped: Vec::new(), unsupported: Vec::new() }
    }

    pub(crate) const fn key(&self) -> &'a ObjectKey {
        self.key
    }

    /// An error about the object at a line (from 1) of its document.
    pub(crate) fn error(&mut self, path: FieldPath, line: u32, message: impl Into<String>) -> &mut Report {
        self.add(Report::error(self.key, path, message), line)
    }

    /// A warning about the object at a line (from 1) of its document.
    pub(crate) fn warning(&mut self, path: FieldPath, line: u32, message: impl Into<String>) -> &mut Report {
        self.add(Report::warning(self.key, path, message), line)
    }

    fn add(&mut self, mut report: Report, line: u32) -> &mut Report {
        let location = self.place(line);
        if let Location::Key { .. } = location {
            // The key of a store has no line of its own to show it.
            report.message = format!("{} (line {line} of the value)", report.message);
        }
        self.reports.push(report.at(location));
        self.reports.last_mut().expect("pushed above")
    }

    /// Whether the last finding said the same about the same place: once is enough.
    pub(crate) fn just_said(&self, path: &FieldPath, message: &str) -> bool {
        self.reports.last().is_some_and(|last| last.path == *path && last.message.starts_with(message))
    }

    fn place(&self, line: u32) -> Location {
        self.location.offset(line.saturating_sub(1))
    }

    /// The line of the file, or of the value of a store's key, that a line (from 1) of the document is.
    pub(crate) fn shown_line(&self, line: u32) -> u32 {
        match self.place(line) {
            Location::File { line, .. } => line,
            Location::Key { .. } => line,
        }
    }

    /// Notes that a field of Gloo's was left out with a warning.
    pub(crate) fn skip_field(&mut self, trail: &Trail<'_>) {
        self.unsupported.push(trail.path());
    }

    /// Whether a field of the mapping at `path` was left out with a warning.
    pub(crate) fn skipped_in(&self, path: &FieldPath) -> bool {
        self.unsupported
            .iter()
            .any(|skipped| skipped.0.split_last().is_some_and(|(_, above)| above == path.0))
    }

    /// Notes that the field was reported as an error and left out.
    pub(crate) fn drop_field(&mut self, trail: &Trail<'_>) {
        self.dropped.push(trail.path());
    }

    /// Whether something at or above `path` was left out, so that a finding about its value is void.
    pub(crate) fn is_void(&self, path: &FieldPath) -> bool {
        self.dropped.iter().any(|dropped| path.0.starts_with(&dropped.0))
    }

    /// Whether that something is missing at `path` may be due to a field that was left out: one below
    /// it, or beside it.
    pub(crate) fn may_be_due_to_a_drop(&self, path: &FieldPath) -> bool {
        self.is_void(path)
            || self
                .dropped
                .iter()
                .any(|dropped| dropped.0.starts_with(&path.0) || are_siblings(&dropped.0, &path.0))
    }

    /// All findings in the order of their lines.
    pub(crate) fn into_reports(mut self) -> Vec<Report> {
        self.reports.sort_by(|a, b| a.location.cmp(&b.location));
        self.reports
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.reports.iter().any(|report| report.severity == Severity::Error)
    }
}

/// Two fields of one mapping. Elements of a list do not count: each stands for itself.
fn are_siblings(dropped: &[Step], path: &[Step]) -> bool {
    matches!(
        (dropped.split_last(), path.split_last()),
        (Some((Step::Field(_), above)), Some((Step::Field(_), beside))) if above == beside
    )
}
