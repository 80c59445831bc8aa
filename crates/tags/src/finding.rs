//! What is said about a service's tags: one finding, with whose tag it is, why, and what to try.

use std::fmt;

pub use biplane_core::report::Severity;

use crate::service::ServiceId;

/// One finding. An error says that something is not served as asked, a warning that it is served without a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Whose tags.
    pub service: ServiceId,
    /// The instance, where one is to blame.
    pub instance: Option<String>,
    /// The tag, or the part of it that may be shown: never a password.
    pub tag: Option<String>,
    /// What is wrong and why, one sentence without a full stop.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// The other service of a conflict.
    pub other: Option<ServiceId>,
}

impl Finding {
    /// Something is not served as asked.
    pub fn error(service: &ServiceId, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, service, message)
    }

    /// Something is served without a part of it.
    pub fn warning(service: &ServiceId, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, service, message)
    }

    fn new(severity: Severity, service: &ServiceId, message: impl Into<String>) -> Self {
        Self {
            severity,
            service: service.clone(),
            instance: None,
            tag: None,
            message: message.into(),
            hint: None,
            other: None,
        }
    }

    /// The same finding about an instance.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// The same finding about a tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding with the other service of a conflict.
    #[must_use]
    pub fn other(mut self, other: &ServiceId) -> Self {
        self.other = Some(other.clone());
        self
    }
}

/// `error: nomad prod/dc1/default/web: instance i-1: tag "biplane.pth=/": message (hint: ...)`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.severity.as_str(), self.service)?;
        if let Some(instance) = &self.instance {
            write!(f, "instance {instance}: ")?;
        }
        if let Some(tag) = &self.tag {
            write!(f, "tag {tag:?}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(other) = &self.other {
            write!(f, " (the other is {other})")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " (hint: {hint})"))
    }
}
