//! The token of a client: fixed, or in a file that others renew, such as the identity of a task.
//!
//! A file is looked at once a second at most and read when it has changed, and whenever a server refuses us. A file
//! that cannot be read, or is empty (its writer is not done), leaves the token as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use biplane_core::scalars::SecretString;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::options::Token;

/// How long a look at the file is good for.
const GLANCE: Duration = Duration::from_secs(1);

/// Where the token of the next request comes from.
pub(super) enum TokenHolder {
    Absent,
    Fixed(SecretString),
    File(PathBuf, Mutex<State>),
}

#[derive(Default)]
pub(super) struct State {
    token: Option<SecretString>,
    /// What the file looked like when it was read.
    seen: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    /// Whether the present trouble with the file has been told.
    told: bool,
}

impl TokenHolder {
    pub(super) fn new(token: Option<Token>) -> Self {
        match token {
            None => Self::Absent,
            Some(Token::Value(token)) => Self::Fixed(token),
            Some(Token::File(path)) => Self::File(path, Mutex::default()),
        }
    }

    /// The token of the next request.
    pub(super) fn current(&self) -> Option<SecretString> {
        match self {
            Self::Absent => None,
            Self::Fixed(token) => Some(token.clone()),
            Self::File(path, state) => with(state, |state| {
                if state.looked.is_none_or(|looked| looked.elapsed() >= GLANCE) {
                    state.look(path);
                }
            }),
        }
    }

    /// The token after a server has refused `refused`, if it is another one by now.
    pub(super) fn other_than(&self, refused: Option<&SecretString>) -> Option<SecretString> {
        let Self::File(path, state) = self else { return None };
        with(state, |state| state.read(path)).filter(|token| Some(token) != refused)
    }
}

fn with(state: &Mutex<State>, change: impl FnOnce(&mut State)) -> Option<SecretString> {
    // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut state);
    state.token.clone()
}

impl State {
    fn look(&mut self, path: &Path) {
        self.looked = Some(Instant::now());
        if self.seen.is_none() || stamp(path) != self.seen {
            self.read(path);
        }
    }

    fn read(&mut self, path: &Path) {
        let seen = stamp(path);
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) if !text.trim().is_empty() => {
                let token = SecretString::new(text.trim());
                if self.token.as_ref().is_some_and(|before| *before != token) {
                    info!(path = %path.display(), "token of Nomad changed");
                }
                (self.token, self.seen, self.told) = (Some(token), seen, false);
            }
            Ok(_) => self.trouble(path, "it is empty"),
            Err(error) => self.trouble(path, &error.to_string()),
        }
    }

    fn trouble(&mut self, path: &Path, reason: &str) {
        if !self.told {
            warn!(path = %path.display(), reason, "token file of Nomad cannot be used, the token stays as it was");
        }
        (self.seen, self.told) = (None, true);
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(token: Option<SecretString>) -> Option<String> {
        token.map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_refused_token_is_read_again_and_used_only_if_it_is_another() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        fs::write(&path, "one\n").expect("write");
        let holder = TokenHolder::new(Some(Token::File(path.clone())));
        let first = holder.current();
        assert_eq!(text(first.clone()).as_deref(), Some("one"));
        assert_eq!(holder.other_than(first.as_ref()), None);
        fs::write(&path, "two\n").expect("write");
        assert_eq!(text(holder.other_than(first.as_ref())).as_deref(), Some("two"));
    }

    #[test]
    fn an_empty_or_missing_file_leaves_the_token_as_it_was() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        let holder = TokenHolder::new(Some(Token::File(path.clone())));
        assert_eq!(holder.current(), None);
        fs::write(&path, "one").expect("write");
        assert_eq!(text(holder.other_than(None)).as_deref(), Some("one"));
        fs::write(&path, "").expect("write");
        assert_eq!(text(holder.other_than(None)).as_deref(), Some("one"));
        fs::remove_file(&path).expect("remove");
        assert_eq!(text(holder.other_than(None)).as_deref(), Some("one"));
    }
}
