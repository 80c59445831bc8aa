//! Where something was read: a line of a file, or a key of a store at a revision.

use std::fmt;
use std::sync::Arc;

/// The place that a report points at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// A line of a file.
    File {
        /// The path as it is shown to people: relative to the store's root where there is one.
        path: Arc<str>,
        /// The line, counted from 1.
        line: u32,
    },
    /// A key of a remote store.
    Key {
        /// The store, for example `consul://127.0.0.1:8500`.
        store: Arc<str>,
        /// The full key.
        key: Arc<str>,
        /// The key's revision when it was read.
        revision: u64,
    },
}

impl Location {
    /// A line (from 1) of a file.
    pub fn file(path: impl Into<Arc<str>>, line: u32) -> Self {
        Self::File { path: path.into(), line }
    }

    /// The same place, `lines` further down. A key has no lines of its own to count from, so it stays.
    #[must_use]
    pub fn offset(&self, lines: u32) -> Self {
        match self {
            Self::File { path, line } => Self::File { path: path.clone(), line: line + lines },
            Self::Key { .. } => self.clone(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Key { key, revision, .. } => write!(f, "{key}@{revision}"),
        }
    }
}
