//! What is said about an object: one finding, with the place it is about and what to try.
//! A finding is data, never a reason to stop; whoever collects findings decides what they mean.

use std::fmt;

use crate::key::ObjectKey;
use crate::location::Location;
use crate::path::FieldPath;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The object works, but not all of it does what its author may expect.
    Warning,
    /// The object, or the part at the path, is not used.
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

/// One finding about one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// The object, where it could be told.
    pub object: Option<ObjectKey>,
    /// Where it was read; `None` for findings of the translator, which knows no places: whoever
    /// holds the object's location fills it in.
    pub location: Option<Location>,
    /// The field, from the object's root.
    pub path: FieldPath,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and why, one sentence without a full stop.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl Report {
    /// An error about `object` at `path`.
    pub fn error(object: &ObjectKey, path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, object, path, message)
    }

    /// A warning about `object` at `path`.
    pub fn warning(object: &ObjectKey, path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, object, path, message)
    }

    fn new(severity: Severity, object: &ObjectKey, path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            object: Some(object.clone()),
            location: None,
            path,
            severity,
            message: message.into(),
            hint: None,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding with the place it was read from.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }
}

/// `dir/a.yaml:12: error: VirtualService default/a: virtualHost.routes[0]: message (hint: ...)`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}: ", self.severity.as_str())?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " (hint: {hint})"))
    }
}
