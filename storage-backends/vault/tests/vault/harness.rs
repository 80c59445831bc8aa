//! An engine of one's own in an OpenBao that tests share, and sources that read it over a link that can be cut.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use biplane_core::resources::secret::VaultKv;
use biplane_core::scalars::SecretString;
use biplane_source::conformance::SecretHarness;
use biplane_source::{
    Listing, Phase, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch,
};
use biplane_store_vault::{Address, Auth, VaultOptions, VaultSecrets};
use biplane_testkit::bao::{Hand, Kv, ROOT_TOKEN};
use biplane_testkit::{Bao, FaultProxy, TempDir, eventually};
use futures::StreamExt as _;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

static NAMES: AtomicUsize = AtomicUsize::new(0);

/// An OpenBao that nobody breaks. It ends with the last test that uses it.
struct Server {
    bao: Bao,
    _directory: TempDir,
}

impl Server {
    async fn shared() -> Arc<Self> {
        let mut shared = SERVER.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let directory = TempDir::new("bao");
        let server = Arc::new(Self { bao: Bao::start(&directory).await, _directory: directory });
        *shared = Arc::downgrade(&server);
        server
    }
}

/// One test's link to the shared server.
pub(crate) struct World {
    pub(crate) link: FaultProxy,
    pub(crate) directory: TempDir,
    server: Arc<Server>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = Server::shared().await;
        let link = FaultProxy::http(server.bao.address());
        Self { link, directory: TempDir::new("vault"), server }
    }

    /// The hand that may do everything.
    pub(crate) fn root_address(&self) -> SocketAddr {
        self.server.bao.address()
    }

    /// The hand that may do everything.
    pub(crate) fn root(&self) -> Hand {
        self.server.bao.root()
    }

    /// A key-value engine that nobody else uses.
    pub(crate) async fn kv(&self, version: u8) -> (String, Kv) {
        let mount = unique("kv");
        self.root().mount_kv(&mount, version).await.expect("an engine");
        let kv = if version == 1 { self.root().kv1(&mount) } else { self.root().kv2(&mount) };
        (mount, kv)
    }

    /// Options with the root token, over the link.
    pub(crate) fn options(&self) -> VaultOptions {
        options(self.link.address(), token(ROOT_TOKEN))
    }

    /// A source with the root token, over the link.
    pub(crate) fn source(&self) -> VaultSecrets {
        connect(self.options())
    }

    /// A source that logs in otherwise.
    pub(crate) fn source_with(&self, auth: Auth) -> VaultSecrets {
        connect(options(self.link.address(), auth))
    }

    /// How many requests whose path has this in it came over the link.
    pub(crate) fn requests(&self, part: &str) -> usize {
        self.link.seen().iter().filter(|seen| seen.target.contains(part)).count()
    }

    /// A file with this content.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.join(name);
        replace(&path, content);
        path
    }
}

/// Puts a file in the place of another, as those do who know that it is read meanwhile.
pub(crate) fn replace(path: &Path, content: &str) {
    let aside = path.with_extension("new");
    std::fs::write(&aside, content).expect("the directory is writable");
    std::fs::rename(&aside, path).expect("the directory is writable");
}

