//! Services with names of their own in a Consul that tests share, a source behind a link that can break, and the hand
//! that registers past the source.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use biplane_consul_catalog::{CatalogOptions, ConsulCatalog, Tuning};
use biplane_consul_client::{Address, Secret, Settings, TokenSource};
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{Endpoint, EndpointRequest, EndpointSource, Listing, Query, Watch};
use biplane_testkit::{Consul, TempDir};
use futures::StreamExt as _;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Longer than any of it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The Consul that lives as long as a test does that uses it.
static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

/// How many names there have been.
static NAMES: AtomicUsize = AtomicUsize::new(0);

/// A Consul and its directory.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) consul: Consul,
    _directory: TempDir,
}

/// The Consul that tests share.
pub(crate) async fn shared() -> Arc<Server> {
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let directory = TempDir::new("consul-catalog");
    let consul = Consul::builder().mesh(true).start(&directory).await;
    let server = Arc::new(Server { consul, _directory: directory });
    *shared = Arc::downgrade(&server);
    server
}

/// A name that nobody has used.
pub(crate) fn fresh(word: &str) -> String {
    format!("{word}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// The options of a source at this address, quick enough for tests.
pub(crate) fn options(address: SocketAddr) -> CatalogOptions {
    let address = Address::Tcp { host: address.ip().to_string(), port: address.port(), tls: false };
    let mut options = CatalogOptions::new(Settings { address, ..Settings::default() });
    options.refresh = Duration::from_millis(500);
    options.tuning = Tuning { retry_max: Duration::from_millis(500), ..Tuning::default() };
    options
}

/// The same with a token.
pub(crate) fn options_with(address: SocketAddr, token: &str) -> CatalogOptions {
    let mut options = options(address);
    options.client.token = Some(TokenSource::Value(Secret::new(token)));
    options
}

pub(crate) fn connect(options: CatalogOptions) -> ConsulCatalog {
    ConsulCatalog::connect(options).expect("good options")
}

/// What an upstream asks for that wants nothing in particular.
pub(crate) fn upstream(service: &str) -> ConsulUpstream {
    ConsulUpstream { service_name: Some(service.to_owned()), ..ConsulUpstream::default() }
}

pub(crate) fn request(upstream: ConsulUpstream) -> EndpointRequest {
    EndpointRequest { query: Query::Consul(upstream), credentials: None }
}

pub(crate) fn follow(source: &ConsulCatalog, service: &str) -> Watch<Vec<Endpoint>> {
    EndpointSource::watch(source, &request(upstream(service)))
}

/// An instance as the hand registers it: on a node that no agent speaks for.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) service: String,
    pub(crate) id: String,
    pub(crate) node: String,
    pub(crate) port: u16,
    pub(crate) tags: Vec<String>,
    /// What its check says; `None`: it has none.
    pub(crate) status: Option<&'static str>,
    /// More of the service's fields.
    pub(crate) more: Value,
}

impl Instance {
    pub(crate) fn new(service: &str, number: u16) -> Self {
        Self {
            service: service.to_owned(),
            id: format!("{service}-{number}"),
            node: format!("node-{service}"),
            port: 10_000 + number,
            tags: Vec::new(),
            status: Some("passing"),
            more: json!({}),
        }
    }

    pub(crate) fn status(self, status: &'static str) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(crate) fn tags(self, tags: &[&str]) -> Self {
        Self { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..self }
    }

    pub(crate) fn more(self, more: Value) -> Self {
        Self { more, ..self }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) async fn register(&self, consul: &Consul) {
        let mut service = json!({
            "ID": self.id, "Service": self.service, "Port": self.port, "Tags": self.tags,
        });
        for (name, value) in self.more.as_object().into_iter().flatten() {
            service[name] = value.clone();
        }
        let mut body = json!({ "Node": self.node, "Address": "127.0.0.1", "Service": service });
        if let Some(status) = self.status {
            let id = format!("check-{}", self.id);
            body["Check"] = json!({ "CheckID": id, "Name": "alive", "Status": status, "ServiceID": self.id });
        }
        put(consul, "/v1/catalog/register", &body).await;
    }

    pub(crate) async fn deregister(&self, consul: &Consul) {
        let body = json!({ "Node": self.node, "ServiceID": self.id });
        put(consul, "/v1/catalog/deregister", &body).await;
    }
}

/// Writes something.
pub(crate) async fn put(consul: &Consul, path: &str, body: &Value) {
    let answer = consul.call(Method::PUT, path, body.to_string()).await;
    answer.unwrap_or_else(|error| panic!("{path}: {error:#}"));
}

/// What is told next.
pub(crate) async fn next<T>(watch: &mut Watch<T>) -> Listing<T> {
    timeout(PATIENCE, watch.next()).await.expect("a source answers in time").expect("a watch does not end")
}

/// Waits for a listing that fits; fails with the last one that was told.
pub(crate) async fn until<T: Clone + std::fmt::Debug>(
    watch: &mut Watch<T>,
    what: &str,
    fits: impl FnMut(&Listing<T>) -> bool,
) -> Listing<T> {
    until_within(PATIENCE, watch, what, fits).await
}

/// The same with another patience.
pub(crate) async fn until_within<T: Clone + std::fmt::Debug>(
    patience: Duration,
    watch: &mut Watch<T>,
    what: &str,
    mut fits: impl FnMut(&Listing<T>) -> bool,
) -> Listing<T> {
    let mut last = None;
    let found = timeout(patience, async {
        loop {
            let told = watch.next().await.expect("a watch does not end");
            if fits(&told) {
                return told;
            }
            last = Some(told);
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what} was not told in time; last: {last:?}"))
}

/// Waits until these places are told, and no others.
pub(crate) async fn until_places(watch: &mut Watch<Vec<Endpoint>>, places: &[SocketAddr]) -> Vec<Endpoint> {
    let wanted: BTreeSet<_> = places.iter().copied().collect();
    let what = format!("{places:?}");
    let told =
        until(watch, &what, |told| matches!(told, Listing::Complete(told) if places_of(told) == wanted));
    match told.await {
        Listing::Complete(told) => told,
        Listing::Failed(_) => unreachable!("a complete one was waited for"),
    }
}

/// Waits for a failure. Nothing may leave before it is told.
pub(crate) async fn until_failed(
    watch: &mut Watch<Vec<Endpoint>>,
    places: &[SocketAddr],
) -> biplane_source::SourceError {
    let known: BTreeSet<_> = places.iter().copied().collect();
    let told = until(watch, "a failure", |told| match told {
        Listing::Failed(_) => true,
        Listing::Complete(told) => {
            assert_eq!(places_of(told), known, "something left although nobody knows");
            false
        }
    });
    match told.await {
        Listing::Failed(error) => error,
        Listing::Complete(_) => unreachable!("a failure was waited for"),
    }
}

pub(crate) fn places_of(told: &[Endpoint]) -> BTreeSet<SocketAddr> {
    told.iter().map(|at| SocketAddr::new(at.address, at.port.get())).collect()
}

/// One of the source's counters.
pub(crate) fn counter(source: &ConsulCatalog, word: &str) -> u64 {
    EndpointSource::counters(source)[word]
}

/// Whether a counter has come that far.
pub(crate) fn has_counted(source: &ConsulCatalog, word: &str, least: u64) -> anyhow::Result<()> {
    let counters = EndpointSource::counters(source);
    let count = *counters.get(word).context("a counter of that name")?;
    ensure!(count >= least, "{word} is {count}: {counters:?}");
    Ok(())
}
