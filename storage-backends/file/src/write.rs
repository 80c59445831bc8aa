//! Writing: what becomes of a batch in the one directory that Biplane may write.
//!
//! ```text
//!  batch ─▶ plan: conditions, and the file of each object ─▶ swap: all new files beside, journal, renames
//!                                            a crash in between ─▶ whoever has the turn next does the rest
//! ```
//!
//! An object is a file of its own, `<directory>/<Kind>/<namespace>/<name>.yaml`. Nothing is touched that lies
//! elsewhere, or beside another document: that is its author's, and the answer names the file.

mod journal;
pub(crate) mod place;
mod swap;
pub(crate) mod turn;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use biplane_core::document::{identify, split};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_store::{Batch, Fault, FaultKind, Operation, StoreError, Write, layout};
use bytes::Bytes;
use tracing::warn;

use crate::catalog::Catalog;
use crate::names::{hint, is_skipped};
use crate::options::{FileOptions, Limits};
use journal::Journal;
use swap::{Failure, Swap};
use turn::{Busy, Held, Turn};

/// The directory that may be written, and how.
#[derive(Debug)]
pub(crate) struct Writer {
    root: PathBuf,
    directory: PathBuf,
    limits: Limits,
    /// Whose turn it is: writers one by one, readers when nobody writes.
    turn: Turn,
    /// What is left to do of a batch.
    journal: Journal,
    /// Whether this process has looked for what a crash may have left.
    is_swept: AtomicBool,
}

