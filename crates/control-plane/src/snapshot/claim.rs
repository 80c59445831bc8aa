//! One process at a time: two that wrote editions into one directory would rotate each other's away.
//! The kernel gives a claim up with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::SnapshotError;

/// The claim on a directory, once it was taken.
#[derive(Debug, Default)]
pub(super) struct Claim(Mutex<Option<File>>);

impl Claim {
    /// Takes the directory, unless this claim has it already.
    pub(super) fn take(&self, directory: &Path) -> Result<(), SnapshotError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        let path = directory.join("lock");
        let failed = || SnapshotError::io(format!("locking {}", path.display()));
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(failed())?;
        match file.try_lock() {
            Ok(()) => {
                *held = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                Err(SnapshotError::InUse { path: directory.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(failed()(error)),
        }
    }

    /// As if this process had ended.
    #[cfg(test)]
    pub(super) fn give_up(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_claim_is_refused_until_the_first_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (Claim::default(), Claim::default());
        first.take(directory.path()).unwrap();
        first.take(directory.path()).unwrap();
        let error = second.take(directory.path()).unwrap_err();
        assert!(matches!(error, SnapshotError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("hint: "), "{error}");
        drop(first);
        second.take(directory.path()).unwrap();
    }
}
