//! Files that appear whole or not at all: written to a temporary name, synced, renamed, and the
//! directory synced. Readable by their owner only, for they hold secrets or the key to them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::SnapshotError;

/// Puts what `fill` writes at `path`. A failure leaves `path` as it was and gives the space back;
/// what a killed process left at `temporary` is overwritten.
pub(crate) fn write(
    path: &Path,
    temporary: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), SnapshotError> {
    write_synced(temporary, fill).and_then(|()| fs::rename(temporary, path)).map_err(|error| {
        let _ = fs::remove_file(temporary);
        SnapshotError::io(format!("writing {}", path.display()))(error)
    })?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(SnapshotError::io(format!("syncing {}", directory.display())))
}

fn write_synced(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Made anew, so that the mode is ours whoever made the one before.
    let removed = fs::remove_file(path);
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut buffered = BufWriter::new(made);
    fill(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_leaves_the_file_as_it_was_and_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let (path, temporary) = (directory.path().join("file"), directory.path().join("file.tmp"));
        fs::write(&path, "old").unwrap();
        let full = write(&path, &temporary, |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        assert!(matches!(full, Err(SnapshotError::Io { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(!temporary.exists());
    }
}
