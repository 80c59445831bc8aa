//! Why something was not done, as the API answers it and every caller shows it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Name, ValidationFinding};

/// Why a request was not carried out. Nothing was changed by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// What kind of problem.
    pub kind: ProblemKind,
    /// What and why, one sentence.
    pub message: String,
    /// What to try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Name>,
    /// Of a conflict: the revision that the object is at; none if it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// Of an invalid request: everything that validation says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ValidationFinding>,
}

/// The kinds of problems, each with its HTTP status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProblemKind {
    /// The request cannot be understood: 400.
    BadRequest,
    /// The caller did not say who it is, or not truthfully: 401.
    Unauthenticated,
    /// The caller, or Biplane's own token at the store, may not do this: 403.
    Forbidden,
    /// The object, or the version, is not there: 404.
    NotFound,
    /// The store cannot be written through here: 405.
    ReadOnly,
    /// The object is not as was expected: 409 (`If-Match`: 412).
    Conflict,
    /// The request is larger than is taken: 413.
    TooLarge,
    /// The configuration would get worse: 422.
    Invalid,
    /// The store cannot be read or written now: 503.
    Unavailable,
    /// A fault of ours, or one that this reader does not know: 500.
    #[default]
    #[serde(other)]
    Internal,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::ReadOnly,
        Self::Conflict,
        Self::TooLarge,
        Self::Invalid,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The HTTP status code.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::ReadOnly => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Invalid => 422,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

impl Problem {
    /// A problem with its reason.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), ..Self::default() }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem, of an object.
    #[must_use]
    pub fn of(mut self, object: Name) -> Self {
        self.object = Some(object);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
