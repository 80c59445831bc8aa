//! Sealing of secret values: AES-256-GCM under a key of its own file, bound to the object's name, so
//! that a snapshot without the key shows nothing and a value cannot be moved to another object.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{SnapshotError, durable};

const KEY_LENGTH: usize = 32;

/// A key that values are sealed with: that of the state directory, or that of one edition.
pub(super) struct SealingKey(RandomizedNonceKey);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

impl SealingKey {
    /// Reads the key from a file of exactly 32 bytes; none where there is no file.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, SnapshotError> {
        let failed = || SnapshotError::io(format!("reading sealing key {}", path.display()));
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed())?,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LENGTH + 1));
        file.take(KEY_LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(failed())?;
        let key = Self::new(&bytes);
        key.map(Some).ok_or_else(|| SnapshotError::key(path, "it must hold exactly 32 bytes"))
    }

    /// Makes a key and keeps it in a file that is readable by its owner only.
    pub(super) fn create(path: &Path) -> Result<Self, SnapshotError> {
        let made = random_bytes().and_then(|bytes| Some((Self::new(&*bytes)?, bytes)));
        let (key, bytes) = made.ok_or_else(|| SnapshotError::key(path, "the system gives no randomness"))?;
        let temporary = path.with_extension("key.tmp");
        durable::write(path, &temporary, |out| out.write_all(&*bytes))?;
        Ok(key)
    }

    /// A key that is in no file.
    #[cfg(test)]
    pub(super) fn random() -> Option<Self> {
        Self::new(&*random_bytes()?)
    }

    fn new(bytes: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).ok().map(Self)
    }

    /// A new key for one edition, and its bytes sealed with this one.
    pub(super) fn wrap_new_key(&self, store: &str) -> Option<(Self, Vec<u8>)> {
        let bytes = random_bytes()?;
        Some((Self::new(&*bytes)?, self.seal(store, &*bytes)?))
    }

    /// The key that [`Self::wrap_new_key`] sealed for the same store.
    pub(super) fn unwrap_key(&self, store: &str, sealed: &[u8]) -> Option<Self> {
        Self::new(&Zeroizing::new(self.open(store, sealed)?))
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

fn random_bytes() -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    aws_lc_rs::rand::fill(&mut *bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn sealed_value_opens_for_its_own_object_only() {
        let key = SealingKey::random().unwrap();
        let sealed = key.seal("Secret a/b", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(key.open("Secret a/b", &sealed).unwrap(), b"canary");
        assert_eq!(key.open("Secret a/c", &sealed), None);
    }

    #[test]
    fn key_that_was_made_is_the_key_that_is_read_and_its_owner_s_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot.key");
        let sealed = SealingKey::create(&path).unwrap().seal("o", b"v").unwrap();
        assert_eq!(SealingKey::load(&path).unwrap().unwrap().open("o", &sealed).unwrap(), b"v");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(names, [path]);
    }

    #[test]
    fn key_of_another_length_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for length in [0, 31, 33] {
            fs::write(&path, vec![1; length]).unwrap();
            assert!(matches!(SealingKey::load(&path), Err(SnapshotError::Key { .. })), "{length}");
        }
    }
}
