//! One reading of one secret: all values of one moment, or why not.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use biplane_source::{Secret, SourceError};

use super::fault;
use super::look::{FileAt, Found, Look, Way, look};
use super::pem::{self, Values};
use super::root::Root;
use crate::read::{Read, read};
use crate::watcher::Watcher;

/// A file with more bytes than this is no secret.
const FILE_MAX: u64 = 1024 * 1024;

/// What changes while it is read is read again, this often.
const ATTEMPTS: usize = 3;

/// A file that has not changed for so long is not just being written.
const REST: Duration = Duration::from_secs(1);

/// What a reading found.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) way: Way,
    pub(super) answer: Result<Option<Secret>, SourceError>,
    /// What the answer was read from.
    pub(super) found: Found,
    /// Private keys that every user of the machine may read.
    pub(super) exposed: Vec<PathBuf>,
}

/// Reads what is at `request`. With a watcher, changes are told from now on.
pub(super) fn read_secret(root: &Root, request: &Path, mut watcher: Option<&mut Watcher>) -> Reading {
    let mut before = look(root, request, watcher.as_deref_mut());
    for _ in 0..ATTEMPTS {
        let mut exposed = Vec::new();
        let values = before.values(&mut exposed);
        let after = look(root, request, watcher.as_deref_mut());
        if after == before {
            let answer = values.map(|values| values.map(Secret::new));
            return Reading { way: after.way, answer, found: after.found.unwrap_or_default(), exposed };
        }
        before = after;
    }
    let answer = Err(fault::restless(&root.path.join(request)));
    Reading { way: before.way, answer, found: Found::default(), exposed: Vec::new() }
}

impl Reading {
    /// Whether no file has changed just now, as far as clocks tell.
    pub(super) fn has_rested(&self) -> bool {
        let now = SystemTime::now();
        let mut ages = self.found.files.values().map(|file| file.stamp.age(now));
        ages.all(|age| age.is_none_or(|age| age >= REST))
    }

    /// The device of the directory, if it holds a value.
    pub(super) fn held_on(&self) -> Option<u64> {
        self.found.device.filter(|_| !self.found.files.is_empty())
    }

    /// The files that were read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.found.files.values().map(|file| &*file.real)
    }
}

impl Look {
    fn values(&self, exposed: &mut Vec<PathBuf>) -> Result<Option<Values>, SourceError> {
        let Found { is_file, files, .. } = self.found.as_ref().map_err(Clone::clone)?;
        let mut values = Values::new();
        for (name, file) in files {
            let content = file.content()?;
            if file.is_exposed && holds_private_key(&content) {
                exposed.push(file.shown.clone());
            }
            if *is_file {
                return pem::split(name, content).map(Some).map_err(|why| fault::bad_pem(&file.shown, why));
            }
            values.insert(name.clone(), content);
        }
        Ok((!values.is_empty()).then_some(values))
    }
}

impl FileAt {
    fn content(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, SourceError> {
        match read(&self.real, None, FILE_MAX) {
            Read::Content(content, _) if content.is_empty() => Err(fault::empty(&self.shown)),
            Read::Content(content, _) => Ok(content),
            Read::TooLarge(size) => Err(fault::too_large(&self.shown, size, FILE_MAX)),
            Read::Failed(error) => Err(fault::unreadable(&self.shown, &error)),
            Read::Missing | Read::Unchanged => Err(fault::restless(&self.shown)),
        }
    }
}

fn holds_private_key(content: &[u8]) -> bool {
    let mark = b"PRIVATE KEY-----";
    content.windows(mark.len()).any(|window| window == mark)
}
