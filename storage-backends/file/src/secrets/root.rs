//! The root of a source: whether it is there, and whether what is there can be believed.

use std::path::{Path, PathBuf};

use biplane_source::SourceError;

use super::fault;
use crate::names::is_skipped;
use crate::reach::FileId;

/// The directory below which a source reads.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    /// The device that it was on when a secret was last found there.
    held_on: Option<u64>,
}

impl Root {
    /// An absolute path.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, held_on: None }
    }

    /// Which directory the root is now. What is missing below one that cannot be told of is unknown.
    pub(super) fn check(&self) -> Result<FileId, SourceError> {
        let metadata = self.path.metadata().map_err(|error| fault::unreadable(&self.path, &error))?;
        if !metadata.is_dir() {
            return Err(fault::no_directory(&self.path));
        }
        let id = FileId::of(&metadata);
        if self.held_on.is_some_and(|device| device != id.device) && holds_nothing(&self.path) {
            return Err(fault::bare(&self.path));
        }
        Ok(id)
    }

    /// A secret was found below this root.
    pub(super) const fn holds_something(&mut self, id: FileId) {
        self.held_on = Some(id.device);
    }
}

fn holds_nothing(directory: &Path) -> bool {
    directory
        .read_dir()
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| is_skipped(&entry.file_name()))))
}
