//! Whom Consul takes a client for that has no token: nobody in particular, or its agent.
//!
//! An answer that leaves out what the asker may not see says so to every token, also to the anonymous one where a
//! request names it, but not to a request that names none: the rest looks whole. So a client without a token names the
//! anonymous one. Not before it has asked: an agent may have a token for requests without one, which would no longer
//! apply.

use std::sync::{Mutex, PoisonError};

use crate::answer::Raw;
use crate::error::Error;
use crate::secret::Secret;

/// The anonymous token, which is the same everywhere.
const ANONYMOUS: &str = "anonymous";

/// How Consul says that a request without a token bears none by any other way.
const NOBODY: &[u8] = b"ACL not found";

/// What stands for a token that is not set.
#[derive(Debug, Default)]
pub(crate) struct Unset {
    known: Mutex<(Option<Whom>, u64)>,
}

/// What requests without a token are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The agent's own token, or there are no tokens.
    Agent,
    /// The anonymous token.
    Anonymous,
}

impl Whom {
    /// From the answer to a question for our own token.
    pub(crate) fn of(raw: &Raw, address: &str) -> Result<Self, Error> {
        match raw.status {
            403 if raw.body.windows(NOBODY.len()).any(|words| words == NOBODY) => Ok(Self::Anonymous),
            // It has a token; there are none (401); a proxy keeps the question to itself.
            200 | 401 | 403..=405 => Ok(Self::Agent),
            _ => Err(raw.refusal(address)),
        }
    }
}

impl Unset {
    /// What was found out, if anything was.
    pub(crate) fn known(&self) -> Option<Whom> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How often it has become something else.
    pub(crate) fn changes(&self) -> u64 {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Takes in what was found out.
    pub(crate) fn learn(&self, whom: Whom) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.0.replace(whom);
        known.1 += u64::from(before.is_some_and(|before| before != whom));
    }

    /// What the next request bears.
    pub(crate) fn current(&self) -> Option<Secret> {
        (self.known() == Some(Whom::Anonymous)).then(|| Secret::new(ANONYMOUS))
    }
}
