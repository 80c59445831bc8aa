//! The token of a client: fixed, or in a file that others renew.
//!
//! A file is looked at once a second at most and read when it has changed, and whenever a server refuses
//! us: tokens from Vault or a scheduler are replaced under running programs. A file that cannot be read, or
//! is empty (its writer is not done), leaves the token as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use crate::secret::Secret;
use crate::settings::TokenSource;
use crate::unset::Unset;

/// How long a look at the file is good for.
const GLANCE: Duration = Duration::from_secs(1);

/// Where a client's token comes from.
#[derive(Debug)]
pub(crate) enum Token {
    Unset(Unset),
    Fixed(Secret),
    File(TokenFile),
}

#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    secret: Option<Secret>,
    /// What the file looked like when it was read.
    seen: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    /// Whether the present trouble with the file has been told.
    told: bool,
}

impl Token {
    pub(crate) fn new(source: Option<TokenSource>) -> Self {
        match source {
            None => Self::Unset(Unset::default()),
            Some(TokenSource::Value(secret)) => Self::Fixed(secret),
            Some(TokenSource::File(path)) => Self::File(TokenFile { path, state: Mutex::default() }),
        }
    }

    /// The token of the next request.
    pub(crate) fn current(&self) -> Option<Secret> {
        match self {
            Self::Unset(unset) => unset.current(),
            Self::Fixed(secret) => Some(secret.clone()),
            Self::File(file) => file.current(),
        }
    }

    /// The token after a server has refused `refused`, if it is another one by now.
    pub(crate) fn other_than(&self, refused: Option<&Secret>) -> Option<Secret> {
        let Self::File(file) = self else { return None };
        file.with(State::read).filter(|secret| Some(secret) != refused)
    }

    /// What stands for it, if there is none.
    pub(crate) const fn unset(&self) -> Option<&Unset> {
        match self {
            Self::Unset(unset) => Some(unset),
            _ => None,
        }
    }
}

impl TokenFile {
    fn current(&self) -> Option<Secret> {
        self.with(|state, path| {
            if state.looked.is_none_or(|looked| looked.elapsed() >= GLANCE) {
                state.look(path);
            }
        })
    }

    fn with(&self, change: impl FnOnce(&mut State, &Path)) -> Option<Secret> {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state, &self.path);
        state.secret.clone()
    }
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
        match fs::read_to_string(path).map(|text| Secret::new(&text)) {
            Ok(secret) if !secret.expose().is_empty() => {
                if self.secret.as_ref().is_some_and(|before| *before != secret) {
                    info!(path = %path.display(), "Consul token changed");
                }
                (self.secret, self.seen, self.told) = (Some(secret), seen, false);
            }
            Ok(_) => self.trouble(path, "it is empty"),
            Err(error) => self.trouble(path, &error.to_string()),
        }
    }

    fn trouble(&mut self, path: &Path, reason: &str) {
        if !self.told {
            warn!(path = %path.display(), reason, "Consul token file cannot be used, the token stays as it was");
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

    fn token(path: &Path) -> Token {
        Token::new(Some(TokenSource::File(path.to_owned())))
    }

    fn text(token: Option<Secret>) -> Option<String> {
        token.map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_refused_token_is_read_again_and_used_only_if_it_is_another() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        fs::write(&path, "one\n").expect("write");
        let token = token(&path);
        let first = token.current();
        assert_eq!(text(first.clone()).as_deref(), Some("one"));
        assert_eq!(token.other_than(first.as_ref()), None);
        fs::write(&path, "two\n").expect("write");
        assert_eq!(text(token.other_than(first.as_ref())).as_deref(), Some("two"));
    }

    #[test]
    fn an_empty_or_missing_file_leaves_the_token_as_it_was() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        let token = token(&path);
        assert_eq!(token.current(), None);
        fs::write(&path, "one").expect("write");
        assert_eq!(text(token.other_than(None)).as_deref(), Some("one"));
        fs::write(&path, "").expect("write");
        assert_eq!(text(token.other_than(None)).as_deref(), Some("one"));
        fs::remove_file(&path).expect("remove");
        assert_eq!(text(token.other_than(None)).as_deref(), Some("one"));
    }
}
