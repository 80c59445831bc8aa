//! Whose turn it is: a lock on a file in the directory that is written. Writers, of this process or another,
//! hold it alone; stores that know of that directory read it together, between writers. So a batch of many
//! files is read whole or not at all.
//!
//! A kernel lock goes with its process. What a crash leaves half done is the [journal](super::journal)'s.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The name is hidden from readers of resources.
const NAME: &str = ".biplane.lock";

/// How long a writer waits for its turn. The others need milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(1);

/// The lock of one directory.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    directory: PathBuf,
}

/// Somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: File,
}

impl Turn {
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// A turn to read. `None`: nobody has ever written here, or the lock cannot be had and is done without.
    pub(crate) fn to_read(&self) -> Result<Option<Held>, Busy> {
        let Ok(lock) = File::open(self.directory.join(NAME)) else { return Ok(None) };
        match lock.try_lock_shared() {
            Ok(()) => Ok(Some(Held { _lock: lock })),
            Err(TryLockError::WouldBlock) => Err(Busy),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// A turn to write where nobody has another one. `None`: nobody has ever written here, or the lock cannot be had.
    pub(crate) fn try_to_write(&self) -> Result<Option<Held>, Busy> {
        let lock = OpenOptions::new().read(true).write(true).open(self.directory.join(NAME));
        let Ok(lock) = lock else { return Ok(None) };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Held { _lock: lock })),
            Err(TryLockError::WouldBlock) => Err(Busy),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// A turn to write. Blocks; the directory is created if it is not there.
    pub(crate) fn to_write(&self) -> io::Result<Held> {
        fs::create_dir_all(&self.directory)?;
        let path = self.directory.join(NAME);
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Held { _lock: lock }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "somebody else is writing there"));
                }
                Err(TryLockError::WouldBlock) => sleep(LOOK),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_read_together_and_writers_write_alone() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let turn = Turn::of(&directory.path().join("managed"));
        assert!(turn.to_read().is_ok_and(|held| held.is_none()), "nobody has written yet");
        let writing = turn.to_write().expect("a turn");
        assert_eq!(turn.to_read().err(), Some(Busy));
        drop(writing);
        let (one, two) = (turn.to_read(), turn.to_read());
        assert!(one.is_ok_and(|held| held.is_some()) && two.is_ok_and(|held| held.is_some()));
        turn.to_write().expect("the readers are gone");
    }
}
