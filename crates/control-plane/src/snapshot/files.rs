//! The directory that holds the editions: `snapshot-<number>`, the highest the newest, and the sealing
//! key `snapshot.key` unless it is kept elsewhere. What else is secret and has to survive a restart lies beside them,
//! sealed with the same key.
//!
//! Nothing is held open or in memory: the directory and the key are found again for each reading and
//! each writing, so that a disk which comes back late is used from then on.
//!
//! Invariants: a key is made only where no edition exists that another key may have sealed. Only
//! editions of this store, by name or by mark, that this key opens count as ours and are rotated; the others stay until a
//! person removes them. Only one process at a time writes here ([`Claim`]).

use std::fs::{self, DirBuilder, File};
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use biplane_store::StoredObject;
use tracing::{error, warn};
use zeroize::Zeroizing;

use super::claim::Claim;
use super::format::Fault;
use super::last_run::{LastRun, Sources};
use super::seal::SealingKey;
use super::{SnapshotError, durable, format};
use crate::discovery::KeptEndpoints;
use crate::secrets::KeptSecret;

/// Editions that stay on disk: the newest, and two to fall back on.
const KEPT: usize = 3;
const PREFIX: &str = "snapshot-";

/// Where editions are kept.
#[derive(Debug)]
pub struct SnapshotDirectory {
    path: PathBuf,
    store: String,
    key_file: Option<PathBuf>,
    /// Whether a mark tells the store from any other, however its address is spelled.
    marked: bool,
    claim: Claim,
    /// Held while a key is looked for and made: of two that are made at a time one is lost, with what it has sealed.
    making: Mutex<()>,
}

impl SnapshotDirectory {
    /// The directory for editions of `store`, with the sealing key in `key_file`; default: a file
    /// `snapshot.key` in the directory. Changes nothing on disk: the directory and the default key are
    /// made by the first write. An error says that editions could be neither read nor written, and is
    /// no reason not to serve.
    pub fn open(path: &Path, store: &str, key_file: Option<&Path>) -> Result<Self, SnapshotError> {
        let key_file = key_file.map(Path::to_owned);
        let claim = Claim::default();
        let (path, store) = (path.to_owned(), store.to_owned());
        let directory = Self { path, store, key_file, marked: false, claim, making: Mutex::default() };
        directory.key()?;
        Ok(directory)
    }

    /// The same of a store that a mark tells from any other: where there is no edition of its name, one will do
    /// of the same kind of store with the same root, which may have been reached by other members. Whether it is
    /// the same store is known when that has been read.
    #[must_use]
    pub const fn marked(mut self, marked: bool) -> Self {
        self.marked = marked;
        self
    }

    /// Takes the directory for this process, for as long as this value lives. [`SnapshotError::InUse`] says
    /// that another process has it; where the directory cannot be made now the first write tries again.
    pub fn claim(&self) -> Result<(), SnapshotError> {
        self.make()?;
        self.claim.take(&self.path)
    }

    /// The newest edition that verifies; nothing where there is no such edition.
    pub fn load(&self) -> LastRun {
        self.newest().unwrap_or_else(|error| {
            error!(%error, "the last good configuration cannot be read");
            LastRun::default()
        })
    }

    fn newest(&self) -> Result<LastRun, SnapshotError> {
        let Some(key) = self.key()? else { return Ok(LastRun::default()) };
        let editions = self.editions()?;
        for (_, path) in editions.iter().rev() {
            match Self::read(path, &key, |name, _| name == self.store) {
                Ok(edition) => return Ok(edition),
                Err(error) => warn!(%error, "snapshot passed over"),
            }
        }
        let candidates = editions.iter().rev().filter(|_| self.marked);
        let mut moved = candidates.filter_map(|(_, path)| {
            Self::read(path, &key, |name, sources| self.may_be_ours(name, sources)).ok()
        });
        Ok(moved.next().unwrap_or_default())
    }

    /// Whether it may be an edition of the same store under another spelling of its address.
    fn may_be_ours(&self, name: &str, sources: &Sources) -> bool {
        let has_identity = sources.values().any(|source| source.identity.is_some());
        has_identity && kind_and_root(name) == kind_and_root(&self.store)
    }

    fn read(
        path: &Path,
        key: &SealingKey,
        is_ours: impl FnOnce(&str, &Sources) -> bool,
    ) -> Result<LastRun, SnapshotError> {
        let read = File::open(path)
            .map_err(Fault::Io)
            .and_then(|file| format::read(BufReader::new(file), is_ours, key));
        read.map_err(|fault| match fault {
            Fault::Io(source) => SnapshotError::io(format!("reading {}", path.display()))(source),
            Fault::Invalid(why) => SnapshotError::Invalid { path: path.display().to_string(), why },
        })
    }

