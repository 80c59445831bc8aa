//! How a store says no: outcomes that a caller can act on, each with what to try.

use std::time::Duration;

use biplane_core::key::ObjectKey;

use crate::object::Revision;

/// Why a call to a store did not do what was asked. None of these ever means "empty".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be written through Biplane.
    #[error("{store} is read-only here")]
    ReadOnly {
        /// The store's name.
        store: String,
    },
    /// The object is not at the revision that the writer expected: read it again, then decide.
    #[error("{key} was changed by someone else ({})", found_text(*.found))]
    Conflict {
        /// Which object.
        key: ObjectKey,
        /// The revision that it is at; `None` when it does not exist.
        found: Option<Revision>,
    },
    /// One of Biplane's own records is not at the revision that the writer expected.
    #[error("the record {path} was changed by someone else ({})", found_text(*.found))]
    RecordConflict {
        /// Its path below the store's root.
        path: String,
        /// The revision that it is at; `None` when it does not exist.
        found: Option<Revision>,
    },
    /// The object that was to be changed does not exist.
    #[error("{key} does not exist")]
    NotFound {
        /// Which object.
        key: ObjectKey,
    },
    /// The store cannot be read or written now: absent, down, cut off, sealed, too slow. Try again later.
    #[error("{message}")]
    Unavailable {
        /// What failed and why.
        message: String,
        /// What to try.
        hint: Option<String>,
        /// How long the store asked to be left alone (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The store answers, but not to us: trying again helps only after someone changes a right.
    #[error("{message}")]
    Denied {
        /// What was refused.
        message: String,
        /// What to try.
        hint: Option<String>,
    },
    /// The store answers, but nothing marks what it shows as all of a Biplane store: it is new, was
    /// wiped, or hides the mark from us. Never taken for empty.
    #[error("{message}")]
    Unmarked {
        /// What is not there.
        message: String,
        /// What to try.
        hint: Option<String>,
    },
    /// The write was the leader's to make, and somebody else leads now.
    #[error("{message}")]
    Deposed {
        /// Who found out, and how.
        message: String,
    },
    /// What was asked, or what the store holds as a whole, cannot be: trying again cannot help.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to try.
        hint: Option<String>,
    },
}

impl StoreError {
    /// The store cannot be reached or read now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), hint: None, retry_after: None }
    }

    /// The store refuses us for as long as this, having too much to do.
    pub fn busy(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::Unavailable { message: message.into(), hint: None, retry_after: Some(retry_after) }
    }

    /// The store refuses us.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied { message: message.into(), hint: None }
    }

    /// What was asked cannot be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), hint: None }
    }

    /// The same error with advice, where the outcome has room for it.
    #[must_use]
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Unavailable { hint, .. }
        | Self::Denied { hint, .. }
        | Self::Unmarked { hint, .. }
        | Self::Invalid { hint, .. } = &mut self
        {
            *hint = Some(advice.into());
        }
        self
    }

    /// How long the store asked to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::ReadOnly { .. } => Some("change it where it is kept; Biplane follows"),
            Self::Conflict { .. } | Self::RecordConflict { .. } => {
                Some("read it again and repeat the change")
            }
            Self::NotFound { .. } | Self::Deposed { .. } => None,
            Self::Unavailable { hint, .. }
            | Self::Denied { hint, .. }
            | Self::Unmarked { hint, .. }
            | Self::Invalid { hint, .. } => hint.as_deref(),
        }
    }
}

fn found_text(found: Option<Revision>) -> String {
    found.map_or_else(|| "it does not exist".to_owned(), |revision| format!("it is at revision {revision}"))
}
