//! Why a session with a store ended. None of these ends the driver, but that nobody listens.

use std::fmt;
use std::time::Duration;

use crate::error::StoreError;
use crate::object::Revision;

/// Why the driver lists again.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody listens any more.
    Closed,
    /// Somebody asked for a list.
    Asked,
    /// The store could not be listed.
    List(StoreError),
    /// The watch could not be opened, or broke.
    Watch(StoreError),
    /// The watch ended without a word.
    Silently,
    /// The store asked for a new list.
    Resync,
    /// The watch or a list went backwards to this revision.
    Backwards(Revision),
    /// A list shows another store than the one that is watched.
    Another,
    /// The watch has not told everything.
    Drift(usize),
}

impl Ended {
    /// How long the store asked to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::List(error) | Self::Watch(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("nobody listens"),
            Self::Asked => f.write_str("somebody asked for a list"),
            Self::List(error) => write!(f, "the store cannot be read: {error}"),
            Self::Watch(error) => write!(f, "the watch broke: {error}"),
            Self::Silently => f.write_str("the watch ended"),
            Self::Resync => f.write_str("the watch lost changes"),
            Self::Backwards(revision) => write!(f, "the store went backwards to revision {revision}"),
            Self::Another => f.write_str("the store has become another one behind the watch's back"),
            Self::Drift(objects) => write!(f, "the watch missed changes of {objects} objects"),
        }
    }
}
