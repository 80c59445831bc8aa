//! A root in an etcd that tests take turns at, a store of it behind a link that can be cut, and etcdctl.
//!
//! A test has its etcd to itself while it runs: revisions and compactions reach into every root. The servers
//! end with the last test that uses one of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use biplane_core::key::ObjectKey;
use biplane_store::Store;
use biplane_store::conformance::{Harness, document, key};
use biplane_store::manifest::Manifest;
use biplane_store::sentinel::Sentinel;
use biplane_store::{Fence, layout};
use biplane_store_etcd::{EtcdOptions, EtcdStore};
use biplane_testkit::etcd::Builder;
use biplane_testkit::{Etcd, FaultProxy, TempDir};
use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};

static SERVERS: Mutex<Weak<Servers>> = Mutex::const_new(Weak::new());

static ROOTS: AtomicUsize = AtomicUsize::new(0);

/// All that were started so far: as many as tests run at once.
#[derive(Default)]
struct Servers {
    all: Mutex<Vec<Server>>,
}

#[derive(Clone)]
struct Server {
    etcd: Arc<Etcd>,
    turn: Arc<Mutex<()>>,
    _directory: Arc<TempDir>,
}

/// One test's root in an etcd.
pub(crate) struct Shared {
    pub(crate) root: String,
    pub(crate) link: FaultProxy,
    pub(crate) store: EtcdStore,
    server: Server,
    _turn: OwnedMutexGuard<()>,
    _servers: Arc<Servers>,
}

impl Servers {
    async fn shared() -> Arc<Self> {
        let mut shared = SERVERS.lock().await;
        let servers = shared.upgrade().unwrap_or_default();
        *shared = Arc::downgrade(&servers);
        servers
    }

    /// One that nobody uses.
    async fn take(&self) -> (Server, OwnedMutexGuard<()>) {
        let mut all = self.all.lock().await;
        let idle = |server: &Server| Some((server.clone(), server.turn.clone().try_lock_owned().ok()?));
        if let Some(idle) = all.iter().find_map(idle) {
            return idle;
        }
        let directory = TempDir::new("etcd");
        let etcd = Arc::new(Etcd::start(&directory).await);
        let server = Server { etcd, turn: Arc::default(), _directory: Arc::new(directory) };
        all.push(server.clone());
        let turn = server.turn.clone().lock_owned().await;
        (server, turn)
    }
}

impl Shared {
    /// A store that is marked and empty.
    pub(crate) async fn new() -> Self {
        let servers = Servers::shared().await;
        let (server, turn) = servers.take().await;
        let root = format!("test-{}/root", ROOTS.fetch_add(1, Ordering::Relaxed));
        mark(&server.etcd, &root).await;
        let link = FaultProxy::start(server.etcd.address(0));
        let store = connect(options(&link, &root));
        Self { root, link, store, server, _turn: turn, _servers: servers }
    }

    pub(crate) fn etcd(&self) -> &Etcd {
        &self.server.etcd
    }

    /// The store's options.
    pub(crate) fn options(&self) -> EtcdOptions {
        options(&self.link, &self.root)
    }

    /// A key below `config/`.
    pub(crate) fn at(&self, below: &str) -> String {
        format!("{}/config/{below}", self.root)
    }
}

/// Marks a root as a store.
pub(crate) async fn mark(etcd: &Etcd, root: &str) {
    let sentinel = text(&Sentinel::new().encode());
    etcd.put(&format!("{root}/config/{}", layout::SENTINEL), &sentinel).await.expect("written");
}

pub(crate) fn options(link: &FaultProxy, root: &str) -> EtcdOptions {
    EtcdOptions::new([format!("http://{}", link.address())]).root(root)
}

pub(crate) fn connect(options: EtcdOptions) -> EtcdStore {
    EtcdStore::connect(options).expect("valid options")
}

pub(crate) fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_vec()).expect("text")
}

#[async_trait]
impl Harness for Shared {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn replica(&self) -> Arc<dyn Store> {
        Arc::new(connect(self.options()))
    }

    async fn write(&self, objects: Vec<(ObjectKey, Bytes)>) {
        let entry = |(key, value): &(ObjectKey, Bytes)| (self.at(&layout::format_key(key)), text(value));
        let entries: Vec<_> = objects.iter().map(entry).collect();
        match &entries[..] {
            [(key, value)] => self.etcd().put(key, value).await,
            many => self.etcd().put_many(many).await,
        }
        .expect("written");
    }

    async fn remove(&self, key: ObjectKey) {
        let was_there = self.etcd().delete(&self.at(&layout::format_key(&key))).await.expect("deleted");
        assert!(was_there, "{key} was written");
    }

    async fn write_broken(&self) {
        let key = self.at("VirtualServise/default/typo");
        self.etcd().put(&key, "kind: VirtualServise").await.expect("written");
    }

    async fn remove_broken(&self) {
        self.etcd().delete(&self.at("VirtualServise/default/typo")).await.expect("deleted");
    }

    async fn take_away(&self) {
        self.link.cut();
    }

    async fn give_back(&self) {
        self.link.heal();
    }

    async fn lose_history(&self) {
        // The newest revision itself survives a compaction.
        self.etcd().put("beside", "1").await.expect("written");
        self.etcd().compact_to_head().await.expect("compacted");
    }

    async fn unmark(&self) {
        self.etcd().delete(&self.at(layout::SENTINEL)).await.expect("deleted");
    }

    async fn wipe(&self) {
        self.etcd().delete_prefix(&self.at("")).await.expect("deleted");
    }

    async fn leave_batch_open(&self, manifest: Manifest) {
        let value = text(&manifest.encode());
        self.etcd().put(&self.at(layout::MANIFEST), &value).await.expect("written");
    }

    async fn expire_seat(&self, fence: &Fence) {
        let revoked = self.etcd().ctl(["lease", "revoke", &fence.holder]).await;
        revoked.success().expect("the lease was held");
    }
}

/// An etcd of one test's own, and a root in it.
pub(crate) struct Own {
    pub(crate) etcd: Etcd,
    pub(crate) directory: TempDir,
}

/// The root of a store in an etcd of its own.
pub(crate) const ROOT: &str = "biplane";

impl Own {
    /// Starts it and marks the root.
    pub(crate) async fn start(builder: Builder) -> Self {
        let directory = TempDir::new("etcd");
        let etcd = builder.start(&directory).await;
        mark(&etcd, ROOT).await;
        Self { etcd, directory }
    }

    /// The options of a store at all members.
    pub(crate) fn options(&self) -> EtcdOptions {
        EtcdOptions::new(self.etcd.endpoints()).root(ROOT)
    }

    /// A store at all members.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(connect(self.options()))
    }

    /// Writes a virtual service as users do.
    pub(crate) async fn put(&self, name: &str, note: &str) {
        put(&self.etcd, ROOT, name, note).await;
    }
}

/// Writes a virtual service as users do.
pub(crate) async fn put(etcd: &Etcd, root: &str, name: &str, note: &str) {
    let (path, value) = service(root, name, note);
    etcd.put(&path, &value).await.expect("written");
}

/// The key and the text of a virtual service.
pub(crate) fn service(root: &str, name: &str, note: &str) -> (String, String) {
    let key = key(name);
    (format!("{root}/config/{}", layout::format_key(&key)), text(&document(&key, note)))
}

/// The names of all objects.
pub(crate) async fn names(store: &Arc<dyn Store>) -> Vec<String> {
    let listing = store.list().await.expect("the store lists");
    listing.items.into_iter().map(|object| object.key.name).collect()
}
