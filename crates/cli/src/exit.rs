//! How a command ends: its exit code, and what is said when it did not do what was asked.

use std::fmt;
use std::process::ExitCode;

use biplane_admin_api::{Problem, ProblemKind};
use biplane_store::StoreError;

/// The exit codes, as `--help` and the README list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done, and all is well.
    Success = 0,
    /// The input has errors, or what was asked about is not well.
    Findings = 1,
    /// The command line or a setting is wrong.
    Usage = 2,
    /// A server or a store cannot be reached or read.
    Unreachable = 3,
    /// Anything else: an address that is taken, a file that cannot be written.
    Failed = 4,
    /// Somebody else changed the object in the meantime; nothing was written.
    Conflict = 5,
    /// The object, or that version of it, is not there.
    NotFound = 6,
    /// The token, the store's access rules or the place do not allow it.
    Denied = 7,
    /// `check`: worse than [`Code::Findings`]: a source cannot be read or is not trusted, or nothing is served.
    Critical = 8,
}

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done, and all is well
  1  the input has errors (with --strict: or warnings), something is not well, or `diff` differs
  2  the command line or a setting is wrong
  3  a server or a store cannot be reached or read
  4  anything else failed
  5  somebody else changed the object in the meantime; nothing was written
  6  the object, or that version of it, is not there
  7  it is not allowed: by the token, by the store's rules, or because the store is only read
  8  `check`: a source cannot be read or is not trusted, or nothing is served yet";

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// A command that could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// What failed and why.
    pub(crate) message: String,
    /// What to try.
    pub(crate) hint: Option<String>,
}

/// What every verb ends with.
pub(crate) type Outcome = Result<Code, Failure>;

impl Failure {
    /// The command line or a setting is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// A server or a store cannot be reached or read.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Code::Unreachable, message)
    }

    /// Anything else.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// Any failure, by its code.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same failure with advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What a library of ours says, told apart by whether a store was behind it.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let message = format!("{error:#}");
        match error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()) {
            Some(store) => Self { hint: store.hint().map(str::to_owned), ..Self::unreachable(message) },
            None => Self::failed(message),
        }
    }
}

/// What the API or the editor of a store says, under the code that a script can act on.
impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let code = match problem.kind {
            ProblemKind::BadRequest => Code::Usage,
            ProblemKind::Unauthenticated | ProblemKind::Forbidden | ProblemKind::ReadOnly => Code::Denied,
            ProblemKind::NotFound => Code::NotFound,
            ProblemKind::Conflict => Code::Conflict,
            ProblemKind::Invalid => Code::Findings,
            ProblemKind::Unavailable => Code::Unreachable,
            ProblemKind::TooLarge | ProblemKind::Internal => Code::Failed,
        };
        Self { code, message: problem.message, hint: problem.hint }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}
