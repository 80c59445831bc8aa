//! A directory per test, gone when the test passes and kept, logs and all, when it fails.

use std::path::{Path, PathBuf};

/// A directory of one test's own.
#[derive(Debug)]
pub struct TempDir {
    inner: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl TempDir {
    /// A new, empty directory; `name` helps to find it again.
    pub fn new(name: &str) -> Self {
        let inner = tempfile::Builder::new()
            .prefix(&format!("biplane-{name}-"))
            .tempdir()
            .expect("the temporary directory is writable");
        Self { path: inner.path().to_owned(), inner: Some(inner) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it. Nothing is created.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A directory in it, created if need be.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let wanted = std::thread::panicking() || std::env::var_os("BIPLANE_KEEP").is_some();
        if let Some(inner) = self.inner.take()
            && wanted
        {
            eprintln!("kept for you to look at: {}", inner.keep().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_test_keeps_its_directory() {
        let (send, receive) = std::sync::mpsc::channel();
        let failing = std::thread::spawn(move || {
            let directory = TempDir::new("kept");
            send.send(directory.path().to_owned()).expect("the other end is there");
            panic!("on purpose");
        });
        assert!(failing.join().is_err());
        let path = receive.recv().expect("sent before the panic");
        assert!(path.is_dir());
        std::fs::remove_dir_all(path).expect("it is ours");
    }

    #[test]
    fn a_passing_test_leaves_nothing_behind() {
        let directory = TempDir::new("gone");
        let path = directory.path().to_owned();
        drop(directory);
        assert!(!path.exists() || std::env::var_os("BIPLANE_KEEP").is_some());
    }
}