impl Writer {
    /// The writer of a store, if its options let it write. `root` is absolute.
    pub(crate) fn new(root: &Path, options: &FileOptions) -> Result<Option<Self>, StoreError> {
        let Some(directory) = &options.writable else { return Ok(None) };
        let directory = root.join(directory);
        let inside = directory.strip_prefix(root).map_err(|_| outside(&directory, root))?;
        let is_read = |part: std::path::Component<'_>| match part {
            std::path::Component::Normal(name) => !is_skipped(name),
            _ => false,
        };
        if !inside.components().all(is_read) {
            return Err(outside(&directory, root));
        }
        Ok(Some(Self {
            root: root.to_owned(),
            turn: Turn::of(&directory),
            journal: Journal::of(&directory),
            is_swept: AtomicBool::new(false),
            directory,
            limits: options.limits,
        }))
    }

    /// Waits until nobody else writes or reads. Blocks.
    pub(crate) fn take_turn(&self) -> Result<Held, StoreError> {
        if !self.root.is_dir() {
            let root = self.root.display();
            return Err(StoreError::unavailable(format!("{root} is not there, or is no directory"))
                .with_hint(format!("create {root}, or mount it")));
        }
        let turn = self.turn.to_write().map_err(|error| self.failed(&self.directory, &error))?;
        self.tidy().map_err(|(path, error)| self.failed(&path, &error))?;
        Ok(turn)
    }

    /// A turn to read, after doing what a writer that is gone has left to do. `None`: it is read without one.
    pub(crate) fn turn_to_read(&self) -> Result<Option<Held>, Busy> {
        if self.journal.is_open() || !self.is_swept.load(Ordering::Relaxed) {
            match self.turn.try_to_write() {
                Ok(Some(_turn)) => {
                    if let Err((path, error)) = self.tidy() {
                        warn!(path = %path.display(), %error, "a batch that was cut off cannot be finished");
                    }
                }
                // Others who read let nobody tidy up, and what there is to tidy up can wait.
                Err(Busy) if self.journal.is_open() => return Err(Busy),
                Ok(None) | Err(Busy) => {}
            }
        }
        self.turn.to_read()
    }

    /// The fault of a batch that has begun and has not come to its end.
    pub(crate) fn unfinished(&self) -> Option<Fault> {
        if !self.journal.is_open() {
            return None;
        }
        let path = self.journal.path();
        let shown = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy();
        let message = "a batch of writes was cut off, and what is left of it could not be done";
        Some(Fault::new(FaultKind::Unfinished, Location::file(shown, 1), message).hint(
            "make the directory writable, or compare what is there with what was meant and remove this file",
        ))
    }

    /// Where the fault of an unfinished batch belongs.
    pub(crate) fn journal(&self) -> PathBuf {
        self.journal.path()
    }

    /// Does what is left to do. Needs the turn to write.
    fn tidy(&self) -> Result<(), Failure> {
        self.journal.roll_forward()?;
        // Not before: what lies ready is what the journal names.
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            self.journal.sweep();
        }
        Ok(())
    }

    /// Checks the batch against what is known now, and says what is to be done to which file.
    pub(crate) fn plan(&self, catalog: &Catalog, batch: &Batch) -> Result<Vec<Swap>, StoreError> {
        batch.operations.iter().try_for_each(|operation| check(catalog, operation))?;
        batch.operations.iter().map(|operation| self.swap(catalog, operation)).collect()
    }

    /// Does it: all of it, or nothing.
    pub(crate) fn carry_out(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        swap::all(swaps, &self.journal).map_err(|(path, error)| self.failed(&path, &error))
    }

    fn swap(&self, catalog: &Catalog, operation: &Operation) -> Result<Swap, StoreError> {
        let key = &operation.key;
        let path = self.file_of(catalog, key)?;
        let content = match &operation.write {
            Write::Put(value) => Some(self.document(&path, key, value)?),
            Write::Delete => None,
        };
        let is_secret = key.kind == Kind::Secret;
        Swap::new(path, content, is_secret).map_err(|(path, error)| self.failed(&path, &error))
    }

    /// The one file that gives the object now, or is to give it.
    fn file_of(&self, catalog: &Catalog, key: &ObjectKey) -> Result<PathBuf, StoreError> {
        let ours = |file: &Path| file.starts_with(&self.directory) && catalog.holds_only(file, key);
        let mut files = catalog.files_of(key);
        match (files.next(), files.next()) {
            (Some(file), None) if ours(file) => Ok(file.to_owned()),
            (Some(file), other) => Err(self.elsewhere(key, other.filter(|_| ours(file)).unwrap_or(file))),
            (None, _) => {
                let file = place::of(&self.directory, key);
                let is_free = if catalog.knows(&file) {
                    catalog.holds_only(&file, key)
                } else {
                    file.symlink_metadata().is_err()
                };
                if is_free { Ok(file) } else { Err(self.elsewhere(key, &file)) }
            }
        }
    }

    /// The text as the file is to hold it, which must read as this object and nothing else.
    fn document(&self, path: &Path, key: &ObjectKey, value: &Bytes) -> Result<Vec<u8>, StoreError> {
        if value.len() > self.limits.object_bytes {
            return Err(layout::too_large_to_write(key, value.len()));
        }
        let text = str::from_utf8(value)
            .map_err(|_| StoreError::invalid(format!("{key}: the value is not UTF-8 text")))?;
        let [slice] = &split(text)[..] else {
            return Err(StoreError::invalid(format!("{key}: the value is not one document"))
                .with_hint("write each object by itself"));
        };
        let found = identify(&text[slice.range.clone()], &hint(path, 1)).map_err(|error| {
            let refused = StoreError::invalid(format!("{key}: line {}: {}", error.line, error.message));
            error.hint.into_iter().fold(refused, StoreError::with_hint)
        })?;
        if found != *key {
            return Err(StoreError::invalid(format!("{key}: the value says that it is {found}"))
                .with_hint("let kind, metadata.name and metadata.namespace say the same as the key"));
        }
        let line_end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        Ok([value, line_end].concat())
    }

    fn elsewhere(&self, key: &ObjectKey, file: &Path) -> StoreError {
        let shown = file.strip_prefix(&self.root).unwrap_or(file).display();
        StoreError::ReadOnly { store: format!("the file {shown}, which gives {key} or has its place,") }
    }

    fn failed(&self, path: &Path, error: &std::io::Error) -> StoreError {
        let message = format!("{} cannot be written: {error}", path.display());
        let directory = self.directory.display();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::denied(message)
                    .with_hint(format!("let the user that Biplane runs as write {directory}"))
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                StoreError::unavailable(message).with_hint(format!("make room where {directory} lies"))
            }
            std::io::ErrorKind::InvalidData => StoreError::unavailable(message)
                .with_hint("compare what is there with what was meant, and remove this file"),
            _ => StoreError::unavailable(message).with_hint(format!("look at {directory} with ls")),
        }
    }
}

/// Whether an operation may be carried out on what is there.
fn check(catalog: &Catalog, Operation { key, write, precondition }: &Operation) -> Result<(), StoreError> {
    let found = catalog.object(key).map(|object| object.revision);
    if !precondition.holds(found) {
        return Err(StoreError::Conflict { key: key.clone(), found });
    }
    if *write == Write::Delete && found.is_none() {
        return Err(StoreError::NotFound { key: key.clone() });
    }
    Ok(())
}

fn outside(directory: &Path, root: &Path) -> StoreError {
    let (directory, root) = (directory.display(), root.display());
    StoreError::invalid(format!("{directory} cannot be written: it is not read as a part of {root}"))
        .with_hint("name a directory below the root, without a dot in front")
}
