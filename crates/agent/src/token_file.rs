//! A token in a file that others renew, such as the identity of a task.
//!
//! The file is looked at once a second at most and read when it has changed, and whenever a server refuses us: tokens
//! from Vault or a scheduler are replaced under running programs. A file that cannot be read, or is empty (its writer is
//! not done), leaves the token as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use biplane_core::scalars::SecretString;
use tracing::{info, warn};
use zeroize::Zeroizing;

/// How long a look at the file is good for.
const GLANCE: Duration = Duration::from_secs(1);

/// The file, and the last token that was in it.
#[derive(Debug)]
pub struct TokenFile {
    server: &'static str,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<SecretString>,
    /// What the file looked like when it was read.
    seen: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    /// Whether the present trouble with the file has been told.
    told: bool,
}

impl TokenFile {
    /// A file that nobody has looked at yet, for a server that the log calls so: `Nomad`.
    pub fn new(server: &'static str, path: PathBuf) -> Self {
        Self { server, path, state: Mutex::default() }
    }

    /// The token of the next request.
    pub fn current(&self) -> Option<SecretString> {
        self.with(|state| {
            if state.looked.is_none_or(|looked| looked.elapsed() >= GLANCE) {
                state.look(self.server, &self.path);
            }
        })
    }

    /// The token after a server has refused one: the file is read whatever it looks like.
    pub fn read_again(&self) -> Option<SecretString> {
        self.with(|state| state.read(self.server, &self.path))
    }

    fn with(&self, change: impl FnOnce(&mut State)) -> Option<SecretString> {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.token.clone()
    }
}

impl State {
    fn look(&mut self, server: &str, path: &Path) {
        self.looked = Some(Instant::now());
        if self.seen.is_none() || stamp(path) != self.seen {
            self.read(server, path);
        }
    }

    fn read(&mut self, server: &str, path: &Path) {
        let seen = stamp(path);
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) if !text.trim().is_empty() => {
                let token = SecretString::new(text.trim());
                if self.token.as_ref().is_some_and(|before| *before != token) {
                    info!(path = %path.display(), "token of {server} changed");
                }
                (self.token, self.seen, self.told) = (Some(token), seen, false);
            }
            Ok(_) => self.trouble(server, path, "it is empty"),
            Err(error) => self.trouble(server, path, &error.to_string()),
        }
    }

    fn trouble(&mut self, server: &str, path: &Path, reason: &str) {
        if !self.told {
            let path = path.display();
            warn!(%path, reason, "token file of {server} cannot be used, the token stays as it was");
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

    fn file() -> (tempfile::TempDir, PathBuf, TokenFile) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        let file = TokenFile::new("Test", path.clone());
        (directory, path, file)
    }

    fn text(token: Option<SecretString>) -> Option<String> {
        token.map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_is_the_files_text_without_the_white_space_around_it() {
        let (_directory, path, file) = file();
        fs::write(&path, " hunter2\n").expect("write");
        assert_eq!(text(file.current()).as_deref(), Some("hunter2"));
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_is_not_looked_at_for_every_request_but_when_asked_to() {
        let (_directory, path, file) = file();
        fs::write(&path, "one").expect("write");
        file.current();
        fs::write(&path, "two").expect("write");
        // As if the last look had been just now, however slow this machine is.
        file.with(|state| state.looked = Some(Instant::now()));
        assert_eq!(text(file.current()).as_deref(), Some("one"));
        assert_eq!(text(file.read_again()).as_deref(), Some("two"));
    }

    #[test]
    fn a_file_that_has_changed_is_read_at_the_next_look() {
        let (_directory, path, file) = file();
        fs::write(&path, "one").expect("write");
        file.current();
        fs::write(&path, "another").expect("write");
        file.with(|state| state.looked = None);
        assert_eq!(text(file.current()).as_deref(), Some("another"));
    }

    #[test]
    fn an_empty_or_missing_file_leaves_the_token_as_it_was() {
        let (_directory, path, file) = file();
        assert_eq!(file.current(), None);
        fs::write(&path, "one").expect("write");
        assert_eq!(text(file.read_again()).as_deref(), Some("one"));
        fs::write(&path, "").expect("write");
        assert_eq!(text(file.read_again()).as_deref(), Some("one"));
        fs::remove_file(&path).expect("remove");
        assert_eq!(text(file.read_again()).as_deref(), Some("one"));
    }
}
