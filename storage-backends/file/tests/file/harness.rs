//! A directory, a store of it, and the means by which people change files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use biplane_store::conformance::{Follower, Harness, document, key};
use biplane_store::{Change, Store};
use biplane_store_file::{FileOptions, FileStore};
use bytes::Bytes;
use tempfile::TempDir;

/// So few changes are remembered that a test can have them forgotten.
const HISTORY: usize = 16;

/// The same where large batches are written.
const HISTORY_OF_BATCHES: usize = 1024;

/// A store of `<temporary>/root`.
pub(crate) struct Files {
    pub(crate) root: PathBuf,
    pub(crate) store: Arc<dyn Store>,
    writable: Option<PathBuf>,
    aside: PathBuf,
    paths: Mutex<BTreeMap<ObjectKey, PathBuf>>,
    count: AtomicUsize,
    _directory: TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// A store that may write below its root, in `managed`.
    pub(crate) fn managed() -> Self {
        Self::with(Some("managed".into()))
    }

    fn with(writable: Option<PathBuf>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let base = directory.path().canonicalize().expect("it exists");
        let (root, aside) = (base.join("root"), base.join("aside"));
        fs::create_dir(&root).expect("create");
        fs::create_dir(&aside).expect("create");
        let store = open_with(&root, writable.clone());
        Self {
            root,
            store,
            writable,
            aside,
            paths: Mutex::default(),
            count: AtomicUsize::new(0),
            _directory: directory,
        }
    }

    /// A path below the root.
    pub(crate) fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path outside the root, on the same file system.
    pub(crate) fn aside(&self, relative: &str) -> PathBuf {
        self.aside.join(relative)
    }

    /// Saves as well-behaved tools do.
    pub(crate) fn save(&self, relative: &str, content: impl AsRef<[u8]>) {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let beside = self.aside.join(format!("{n}.tmp"));
        fs::write(&beside, content).expect("write");
        let target = self.at(relative);
        fs::create_dir_all(target.parent().expect("below the root")).expect("create");
        fs::rename(beside, target).expect("rename");
    }

    pub(crate) async fn follow(&self) -> Follower {
        Follower::start(&self.store).await
    }

    fn path_of(&self, key: &ObjectKey, directory: &str) -> PathBuf {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let fresh = || self.root.join(directory).join(format!("o{n}.yaml"));
        self.paths.lock().expect("no panic").entry(key.clone()).or_insert_with(fresh).clone()
    }
}

/// A store of the directory or file.
pub(crate) fn open(root: &Path) -> Arc<dyn Store> {
    open_with(root, None)
}

fn open_with(root: &Path, writable: Option<PathBuf>) -> Arc<dyn Store> {
    let history = if writable.is_some() { HISTORY_OF_BATCHES } else { HISTORY };
    let options = FileOptions { history, writable, ..FileOptions::new(root) };
    Arc::new(FileStore::new(options).expect("a path"))
}

/// A virtual service's document.
pub(crate) fn service(name: &str, note: &str) -> Bytes {
    document(&key(name), note)
}

/// The documents of a file.
pub(crate) fn documents(services: &[(&str, &str)]) -> String {
    let texts =
        services.iter().map(|(name, note)| String::from_utf8(service(name, note).into()).expect("text"));
    texts.collect::<Vec<_>>().join("---\n")
}

/// Waits until everything that was done to the files before is told: a marker comes last.
pub(crate) async fn settle(files: &Files, follower: &mut Follower) {
    let n = files.count.fetch_add(1, Ordering::Relaxed);
    let note = format!("marker {n}");
    files.save("zz-marker.yaml", service("zz-marker", &note));
    follower.until_note(&key("zz-marker"), &note).await;
}

/// What was told of an object, the marker's own events left out: `Some(value)` or `None` for each change.
pub(crate) fn told_of(follower: &Follower, name: &str) -> Vec<Option<Bytes>> {
    let changes =
        follower.told.iter().flat_map(|told| &told.changes).filter(|change| *change.key() == key(name));
    changes
        .map(|change| match change {
            Change::Put(object) => Some(object.value.clone()),
            Change::Deleted(_) => None,
        })
        .collect()
}

/// How many times something other than the marker was told.
pub(crate) fn publishes(follower: &Follower) -> usize {
    let matters = |change: &Change| *change.key() != key("zz-marker");
    follower.told.iter().filter(|told| told.changes.iter().any(matters)).count()
}

#[async_trait]
impl Harness for Files {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn replica(&self) -> Arc<dyn Store> {
        open_with(&self.root, self.writable.clone())
    }

    async fn write(&self, objects: Vec<(ObjectKey, Bytes)>) {
        if let [(key, value)] = &objects[..] {
            let path = self.path_of(key, "");
            self.save(path.strip_prefix(&self.root).expect("below").to_str().expect("text"), value);
            return;
        }
        let batch = format!("batch-{}", self.count.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(self.aside(&batch)).expect("create");
        for (key, value) in &objects {
            let path = self.path_of(key, &batch);
            fs::write(self.aside(&batch).join(path.file_name().expect("a name")), value).expect("write");
        }
        fs::rename(self.aside(&batch), self.at(&batch)).expect("rename");
    }

    async fn remove(&self, key: ObjectKey) {
        let path = self.paths.lock().expect("no panic").remove(&key).expect("it was written");
        fs::remove_file(path).expect("remove");
    }

    async fn write_broken(&self) {
        self.save("broken.yaml", "kind: VirtualServise\nmetadata: {name: typo}\n");
    }

    async fn remove_broken(&self) {
        fs::remove_file(self.at("broken.yaml")).expect("remove");
    }

    async fn take_away(&self) {
        fs::rename(&self.root, self.aside("away")).expect("rename");
    }

    async fn give_back(&self) {
        fs::rename(self.aside("away"), &self.root).expect("rename");
    }

    async fn lose_history(&self) {
        let history = if self.writable.is_some() { HISTORY_OF_BATCHES } else { HISTORY };
        for n in 0..=history {
            self.save("history.yaml", service("history", &n.to_string()));
            self.store.list().await.expect("the root is there");
        }
        fs::remove_file(self.at("history.yaml")).expect("remove");
        self.store.list().await.expect("the root is there");
    }
}
