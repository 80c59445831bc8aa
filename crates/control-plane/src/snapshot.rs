//! The last good objects on disk: what a restart serves while the store cannot be read, and what
//! stands in for objects that are bad at that moment.
//!
//! Three editions are kept; one that does not verify is passed over for the one before. An edition is
//! written to a temporary name, synced, renamed, and the directory synced ([`durable`]). Values of
//! secrets are sealed ([`seal`]): a restart that lacks the key restores nothing, rather than listeners
//! without their secrets, and neither makes another key nor drops what only the lost one opens.
//!
//! Invariant: whatever interrupts a write, the newest file that verifies is a complete edition.

mod claim;
mod durable;
mod files;
mod format;
mod health;
mod last_run;
mod seal;
mod writer;

pub(crate) use durable::write as write_durably;
pub use files::SnapshotDirectory;
pub use health::SnapshotHealth;
pub use last_run::{LastRun, SourceRecord, Sources};
pub use writer::write_editions;

use std::path::Path;

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk did not do it.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The file is not a complete snapshot of a known format.
    #[error("{path}: {why}")]
    Invalid {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process keeps its editions there.
    #[error(
        "another Biplane process uses the state directory {path}; hint: give each its own with --state-dir, or stop the other"
    )]
    InUse {
        /// The directory.
        path: String,
    },
    /// The sealing key is unusable.
    #[error("sealing key {path}: {why}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl SnapshotError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    fn key(path: &Path, why: &'static str) -> Self {
        Self::Key { path: path.display().to_string(), why }
    }
}
