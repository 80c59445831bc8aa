//! One file of the tree: read it, take in what it holds, or keep what it held and say why.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use biplane_core::location::Location;
use biplane_store::{Fault, FaultKind, StoreError};
use tracing::debug;
use xxhash_rust::xxh3::xxh3_128;

use super::poll::GRACE;
use super::{Mode, Tree};
use crate::names::is_resource;
use crate::parse::parse;
use crate::read::{Read, Stamp, has_rested, read};

/// What an operator can do about something that cannot be read.
const KEPT: &str = "what it held before stays in force; make it readable, or remove it";

/// What is known of a file without reading it; nothing, if it could not be read.
#[derive(Debug, Default)]
pub(super) struct FileState {
    pub(super) stamp: Option<Stamp>,
    pub(super) digest: Option<u128>,
}

impl Tree {
    pub(super) fn load(&mut self, logical: &Path, real: &Path, mode: Mode) -> Result<(), StoreError> {
        let found = self.read(logical, real, mode);
        self.take(logical, found)
    }

    /// The root itself is a file: while that says nothing, nothing is known of the store.
    pub(super) fn load_root(&mut self, real: &Path, mode: Mode) -> Result<(), StoreError> {
        let root = self.root.clone();
        let found = self.read(&root, real, mode);
        if let Some(error) = self.refusal(&found) {
            return Err(self.unavailable(&error));
        }
        self.forget_unseen(&root, &BTreeSet::new())?;
        self.take(&root, found)
    }

    fn read(&mut self, logical: &Path, real: &Path, mode: Mode) -> Read {
        if self.waited.is_some() && !has_rested(real, GRACE) && self.has_to_wait(logical) {
            return Read::Unchanged;
        }
        let state = self.files.get(logical);
        if state.is_some() && self.inbox.is_being_written(real) {
            return Read::Unchanged;
        }
        let stamp = state.and_then(|state| state.stamp.as_ref()).filter(|_| mode == Mode::Changed);
        read(real, stamp, self.limits.file_bytes)
    }

    fn take(&mut self, logical: &Path, found: Read) -> Result<(), StoreError> {
        match found {
            Read::Unchanged => {}
            Read::Missing => return self.gone(logical),
            Read::Content(content, stamp) => self.take_in(logical, &content, stamp),
            Read::TooLarge(size) => {
                let message = format!("the file {}", self.too_large(size));
                self.fail(logical, FaultKind::TooLarge, &message, "split it into several files");
            }
            Read::Failed(why) => {
                self.fail(logical, FaultKind::Unreadable, &format!("the file cannot be read: {why}"), KEPT);
            }
        }
        Ok(())
    }

    /// Why this says nothing about the objects of a root that is a file.
    fn refusal(&self, found: &Read) -> Option<io::Error> {
        let why = match found {
            Read::Unchanged => return None,
            Read::Missing => return Some(io::ErrorKind::NotFound.into()),
            Read::TooLarge(size) => format!("it {}", self.too_large(*size)),
            Read::Failed(why) => why.to_string(),
            Read::Content(content, _) if content.is_empty() => "it is empty".to_owned(),
            Read::Content(content, _) => str::from_utf8(content).err()?.to_string(),
        };
        Some(io::Error::other(why))
    }

    fn too_large(&self, size: u64) -> String {
        format!("has {size} bytes, more than the limit of {}", self.limits.file_bytes)
    }

    fn take_in(&mut self, logical: &Path, content: &[u8], stamp: Option<Stamp>) {
        let digest = Some(xxh3_128(content));
        let state = self.files.entry(logical.to_owned()).or_default();
        let known = state.digest == digest;
        *state = FileState { stamp, digest };
        self.reads += 1;
        if !known {
            let shown = self.shown(logical);
            self.catalog.put(logical, &shown, parse(logical, &shown, content, &self.limits));
        }
    }

    /// There is something that cannot be read: what was known of it stays. What is just not there goes.
    pub(super) fn unreachable(
        &mut self,
        logical: &Path,
        at: &Path,
        error: &io::Error,
    ) -> Result<(), StoreError> {
        let missing = error.kind() == io::ErrorKind::NotFound;
        if missing && at.symlink_metadata().is_err() {
            return self.gone(logical);
        }
        let matters =
            logical.file_name().is_some_and(is_resource) || self.catalog.below(logical).next().is_some();
        if missing && !matters {
            debug!(path = %logical.display(), "a dangling link that nothing was read through");
            return Ok(());
        }
        let why = if missing { "it is a link to nothing".to_owned() } else { error.to_string() };
        self.fail(logical, FaultKind::Unreadable, &format!("this cannot be read: {why}"), KEPT);
        Ok(())
    }

    pub(super) fn fail(&mut self, logical: &Path, kind: FaultKind, message: &str, hint: &str) {
        let fault = Fault::new(kind, Location::file(self.shown(logical), 1), message).hint(hint);
        self.catalog.fail(logical, fault);
        self.unlearn(logical);
        self.failed.insert(logical.to_owned());
    }
}
