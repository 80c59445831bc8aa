//! The last good objects on disk: what a restart serves while the store cannot be read, and what
//! stands in for objects that are bad at that moment.
//!
//! A file is one header line (format, digest and count) and one JSON line an object. It is written to
//! a temporary name, synced, renamed, and the directory synced; three editions are kept. A file that
//! does not verify is passed over for the one before. Values of secrets are sealed ([`seal`]).
//!
//! Invariant: whatever interrupts a write, the newest file that verifies is a complete edition.

mod files;
mod format;
mod seal;
mod writer;

pub use files::SnapshotDirectory;
pub use seal::SealingKey;
pub use writer::write_editions;

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
}
