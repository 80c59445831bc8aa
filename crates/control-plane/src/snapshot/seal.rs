//! Sealing of secret values: AES-256-GCM under a key of its own file, bound to the object's name, so
//! that a snapshot without the key shows nothing and a value cannot be moved to another object.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::{Zeroize as _, Zeroizing};

use super::SnapshotError;

const KEY_LENGTH: usize = 32;

/// The key that secret values are sealed with.
pub struct SealingKey(RandomizedNonceKey);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

impl SealingKey {
    /// Reads the key from a file of exactly 32 bytes; makes one, readable by its owner only, where
    /// there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, SnapshotError> {
        match std::fs::File::open(path) {
            Ok(mut file) => Self::read(path, &mut file),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(SnapshotError::io(format!("reading sealing key {}", path.display()))(error)),
        }
    }

    fn read(path: &Path, file: &mut std::fs::File) -> Result<Self, SnapshotError> {
        let invalid = |why| SnapshotError::Key { path: path.display().to_string(), why };
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LENGTH + 1));
        file.take(KEY_LENGTH as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(SnapshotError::io(format!("reading sealing key {}", path.display())))?;
        if bytes.len() != KEY_LENGTH {
            return Err(invalid("it must hold exactly 32 bytes"));
        }
        Self::new(&bytes).ok_or_else(|| invalid("it is unusable"))
    }

    fn create(path: &Path) -> Result<Self, SnapshotError> {
        let failed = || format!("creating sealing key {}", path.display());
        let mut bytes = [0_u8; KEY_LENGTH];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SnapshotError::Key {
            path: path.display().to_string(),
            why: "the system gives no randomness",
        })?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(path).map_err(SnapshotError::io(failed()))?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        let key = Self::new(&bytes);
        bytes.zeroize();
        written.map_err(SnapshotError::io(failed()))?;
        key.ok_or_else(|| SnapshotError::Key { path: path.display().to_string(), why: "it is unusable" })
    }

    fn new(bytes: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).ok().map(Self)
    }

    /// Seals a value for an object.
    pub(super) fn seal(&self, object: &str, value: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = value.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(object.as_bytes()), &mut sealed).ok()?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Some(out)
    }

    /// Opens what [`Self::seal`] made for the same object.
    pub(super) fn open(&self, object: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, value) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut value = value.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(object.as_bytes()), &mut value).ok()?.len();
        value.truncate(length);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn sealed_value_opens_for_its_own_object_only() {
        let directory = tempfile::tempdir().unwrap();
        let key = SealingKey::load_or_create(&directory.path().join("key")).unwrap();
        let sealed = key.seal("Secret a/b", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(key.open("Secret a/b", &sealed).unwrap(), b"canary");
        assert_eq!(key.open("Secret a/c", &sealed), None);
    }

    #[test]
    fn key_is_made_once_and_readable_by_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let sealed = SealingKey::load_or_create(&path).unwrap().seal("o", b"v").unwrap();
        assert_eq!(SealingKey::load_or_create(&path).unwrap().open("o", &sealed).unwrap(), b"v");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn key_of_another_length_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(SealingKey::load_or_create(&path), Err(SnapshotError::Key { .. })));
    }
}
