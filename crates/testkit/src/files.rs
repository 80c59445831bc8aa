//! A tree of files as its users change it: atomically, in place, by rename and by swapping a symlink.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that a file store reads.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// Beside the root, so that a watcher of the root never sees a half-written file.
    staging: PathBuf,
    written: AtomicU64,
}

impl Files {
    /// The tree under `root`, which is created if need be.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let name = root.file_name().expect("a root has a name").to_string_lossy().into_owned();
        let staging = root.with_file_name(format!(".{name}.staging"));
        for folder in [&root, &staging] {
            fs::create_dir_all(folder)
                .unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
        }
        Self { root, staging, written: AtomicU64::new(0) }
    }

    /// The root of the tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the tree.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file beside the tree and renames it into place: readers see the old text or the new one.
    pub fn write(&self, name: impl AsRef<Path>, text: &str) {
        let staged = self.stage();
        fs::write(&staged, text).expect("the tree is writable");
        fs::rename(staged, self.ready(name)).expect("the tree is on one file system");
    }

    /// Writes over a file in place, as `cat >` does: readers may see an empty file.
    pub fn overwrite(&self, name: impl AsRef<Path>, text: &str) {
        fs::write(self.ready(name), text).expect("the tree is writable");
    }

    /// Removes a file or a whole folder.
    pub fn remove(&self, name: impl AsRef<Path>) {
        let path = self.path(name);
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display()));
    }

    /// Renames a file or a folder within the tree.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        fs::rename(self.path(from), self.ready(to)).expect("the file to rename is there");
    }

    /// Points a symlink somewhere else in one step, as Kubernetes and deployment tools do.
    pub fn link(&self, name: impl AsRef<Path>, target: impl AsRef<Path>) {
        let staged = self.stage();
        std::os::unix::fs::symlink(target, &staged).expect("the tree is writable");
        fs::rename(staged, self.ready(name)).expect("the tree is on one file system");
    }

    fn stage(&self) -> PathBuf {
        self.staging.join(self.written.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// A path whose folder exists.
    fn ready(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path(name);
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).expect("the tree is writable");
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    #[test]
    fn files_are_written_renamed_linked_and_removed() {
        let directory = TempDir::new("files");
        let files = Files::new(directory.join("tree"));
        files.write("a/one.yaml", "1");
        files.rename("a/one.yaml", "b/two.yaml");
        files.link("current", "b");
        assert_eq!(fs::read_to_string(files.path("current/two.yaml")).expect("linked"), "1");
        files.link("current", "a");
        assert!(!files.path("current/two.yaml").exists());
        files.remove("b");
        files.remove("current");
        assert!(!files.path("b").exists());
        assert_eq!(fs::read_dir(files.root()).expect("the root is there").count(), 1, "only a/ is left");
    }
}
