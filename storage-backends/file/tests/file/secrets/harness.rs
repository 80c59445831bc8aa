//! A directory of secrets, a source of it, and what its watches tell.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::resources::secret::VaultKv;
use biplane_source::conformance::SecretHarness;
use biplane_source::{
    Listing, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch,
};
use biplane_store_file::{FileSecretOptions, FileSecrets};
use futures::StreamExt as _;
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source of `<temporary>/root`, and something beside it.
pub(crate) struct Secrets {
    pub(crate) root: PathBuf,
    pub(crate) aside: PathBuf,
    pub(crate) source: FileSecrets,
    count: AtomicUsize,
    _directory: TempDir,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let base = directory.path().canonicalize().expect("it exists");
        let (root, aside) = (base.join("root"), base.join("aside"));
        fs::create_dir(&root).expect("create");
        fs::create_dir(&aside).expect("create");
        let source = open(&root);
        Self { root, aside, source, count: AtomicUsize::new(0), _directory: directory }
    }

    /// A path below the root.
    pub(crate) fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A name that was not given before, outside the root and on the same file system.
    pub(crate) fn fresh(&self) -> PathBuf {
        self.aside.join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Writes files in place.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.at(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("create");
            fs::write(path, content).expect("write");
        }
    }

    /// Points a link elsewhere in one step, as `ln -sfn` and deployment tools do.
    pub(crate) fn swing(&self, link: &Path, target: impl AsRef<Path>) {
        let beside = self.fresh();
        symlink(target, &beside).expect("link");
        fs::rename(beside, link).expect("rename");
    }

    pub(crate) fn watch(&self, path: &str) -> Follower {
        Follower::of(&self.source, path)
    }

    pub(crate) async fn read(&self, path: &str) -> Result<Option<Secret>, SourceError> {
        self.source.read(&SecretRequest::Path(path.to_owned())).await
    }

    /// The values at a path that can be read.
    pub(crate) async fn values(&self, path: &str) -> BTreeMap<String, String> {
        values(&self.read(path).await.expect("it can be read").expect("it is there"))
    }
}

pub(crate) fn open(root: &Path) -> FileSecrets {
    FileSecrets::open(FileSecretOptions::new(root))
}

/// A watch and everything that it has told.
pub(crate) struct Follower {
    watch: Watch<Option<Secret>>,
    pub(crate) told: Vec<Listing<Option<Secret>>>,
}

impl Follower {
    pub(crate) fn of(source: &FileSecrets, path: &str) -> Self {
        let watch = source.watch(&SecretRequest::Path(path.to_owned()), SecretOptions::default());
        Self { watch, told: Vec::new() }
    }

    pub(crate) async fn next(&mut self) -> Listing<Option<Secret>> {
        let told = timeout(PATIENCE, self.watch.next()).await;
        let told = told.expect("something is told in time").expect("a watch does not end");
        self.told.push(told.clone());
        told
    }

    /// What is told next has to be these values.
    #[track_caller]
    pub(crate) fn expect<'a>(&'a mut self, expected: &'a [(&str, &str)]) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            match self.next().await {
                Listing::Complete(Some(secret)) => {
                    assert_eq!(values(&secret), owned(expected), "expected at {caller}");
                }
                told => panic!("at {caller}: {expected:?} is there, and this was told: {told:?}"),
            }
        }
    }

    /// What is told next has to be a failure, which is returned with its hint.
    pub(crate) async fn failure(&mut self) -> SourceError {
        match self.next().await {
            Listing::Failed(error) => {
                assert!(error.hint.is_some(), "a failure without a hint: {error:?}");
                error
            }
            told @ Listing::Complete(_) => panic!("it cannot be read, and this was told: {told:?}"),
        }
    }
}

pub(crate) fn values(secret: &Secret) -> BTreeMap<String, String> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("tests write text");
    secret.fields.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

pub(crate) fn owned(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Waits until the state is as said.
pub(crate) async fn until_state(
    source: &FileSecrets,
    holds: impl FnMut(&SourceState) -> bool,
) -> SourceState {
    let mut state = source.state();
    let found = timeout(PATIENCE, state.wait_for(holds)).await;
    let found = found.map(|state| state.expect("a source keeps its state").clone());
    found.unwrap_or_else(|_| panic!("the state stays as it is: {:?}", source.state().borrow()))
}

#[async_trait]
impl SecretHarness for Secrets {
    fn source(&self) -> Arc<dyn SecretSource> {
        Arc::new(self.source.clone())
    }

    fn request(&self) -> SecretRequest {
        SecretRequest::Path("web".to_owned())
    }

    fn foreign_request(&self) -> Option<SecretRequest> {
        Some(SecretRequest::Kv(VaultKv { path: "web".to_owned(), ..VaultKv::default() }))
    }

    /// As somebody does who writes all files of a new version beside, and swaps the directories.
    async fn set(&self, fields: &[(&str, &str)]) {
        let root = if self.root.exists() { &self.root } else { &self.aside.join("away") };
        let beside = self.fresh();
        fs::create_dir(&beside).expect("create");
        for (name, value) in fields {
            fs::write(beside.join(name), value).expect("write");
        }
        if root.join("web").exists() {
            fs::rename(root.join("web"), self.fresh()).expect("rename");
        }
        fs::rename(beside, root.join("web")).expect("rename");
    }

    async fn delete(&self) {
        fs::remove_dir_all(self.at("web")).expect("remove");
    }

    async fn take_away(&self) {
        fs::rename(&self.root, self.aside.join("away")).expect("rename");
    }

    async fn give_back(&self) {
        fs::rename(self.aside.join("away"), &self.root).expect("rename");
    }
}
