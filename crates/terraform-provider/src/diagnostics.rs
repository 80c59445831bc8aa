//! What the user is told: one sentence, what more there is, and where.

use biplane_admin_api::status::{ObjectReport, Severity as Badness};
use biplane_admin_api::{Problem, ProblemKind};

use crate::value::NoValue;
use crate::wire::{AttributePath, Diagnostic, Severity};

/// Something that went wrong.
pub(crate) fn error(summary: impl Into<String>, detail: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error.into(),
        summary: summary.into(),
        detail: detail.to_owned(),
        attribute: None,
    }
}

/// Something to know.
pub(crate) fn warning(summary: impl Into<String>, detail: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Warning.into(), ..error(summary, detail) }
}

/// The same, at an attribute.
pub(crate) fn at(diagnostic: Diagnostic, path: AttributePath) -> Diagnostic {
    Diagnostic { attribute: Some(path), ..diagnostic }
}

/// Why something was not done.
pub(crate) fn problem(problem: &Problem) -> Diagnostic {
    let hint = problem.hint.as_deref().map(hint).unwrap_or_default();
    let detail = match problem.kind {
        ProblemKind::Forbidden if hint.is_empty() => hint_about_rights(),
        _ => hint,
    };
    error(capital(&problem.message), &detail)
}

/// What validation has found, at its attribute if there is one.
pub(crate) fn finding(report: &ObjectReport, path: Option<AttributePath>) -> Diagnostic {
    let object = report.object.as_deref().unwrap_or("the configuration");
    // A document is looked at by its own fields, whatever the attribute that holds it.
    let nested = path.as_ref().filter(|path| path.steps.len() > 1).map(AttributePath::written);
    let field = nested.unwrap_or_else(|| report.path.clone());
    let place = if field.is_empty() { object.to_owned() } else { format!("{object}: {field}") };
    let hint = report.hint.as_deref().map(|words| format!("\n{}", hint(words))).unwrap_or_default();
    let make = if report.severity == Badness::Error { error } else { warning };
    let attribute = path.map(AttributePath::located);
    Diagnostic { attribute, ..make(capital(&report.message), &format!("{place}{hint}")) }
}

fn hint(words: &str) -> String {
    format!("hint: {words}")
}

fn hint_about_rights() -> String {
    hint("a plan takes a token of the role read, an apply one of the role write: `biplane admin token new`")
}

/// As OpenTofu writes its own.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl From<NoValue> for Diagnostic {
    fn from(fault: NoValue) -> Self {
        error(fault.to_string(), "")
    }
}
