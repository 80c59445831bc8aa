//! What is said about objects: findings, and deletions that wait.

use std::fmt;

use biplane_core::report;
use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One finding about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReport {
    /// The object, for example `VirtualService default/petstore`; none where it could not be told.
    pub object: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The field, from the object's root; empty: the object as a whole.
    pub path: String,
    /// Where the object was read: a file and line, or a key and revision.
    pub location: Option<String>,
    /// What is wrong and why.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The object works, but not all of it does what its author may expect.
    Warning,
    /// The object, or the part at the path, is not used. Also what a reader takes a word for that it does not know.
    #[default]
    #[serde(other)]
    Error,
}

impl Severity {
    /// `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl From<report::Severity> for Severity {
    fn from(severity: report::Severity) -> Self {
        match severity {
            report::Severity::Warning => Self::Warning,
            report::Severity::Error => Self::Error,
        }
    }
}

impl From<&report::Report> for ObjectReport {
    fn from(report: &report::Report) -> Self {
        Self {
            object: report.object.as_ref().map(ToString::to_string),
            severity: report.severity.into(),
            path: report.path.to_string(),
            location: report.location.as_ref().map(ToString::to_string),
            message: report.message.clone(),
            hint: report.hint.clone(),
        }
    }
}

/// `dir/a.yaml:12: error: VirtualService default/a: virtualHost.routes[0]: message`, without the hint.
impl fmt::Display for ObjectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}: ", self.severity.as_str())?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// An object that was deleted while others still refer to it, and stays in use for a bounded time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HeldDeletion {
    /// The object.
    pub object: String,
    /// Who refers to it.
    pub referenced_by: Vec<String>,
    /// When it was deleted.
    pub since: Timestamp,
    /// When it goes all the same.
    pub until: Timestamp,
}
