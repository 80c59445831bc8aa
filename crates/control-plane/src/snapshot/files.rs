//! The directory that holds the editions: `snapshot-<number>`, the highest the newest.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use biplane_store::StoredObject;
use tracing::warn;

use super::seal::SealingKey;
use super::{SnapshotError, format};

/// Editions that stay on disk: the newest, and two to fall back on.
const KEPT: usize = 3;
const PREFIX: &str = "snapshot-";

/// Where editions are kept.
#[derive(Debug)]
pub struct SnapshotDirectory {
    path: PathBuf,
    store: String,
    key: SealingKey,
}

impl SnapshotDirectory {
    /// Opens the directory for editions of `store`, made where it is missing, with the sealing key in
    /// `key_file`; default: a file `snapshot.key` in the directory.
    pub fn open(path: &Path, store: &str, key_file: Option<&Path>) -> Result<Self, SnapshotError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(SnapshotError::io(format!("creating {}", path.display())))?;
        let own = path.join("snapshot.key");
        let key = SealingKey::load_or_create(key_file.unwrap_or(&own))?;
        Ok(Self { path: path.to_owned(), store: store.to_owned(), key })
    }

    /// The objects of the newest edition that verifies; none where there is no such edition.
    pub fn load(&self) -> Vec<StoredObject> {
        let mut editions = self.editions();
        editions.reverse();
        for (_, path) in editions {
            match self.read(&path) {
                Ok(objects) => return objects,
                Err(error) => warn!(%error, "snapshot passed over"),
            }
        }
        Vec::new()
    }

    fn read(&self, path: &Path) -> Result<Vec<StoredObject>, SnapshotError> {
        let text =
            fs::read_to_string(path).map_err(SnapshotError::io(format!("reading {}", path.display())))?;
        format::read(&text, &self.store, &self.key)
            .map_err(|why| SnapshotError::Invalid { path: path.display().to_string(), why })
    }

    /// Writes a new edition and drops the oldest.
    pub fn write<'a>(&self, objects: impl Iterator<Item = &'a StoredObject>) -> Result<(), SnapshotError> {
        let text = format::write(objects, &self.store, &self.key);
        let editions = self.editions();
        let number = editions.last().map_or(1, |(number, _)| number + 1);
        let (temporary, path) =
            (self.path.join("snapshot.tmp"), self.path.join(format!("{PREFIX}{number:010}")));
        write_synced(&temporary, text.as_bytes())
            .map_err(SnapshotError::io(format!("writing {}", temporary.display())))?;
        fs::rename(&temporary, &path)
            .map_err(SnapshotError::io(format!("renaming to {}", path.display())))?;
        sync_directory(&self.path).map_err(SnapshotError::io(format!("syncing {}", self.path.display())))?;
        let superfluous = (editions.len() + 1).saturating_sub(KEPT);
        for (_, old) in editions.into_iter().take(superfluous) {
            fs::remove_file(&old).map_err(SnapshotError::io(format!("removing {}", old.display())))?;
        }
        Ok(())
    }

    /// All editions, the oldest first.
    fn editions(&self) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let number = |name: &std::ffi::OsStr| name.to_str()?.strip_prefix(PREFIX)?.parse().ok();
        let mut editions: Vec<_> =
            entries.filter_map(|entry| Some((number(&entry.file_name())?, entry.path()))).collect();
        editions.sort_unstable();
        editions
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use biplane_core::key::{Kind, ObjectKey};
    use biplane_core::location::Location;
    use biplane_store::Revision;
    use bytes::Bytes;

    use super::*;

    fn object(kind: Kind, name: &str, value: &str) -> StoredObject {
        StoredObject {
            key: ObjectKey::new(kind, "default", name),
            value: Bytes::copy_from_slice(value.as_bytes()),
            location: Location::file("a.yaml", 3),
            revision: Revision::default(),
            created: Some(7),
        }
    }

    fn opened() -> (tempfile::TempDir, SnapshotDirectory) {
        let directory = tempfile::tempdir().unwrap();
        let snapshots =
            SnapshotDirectory::open(&directory.path().join("state"), "file:///a b", None).unwrap();
        (directory, snapshots)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_directory, snapshots) = opened();
        let objects = [object(Kind::Secret, "s", "tls: {}"), object(Kind::Upstream, "u", "static: {}\n# ü")];
        snapshots.write(objects.iter()).unwrap();
        assert_eq!(snapshots.load(), objects);
    }

    #[test]
    fn secret_values_are_sealed_and_files_private() {
        let (_directory, snapshots) = opened();
        snapshots.write([object(Kind::Secret, "s", "canary")].iter()).unwrap();
        let (_, path) = snapshots.editions().pop().unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("canary"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn three_editions_are_kept() {
        let (_directory, snapshots) = opened();
        for name in ["a", "b", "c", "d"] {
            snapshots.write([object(Kind::Upstream, name, "{}")].iter()).unwrap();
        }
        let numbers: Vec<_> = snapshots.editions().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 3, 4]);
    }

    #[test]
    fn edition_that_was_cut_or_altered_falls_back_to_the_one_before() {
        let (_directory, snapshots) = opened();
        let good = [object(Kind::Upstream, "old", "{}")];
        snapshots.write(good.iter()).unwrap();
        snapshots.write([object(Kind::Upstream, "new", "{}")].iter()).unwrap();
        let (_, newest) = snapshots.editions().pop().unwrap();
        let text = fs::read_to_string(&newest).unwrap();
        for broken in [
            &text[..text.len() / 2],
            "",
            &text.replace("new", "nex"),
            &text.replace("snapshot 1", "snapshot 9"),
        ] {
            fs::write(&newest, broken).unwrap();
            assert_eq!(snapshots.load(), good, "{broken}");
        }
    }

    #[test]
    fn edition_of_another_store_is_not_served() {
        let (directory, snapshots) = opened();
        snapshots.write([object(Kind::Upstream, "u", "{}")].iter()).unwrap();
        let other = SnapshotDirectory::open(&directory.path().join("state"), "file:///b", None).unwrap();
        assert_eq!(other.load(), []);
    }

    #[test]
    fn interrupted_write_leaves_the_last_edition() {
        let (_directory, snapshots) = opened();
        let good = [object(Kind::Upstream, "u", "{}")];
        snapshots.write(good.iter()).unwrap();
        fs::write(snapshots.path.join("snapshot.tmp"), "half").unwrap();
        assert_eq!(snapshots.load(), good);
        snapshots.write(good.iter()).unwrap();
        assert_eq!(snapshots.load(), good);
    }
}
