//! A root of its own in a Consul that tests share, a store of it behind a link that can break, and the hand that
//! writes past the store.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use biplane_consul_client::{Address, Settings};
use biplane_core::key::ObjectKey;
use biplane_store::conformance::{Follower, Harness, document, key};
use biplane_store::manifest::Manifest;
use biplane_store::sentinel::Sentinel;
use biplane_store::{Fence, Store, layout};
use biplane_store_consul::{ConsulOptions, ConsulStore, Tuning};
use biplane_testkit::{Consul, FaultProxy, TempDir};
use bytes::Bytes;
use tokio::sync::Mutex;

/// The Consul that lives as long as a test does that uses it.
static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

/// How many roots there have been.
static ROOTS: AtomicUsize = AtomicUsize::new(0);

/// More listings than a store remembers.
const FORGOTTEN: usize = 5;

/// A Consul and its directory.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) consul: Consul,
    _directory: TempDir,
}

/// A marked root.
#[derive(Debug)]
pub(crate) struct Marked {
    pub(crate) server: Arc<Server>,
    pub(crate) proxy: FaultProxy,
    pub(crate) root: String,
    tuning: Tuning,
    store: Arc<dyn Store>,
}

/// The Consul that tests share.
pub(crate) async fn shared() -> Arc<Server> {
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let directory = TempDir::new("store-consul");
    let consul = Consul::start(&directory).await;
    let server = Arc::new(Server { consul, _directory: directory });
    *shared = Arc::downgrade(&server);
    server
}

/// Quick enough for tests.
pub(crate) fn tuning() -> Tuning {
    Tuning { probe: Duration::from_secs(2), lock_delay: Duration::ZERO, ..Tuning::default() }
}

/// The options of a store at this address.
pub(crate) fn options(address: SocketAddr, root: &str) -> ConsulOptions {
    let address = Address::Tcp { host: address.ip().to_string(), port: address.port(), tls: false };
    ConsulOptions::new(Settings { address, ..Settings::default() }).root(root).tuning(tuning())
}

/// A store with these options.
pub(crate) fn connect(options: ConsulOptions) -> Arc<dyn Store> {
    Arc::new(ConsulStore::connect(options).expect("good options"))
}

/// A root that nobody has used.
pub(crate) fn fresh_root() -> String {
    format!("tests/{}", ROOTS.fetch_add(1, Ordering::Relaxed))
}

impl Marked {
    /// Watched as one, while it is small.
    pub(crate) async fn new() -> Self {
        Self::tuned(tuning()).await
    }

    /// Watched in parts, however small it is.
    pub(crate) async fn in_parts() -> Self {
        Self::tuned(Tuning { whole_bytes: 0, ..tuning() }).await
    }

    pub(crate) async fn tuned(tuning: Tuning) -> Self {
        let server = shared().await;
        let proxy = FaultProxy::start(server.consul.address());
        let root = fresh_root();
        let mark = Sentinel::new().encode();
        server.consul.kv_put(&format!("{root}/config/_store"), mark).await.expect("a write");
        let store = connect(options(proxy.address(), &root).tuning(tuning.clone()));
        Self { server, proxy, root, tuning, store }
    }

    pub(crate) fn raw(&self, key: &ObjectKey) -> String {
        self.config(&layout::format_key(key))
    }

    pub(crate) fn config(&self, below: &str) -> String {
        format!("{}/config/{below}", self.root)
    }

    pub(crate) async fn put(&self, below: &str, value: impl Into<Bytes>) {
        self.server.consul.kv_put(&self.config(below), value).await.expect("a write");
    }

    pub(crate) async fn delete(&self, below: &str) {
        self.server.consul.kv_delete(&self.config(below)).await.expect("a deletion");
    }

    pub(crate) async fn put_service(&self, name: &str, note: &str) {
        self.write(vec![(key(name), document(&key(name), note))]).await;
    }

    pub(crate) async fn follow(&self) -> Follower {
        Follower::start(&self.store).await
    }
}

#[async_trait]
impl Harness for Marked {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn replica(&self) -> Arc<dyn Store> {
        connect(options(self.server.consul.address(), &self.root).tuning(self.tuning.clone()))
    }

    async fn write(&self, objects: Vec<(ObjectKey, Bytes)>) {
        if let [(key, value)] = &objects[..] {
            self.server.consul.kv_put(&self.raw(key), value.clone()).await.expect("a write");
            return;
        }
        let text = |value: Bytes| String::from_utf8(value.into()).expect("documents are text");
        let entries: Vec<_> = objects.into_iter().map(|(key, value)| (self.raw(&key), text(value))).collect();
        self.server.consul.kv_put_many(&entries).await.expect("a transaction");
    }

    async fn try_write(&self, key: ObjectKey, value: Bytes) -> bool {
        self.server.consul.kv_put(&self.raw(&key), value).await.is_ok()
    }

    async fn remove(&self, key: ObjectKey) {
        self.server.consul.kv_delete(&self.raw(&key)).await.expect("a deletion");
    }

    async fn write_broken(&self) {
        self.put("VirtualServise/default/typo", "kind: VirtualServise").await;
    }

    async fn remove_broken(&self) {
        self.delete("VirtualServise/default/typo").await;
    }

    async fn take_away(&self) {
        self.proxy.cut();
    }

    async fn give_back(&self) {
        self.proxy.heal();
    }

    async fn lose_history(&self) {
        for n in 0..FORGOTTEN {
            self.put("Upstream/default/history", format!("kind: Upstream # {n}")).await;
            self.store.list().await.expect("the store lists");
        }
        self.delete("Upstream/default/history").await;
    }

    async fn unmark(&self) {
        self.delete(layout::SENTINEL).await;
    }

    async fn wipe(&self) {
        self.server.consul.kv_delete_prefix(&self.config("")).await.expect("a deletion");
    }

    async fn leave_batch_open(&self, manifest: Manifest) {
        self.put(layout::MANIFEST, manifest.encode()).await;
    }

    async fn expire_seat(&self, fence: &Fence) {
        let path = format!("/v1/session/destroy/{}", fence.holder);
        self.server.consul.call(http::Method::PUT, &path, "").await.expect("the session's end");
    }
}
