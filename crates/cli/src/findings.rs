//! What is wrong with resources, as `validate` and `translate` tell it: sorted by place, with
//! places that an editor can open, and a summary.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_core::report::Report;
use serde::Serialize;

use crate::exit::Code;
use crate::output::one_line;

/// All findings about the objects below one root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    objects: usize,
    errors: usize,
    warnings: usize,
    reports: Vec<ObjectReport>,
}

impl Findings {
    /// The findings of a store whose root is `root` as the user wrote it. `good` are the objects that
    /// would be used; those that would not are known from what is said about them.
    pub(crate) fn new(root: &Path, good: &[ObjectKey], mut reports: Vec<Report>) -> Self {
        let named = reports.iter().filter_map(|report| report.object.as_ref());
        let objects = good.iter().chain(named).collect::<BTreeSet<_>>().len();
        reports.sort_by(|a, b| (&a.location, &a.path, a).cmp(&(&b.location, &b.path, b)));
        reports.dedup();
        let mut reports: Vec<_> =
            reports.into_iter().map(|report| ObjectReport::from(&placed(root, report))).collect();
        if objects == 0 && reports.is_empty() {
            let message = nothing(root);
            reports.push(ObjectReport { severity: Severity::Warning, message, ..ObjectReport::default() });
        }
        let count = |severity| reports.iter().filter(|report| report.severity == severity).count();
        Self { objects, errors: count(Severity::Error), warnings: count(Severity::Warning), reports }
    }

    /// A line a finding, and a line a hint.
    pub(crate) fn text(&self) -> String {
        lines(&self.reports)
    }

    /// `2 errors and 1 warning in 14 objects`
    pub(crate) fn summary(&self) -> String {
        let objects = count(self.objects, "object");
        match (self.errors, self.warnings) {
            (0, 0) => format!("{objects}, nothing wrong"),
            (0, warnings) => format!("{} in {objects}", count(warnings, "warning")),
            (errors, 0) => format!("{} in {objects}", count(errors, "error")),
            (errors, warnings) => {
                format!("{} and {} in {objects}", count(errors, "error"), count(warnings, "warning"))
            }
        }
    }

    /// Warnings break nothing, but who is strict wants none.
    pub(crate) const fn code(&self, strict: bool) -> Code {
        let counted = if strict { self.errors + self.warnings } else { self.errors };
        if counted == 0 { Code::Success } else { Code::Findings }
    }
}

/// A line a finding, and a line a hint.
pub(crate) fn lines<'a>(reports: impl IntoIterator<Item = &'a ObjectReport>) -> String {
    let lines = reports.into_iter().flat_map(|report| {
        let hint = report.hint.as_ref().map(|hint| format!("  hint: {}", one_line(hint)));
        std::iter::once(one_line(&report.to_string())).chain(hint)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said about a root without resources: most often it is another directory than the one that was meant.
pub(crate) fn nothing(root: &Path) -> String {
    let place = root.display();
    if root.is_file() || root == Path::new("-") {
        format!("no resources in {place}")
    } else {
        format!("no .yaml, .yml or .json with resources below {place}")
    }
}

fn placed(root: &Path, mut report: Report) -> Report {
    report.location = report.location.map(|location| below(root, location));
    report
}

/// A place below a root, as it can be opened from where the user is. A root that is a file is itself the place.
pub(crate) fn below(root: &Path, location: Location) -> Location {
    match location {
        Location::File { path, line } => {
            let whole = if root.is_file() { root.to_owned() } else { join(root, &path) };
            Location::file(whole.display().to_string(), line)
        }
        key @ Location::Key { .. } => key,
    }
}

fn join(root: &Path, path: &str) -> PathBuf {
    if path.is_empty() || root == Path::new(".") { Path::new(path).to_owned() } else { root.join(path) }
}

/// `1 object`, `2 objects`.
pub(crate) fn count(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_core::path::FieldPath;

    use super::*;

    fn report(path: &str, line: u32) -> Report {
        let key = ObjectKey::new(Kind::Upstream, "default", "a");
        Report::error(&key, FieldPath::root().field("static"), "no hosts").at(Location::file(path, line))
    }

    #[test]
    fn findings_are_sorted_by_place_below_the_root_that_the_user_wrote() {
        let reports = vec![report("b.yaml", 9), report("a.yaml", 10), report("a.yaml", 2).hint("add one")];
        let findings = Findings::new(Path::new("conf"), &[], reports);
        assert_eq!(
            findings.text(),
            "conf/a.yaml:2: error: Upstream default/a: static: no hosts\n\
             \x20 hint: add one\n\
             conf/a.yaml:10: error: Upstream default/a: static: no hosts\n\
             conf/b.yaml:9: error: Upstream default/a: static: no hosts"
        );
        assert_eq!(findings.summary(), "3 errors in 1 object");
        assert_eq!(findings.code(false), Code::Findings);
    }

    #[test]
    fn a_root_without_resources_is_a_warning() {
        let findings = Findings::new(Path::new("conf"), &[], Vec::new());
        assert_eq!(findings.text(), "warning: no .yaml, .yml or .json with resources below conf");
        assert_eq!(findings.summary(), "1 warning in 0 objects");
        assert_eq!((findings.code(false), findings.code(true)), (Code::Success, Code::Findings));
    }

    #[test]
    fn warnings_alone_are_a_failure_only_to_who_is_strict() {
        let report = Report { severity: biplane_core::report::Severity::Warning, ..report("a.yaml", 1) };
        let findings = Findings::new(Path::new("."), &[], vec![report]);
        assert_eq!(findings.text(), "a.yaml:1: warning: Upstream default/a: static: no hosts");
        assert_eq!(findings.summary(), "1 warning in 1 object");
        assert_eq!((findings.code(false), findings.code(true)), (Code::Success, Code::Findings));
    }
}
