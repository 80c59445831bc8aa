//! What can be set about a file store.

use std::path::PathBuf;
use std::time::Duration;

/// Where a file store reads and how much it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// A directory, or a single file.
    pub root: PathBuf,
    /// What is refused before it is parsed.
    pub limits: Limits,
    /// How many changes of objects are remembered for watches that lag.
    pub history: usize,
    /// How often the root is looked at: mounting and unmounting cause no events.
    pub root_check: Duration,
    /// Compare all files this often instead of trusting events, as network file systems need it. A
    /// store that the kernel refuses watches for does so by itself, every two seconds. What is missing or
    /// has only just changed then counts a second later: nothing else says when an edit is complete.
    pub poll: Option<Duration>,
    /// The one directory that [`Store::commit`](biplane_store::Store::commit) may write: below the root, absolute
    /// or relative to it. It need not exist. `None`: nothing is written.
    pub writable: Option<PathBuf>,
}

/// Sizes beyond which input is refused before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one document.
    pub object_bytes: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Objects of the whole tree.
    pub objects: usize,
}

impl FileOptions {
    /// The defaults for a root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            limits: Limits::default(),
            history: 16_384,
            root_check: Duration::from_secs(1),
            poll: None,
            writable: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { object_bytes: 512 * 1024, file_bytes: 32 * 1024 * 1024, objects: 50_000 }
    }
}