    /// Writes a new edition and drops the oldest of ours.
    pub fn write<'a>(
        &self,
        sources: &Sources,
        objects: impl Iterator<Item = &'a StoredObject>,
        (secrets, endpoints): (&[KeptSecret], &[KeptEndpoints]),
    ) -> Result<(), SnapshotError> {
        self.claim()?;
        let key = self.key_or_new()?;
        let editions = self.editions()?;
        let number = editions.last().map_or(1, |(number, _)| number + 1);
        let path = self.path.join(format!("{PREFIX}{number:010}"));
        let temporary = self.path.join("snapshot.tmp");
        durable::write(&path, &temporary, |out| {
            format::write(out, sources, objects, (secrets, endpoints), &self.store, &key)
        })?;
        let identity = sources.get(&self.store).and_then(|source| source.identity.as_deref());
        self.rotate(editions, &key, identity.filter(|_| self.marked));
        Ok(())
    }

    /// Keeps a text beside the editions, sealed for this name.
    pub(crate) fn keep(&self, name: &str, text: &[u8]) -> Result<(), SnapshotError> {
        self.claim()?;
        let path = self.path.join(name);
        let sealed = self.key_or_new()?.seal(name, text);
        let sealed = sealed.ok_or_else(|| SnapshotError::key(&path, "the system gives no randomness"))?;
        durable::write(&path, &path.with_extension("tmp"), |out| out.write_all(&sealed))
    }

    /// What was kept under this name; nothing where there is none that this key opens.
    pub(crate) fn kept(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SnapshotError> {
        let Some(key) = self.key()? else { return Ok(None) };
        let path = self.path.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => {
                let sealed = read.map_err(SnapshotError::io(format!("reading {}", path.display())))?;
                Ok(key.open(name, &sealed).map(Zeroizing::new))
            }
        }
    }

    fn make(&self) -> Result<(), SnapshotError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(SnapshotError::io(format!("creating {}", self.path.display())))
    }

    /// Makes room for the edition that was just written behind `editions`. One that cannot be removed
    /// is tried again after the next write.
    fn rotate(&self, editions: Vec<(u64, PathBuf)>, key: &SealingKey, identity: Option<&str>) {
        let paths = editions.into_iter().map(|(_, path)| path);
        let mut ours: Vec<_> = paths.filter(|path| self.is_ours(path, key, identity)).collect();
        ours.truncate((ours.len() + 1).saturating_sub(KEPT));
        for old in ours {
            if let Err(error) = fs::remove_file(&old) {
                warn!(%error, path = %old.display(), "an old snapshot stays");
            }
        }
    }

    /// Whether it is of this store, by its name or by the mark that was read.
    fn is_ours(&self, path: &Path, key: &SealingKey, identity: Option<&str>) -> bool {
        let is_marked_so =
            |sources: &Sources| sources.values().any(|source| source.identity.as_deref() == identity);
        let is_ours =
            |name: &str, sources: &Sources| name == self.store || identity.is_some() && is_marked_so(sources);
        File::open(path).is_ok_and(|file| format::opens(BufReader::new(file), is_ours, key))
    }

    fn own_key(&self) -> PathBuf {
        self.path.join("snapshot.key")
    }

    /// The sealing key, which is made where there is none yet.
    fn key_or_new(&self) -> Result<SealingKey, SnapshotError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.key()?.map_or_else(|| SealingKey::create(&self.own_key()), Ok)
    }

    /// The sealing key; none where the first write has yet to make it.
    fn key(&self) -> Result<Option<SealingKey>, SnapshotError> {
        if let Some(path) = &self.key_file {
            let missing = || SnapshotError::key(path, "there is no such file");
            return SealingKey::load(path)?.ok_or_else(missing).map(Some);
        }
        let key = SealingKey::load(&self.own_key())?;
        if key.is_none() && !self.editions()?.is_empty() {
            return Err(SnapshotError::key(&self.own_key(), LOST));
        }
        Ok(key)
    }

    /// All editions, the oldest first; none where there is no directory yet.
    fn editions(&self) -> Result<Vec<(u64, PathBuf)>, SnapshotError> {
        let failed = || SnapshotError::io(format!("listing {}", self.path.display()));
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed())?,
        };
        let mut editions = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            editions.extend(number(&entry.file_name()).map(|number| (number, entry.path())));
        }
        editions.sort_unstable();
        Ok(editions)
    }
}

const LOST: &str = "it is missing, but snapshots sealed with it are there; \
     hint: put it back, or move the snapshot-* files away to start with a new key";

/// What is left of a store's name without who answers for it and whether that is encrypted.
fn kind_and_root(name: &str) -> Option<(&str, &str)> {
    let (scheme, place) = name.split_once("://")?;
    Some((scheme.trim_end_matches('s'), place.find('/').map_or("", |root| &place[root..])))
}

fn number(name: &std::ffi::OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests;