/// A name that no other test has.
pub(crate) fn unique(kind: &str) -> String {
    format!("{kind}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn token(secret: &str) -> Auth {
    Auth::Token(SecretString::new(secret))
}

/// Options that do not make tests wait.
pub(crate) fn options(address: SocketAddr, auth: Auth) -> VaultOptions {
    let address = Address::new(&address.to_string(), false).expect("an address");
    let mut options = VaultOptions::new(address, auth);
    options.refresh = Duration::from_secs(1);
    options.timeout = Duration::from_secs(5);
    options.tuning.retry_max = Duration::from_secs(1);
    options.tuning.glance = Duration::from_millis(100);
    options
}

pub(crate) fn connect(options: VaultOptions) -> VaultSecrets {
    VaultSecrets::connect(options).expect("nothing is asked yet")
}

pub(crate) fn kv(mount: &str, path: &str) -> SecretRequest {
    SecretRequest::Kv(VaultKv { mount: Some(mount.into()), path: path.into(), version: None })
}

pub(crate) fn kv_version(mount: &str, path: &str, version: u32) -> SecretRequest {
    SecretRequest::Kv(VaultKv { mount: Some(mount.into()), path: path.into(), version: Some(version) })
}

/// Values as text.
pub(crate) fn shown(secret: &Secret) -> BTreeMap<String, String> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("text");
    secret.fields.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// One value of a secret that is there.
#[track_caller]
pub(crate) fn value(found: &Result<Option<Secret>, SourceError>, name: &str) -> String {
    let secret = found.as_ref().expect("it can be read").as_ref().expect("it is there");
    shown(secret)[name].clone()
}

/// A watch that is read with patience.
pub(crate) struct Reader {
    watch: Watch<Option<Secret>>,
}

impl Reader {
    pub(crate) fn new(source: &VaultSecrets, request: &SecretRequest) -> Self {
        Self { watch: source.watch(request, SecretOptions::default()) }
    }

    /// With what an earlier run knew.
    pub(crate) fn knowing(source: &VaultSecrets, request: &SecretRequest, known: Secret) -> Self {
        Self { watch: source.watch(request, SecretOptions { refresh: None, known: Some(known) }) }
    }

    /// What is told next.
    pub(crate) async fn next(&mut self) -> Listing<Option<Secret>> {
        timeout(PATIENCE, self.watch.next())
            .await
            .expect("something is told in time")
            .expect("it does not end")
    }

    /// The values that are told next.
    pub(crate) async fn values(&mut self) -> BTreeMap<String, String> {
        shown(&self.secret().await)
    }

    /// The values that are told next, after failures.
    pub(crate) async fn values_in_the_end(&mut self) -> BTreeMap<String, String> {
        loop {
            match self.next().await {
                Listing::Failed(_) => {}
                Listing::Complete(Some(secret)) => return shown(&secret),
                Listing::Complete(None) => panic!("a secret is there, and was told to be absent"),
            }
        }
    }

    /// The secret that is told next.
    pub(crate) async fn secret(&mut self) -> Secret {
        match self.next().await {
            Listing::Complete(Some(secret)) => secret,
            told => panic!("a secret is there, and this was told: {told:?}"),
        }
    }

    /// The failure that is told next.
    pub(crate) async fn failure(&mut self) -> SourceError {
        match self.next().await {
            Listing::Failed(error) => error,
            told @ Listing::Complete(_) => panic!("it cannot be read, and this was told: {told:?}"),
        }
    }

    /// Nothing is told for this long.
    pub(crate) async fn silence(&mut self, time: Duration) {
        let told = timeout(time, self.watch.next()).await;
        assert!(told.is_err(), "nothing has changed, and this was told: {told:?}");
    }
}

/// The state, once it is so.
pub(crate) async fn state(
    source: &VaultSecrets,
    what: &str,
    is_so: impl Fn(&SourceState) -> bool,
) -> SourceState {
    eventually(what, PATIENCE, async || {
        let state = source.state().borrow().clone();
        ensure!(is_so(&state), "{state:?}");
        Ok(state)
    })
    .await
}

/// The state of a source that cannot log in.
pub(crate) async fn failed(source: &VaultSecrets) -> SourceError {
    let state = state(source, "a failure", |state| state.phase == Phase::Failed).await;
    state.last_error.expect("a failure has an error")
}

/// An error as people see it.
pub(crate) fn told(error: &SourceError) -> String {
    format!("{} | {}", error.message, error.hint.as_deref().unwrap_or_default())
}

/// Whether nothing secret is in what would be printed.
#[track_caller]
pub(crate) fn assert_silent(printed: &impl Debug, secret: &str) {
    let text = format!("{printed:?} {printed:#?}");
    assert!(!text.contains(secret), "a secret shows: {text}");
}

/// A place of the shared server's, for the rules that every source has to pass.
pub(crate) struct Shelf {
    world: World,
    source: VaultSecrets,
    mount: String,
    kv: Kv,
}

/// Where the suite's secret is.
const SHELF: &str = "team/web secret";

impl Shelf {
    pub(crate) async fn new(version: u8) -> Self {
        let world = World::new().await;
        let (mount, kv) = world.kv(version).await;
        let source = world.source();
        Self { world, source, mount, kv }
    }
}

#[async_trait]
impl SecretHarness for Shelf {
    fn source(&self) -> Arc<dyn SecretSource> {
        Arc::new(self.source.clone())
    }

    fn request(&self) -> SecretRequest {
        kv(&self.mount, SHELF)
    }

    fn foreign_request(&self) -> Option<SecretRequest> {
        Some(SecretRequest::Path("tls.crt".to_owned()))
    }

    async fn set(&self, fields: &[(&str, &str)]) {
        let fields: Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        self.kv.write(SHELF, &fields.into()).await.expect("a write");
    }

    async fn delete(&self) {
        self.kv.delete(SHELF).await.expect("a deletion");
    }

    async fn take_away(&self) {
        self.world.link.cut();
    }

    async fn give_back(&self) {
        self.world.link.heal();
    }

    fn requests(&self) -> Option<usize> {
        Some(self.world.requests("web%20secret"))
    }
}
