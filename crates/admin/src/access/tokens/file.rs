//! The file with the tokens, read again when it changes.
//!
//! It is looked at for each request that brings a token, so that a token that was taken out ends with
//! the next request. A file that is gone knows no tokens; a line that cannot be read costs only itself.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use biplane_core::scalars::Timestamp;
use tracing::{info, warn};

use super::{TokenRule, hash};

/// The largest file: some thousands of tokens.
const LARGEST_FILE: u64 = 1024 * 1024;

#[derive(Debug)]
pub(in crate::access) struct TokenFile {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What the file looked like when it was read; none: it could not be read.
    stamp: Option<Stamp>,
    rules: Vec<TokenRule>,
}

/// Tells one state of a file from another, also within one tick of its clock if it was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl TokenFile {
    /// Reads the file, all of which must be readable.
    pub(in crate::access) fn open(path: &Path) -> io::Result<Self> {
        let (known, faults) = read(path).map_err(|error| said(path, &error.to_string()))?;
        match faults.first() {
            None => Ok(Self { path: path.to_owned(), known: Mutex::new(known) }),
            Some(fault) => Err(said(path, fault)),
        }
    }

    /// The rule of a token. Every rule is compared, each in the same time, so that an answer's delay tells nothing.
    pub(in crate::access) fn find(&self, token: &str) -> Option<TokenRule> {
        let digest = hash(token);
        let now = now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut known);
        let mut found = None;
        for rule in &known.rules {
            let equal = verify_slices_are_equal(&rule.sha256, &digest).is_ok();
            if equal && rule.until.is_none_or(|until| now < until) {
                found = Some(rule);
            }
        }
        found.cloned()
    }

    fn refresh(&self, known: &mut Known) {
        let stamp = std::fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        if stamp == known.stamp {
            return;
        }
        let path = self.path.display();
        match read(&self.path) {
            Ok((read, faults)) => {
                info!(%path, tokens = read.rules.len(), "tokens read");
                for fault in faults {
                    warn!(%path, fault, "a line of the tokens file is not used");
                }
                *known = read;
            }
            Err(error) => {
                // Without a stamp it is tried again for the next request; with one, when it has changed.
                warn!(%path, %error, "the tokens file cannot be read: no token is known");
                *known = Known { stamp, rules: Vec::new() };
            }
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Self { inode: metadata.ino(), size: metadata.size(), changed }
    }
}

/// What the file holds, and what is wrong with which of its lines.
fn read(path: &Path) -> io::Result<(Known, Vec<String>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.mode() & 0o002 != 0 {
        return Err(io::Error::other("everybody may write it, and so make tokens: chmod o-w"));
    }
    let mut text = String::new();
    file.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    let (rules, faults) = parse(&text);
    Ok((Known { stamp: Some(Stamp::of(&metadata)), rules }, faults))
}

fn parse(text: &str) -> (Vec<TokenRule>, Vec<String>) {
    let mut rules = Vec::new();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.parse() {
            Ok(rule) => rules.push(rule),
            Err(error) => faults.push(format!("line {}: {error}", index + 1)),
        }
    }
    (rules, faults)
}

fn said(path: &Path, reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("tokens file {}: {reason}", path.display()))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::{NewToken, Role};
    use super::*;

    fn token(name: &str, until: Option<Timestamp>) -> NewToken {
        NewToken::generate(name, Role::Read, until).expect("randomness")
    }

    fn holder(file: &TokenFile, token: &NewToken) -> Option<String> {
        file.find(&token.token).map(|rule| rule.name)
    }

    #[test]
    fn a_token_ends_when_its_line_is_taken_out_and_one_that_comes_in_is_known() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        let (ann, bob) = (token("ann", None), token("bob", None));
        std::fs::write(&path, format!("# people\n\n{}\n", ann.rule)).expect("written");
        let file = TokenFile::open(&path).expect("readable");
        assert_eq!((holder(&file, &ann), holder(&file, &bob)), (Some("ann".into()), None));
        std::fs::write(&path, format!("not a token\n{}\n", bob.rule)).expect("written");
        assert_eq!((holder(&file, &ann), holder(&file, &bob)), (None, Some("bob".into())));
        std::fs::remove_file(&path).expect("there");
        assert_eq!(holder(&file, &bob), None);
        std::fs::write(&path, format!("{}\n", ann.rule)).expect("written");
        assert_eq!(holder(&file, &ann), Some("ann".into()));
    }

    #[test]
    fn a_token_ends_at_its_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        let past = token("past", Some(Timestamp(1)));
        let coming = token("coming", Some(Timestamp(now().0 + 3600)));
        std::fs::write(&path, format!("{}\n{}\n", past.rule, coming.rule)).expect("written");
        let file = TokenFile::open(&path).expect("readable");
        assert_eq!((holder(&file, &past), holder(&file, &coming)), (None, Some("coming".into())));
    }

    #[test]
    fn at_the_start_every_line_must_be_readable() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        std::fs::write(&path, "# tokens\nci admin x\n").expect("written");
        let error = TokenFile::open(&path).expect_err("no role").to_string();
        assert!(error.contains("tokens: line 2: \"admin\" is no role"), "{error}");
    }

    #[test]
    fn a_file_that_everybody_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        std::fs::write(&path, "").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("ours");
        assert!(TokenFile::open(&path).is_err());
    }
}
