//! The root: where it really is, whether it is still there, and whether what is there can be believed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use biplane_store::StoreError;

use super::{Tree, holds_something, names};
use crate::reach::FileId;
use crate::resolve::resolve;

/// The root as it was when it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) real: PathBuf,
    pub(super) id: FileId,
    pub(super) is_directory: bool,
}

impl Tree {
    /// Where the root is now, and what.
    pub(super) fn find_root(&mut self) -> Result<Root, StoreError> {
        let found = self.resolve_root().and_then(|real| Ok((real.metadata()?, real)));
        let (metadata, real) = found.map_err(|error| self.unavailable(&error))?;
        Ok(Root { real, id: FileId::of(&metadata), is_directory: metadata.is_dir() })
    }

    fn resolve_root(&mut self) -> io::Result<PathBuf> {
        let watcher = &mut self.watcher;
        let mut links = BTreeSet::new();
        let real = resolve(Path::new("/"), &self.root, &mut |link| {
            watcher.expect_at(link);
            links.insert(link.to_owned());
        });
        // A file is watched by its own place, as a link is.
        links.extend(real.as_ref().ok().filter(|real| !real.is_dir()).cloned());
        self.reach.set_links(&self.root, &links);
        real
    }

    pub(super) fn refuse_bare_mount_point(&self, now: &Root) -> Result<(), StoreError> {
        let names = names(&now.real).map_err(|error| self.unavailable(&error))?;
        let moved = self.seen.as_ref().is_some_and(|seen| seen.id.device != now.id.device);
        if !moved || self.catalog.len() == 0 || holds_something(&now.real, &names) {
            return Ok(());
        }
        let root = self.root.display();
        Err(StoreError::unavailable(format!("{root} is now on another device, which holds nothing"))
            .with_hint(format!("is the file system that belongs at {root} mounted?")))
    }

    pub(super) fn root_has_moved(&self) -> Result<bool, StoreError> {
        Ok(!self.root_is(self.seen.as_ref())?)
    }

    /// What is missing below a root that is itself away, or another one, is not known to be gone.
    pub(super) fn confirm_root(&self) -> Result<(), StoreError> {
        let reading = self.reading.as_ref();
        // A file is replaced by every save, and was read in one go.
        if reading.is_some_and(|root| !root.is_directory) || self.root_is(reading)? {
            return Ok(());
        }
        let root = self.root.display();
        Err(StoreError::unavailable(format!("{root} was replaced while it was read"))
            .with_hint("nothing has to be done, it is read again"))
    }

    fn root_is(&self, expected: Option<&Root>) -> Result<bool, StoreError> {
        let metadata = self.root.metadata().map_err(|error| self.unavailable(&error))?;
        Ok(expected.is_some_and(|root| root.id == FileId::of(&metadata)))
    }

    pub(super) fn unavailable(&self, error: &io::Error) -> StoreError {
        let root = self.root.display();
        let hint = match error.kind() {
            io::ErrorKind::NotFound => format!("create {root}, mount it, or name another directory"),
            io::ErrorKind::PermissionDenied => format!("let the user that Biplane runs as read {root}"),
            _ => format!("look at {root} with ls"),
        };
        StoreError::unavailable(format!("{root} cannot be read: {error}")).with_hint(hint)
    }
}
