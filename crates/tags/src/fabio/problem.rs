//! What is wrong with a tag, before it is known whose it is.

use biplane_core::report::Severity;

/// Something to report about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// An error: not served as asked. A warning: served without a part of it.
    pub severity: Severity,
    /// What is wrong and why.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn error(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn warning(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into(), hint: Some(hint.into()) }
    }
}
