//! A namespace of one's own in a Nomad that tests share, a source that reads it over a link that can break, and the
//! hand that runs jobs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use biplane_core::resources::upstream::discovery::NomadUpstream;
use biplane_core::scalars::SecretString;
use biplane_nomad::{Address, NomadOptions, NomadSource, Token, Tuning};
use biplane_source::{
    Endpoint, EndpointRequest, EndpointSource as _, Instance, Listing, Phase, Query, ServiceName,
    ServiceSource as _, SourceError, SourceState, Watch,
};
use biplane_testkit::nomad::{self, Check, Job};
use biplane_testkit::{FaultProxy, Nomad, TempDir};
use futures::StreamExt as _;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// The policy that is shipped, of the namespace `default`.
pub(crate) const POLICY: &str = include_str!("../../../policies/biplane-read.policy.hcl");

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

static NAMES: AtomicUsize = AtomicUsize::new(0);

/// A Nomad with ACLs that nobody breaks. It ends with the last test that uses it.
pub(crate) struct Server {
    pub(crate) nomad: Nomad,
    _directory: TempDir,
}

impl Server {
    pub(crate) async fn shared() -> Arc<Self> {
        let mut shared = SERVER.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&server);
        server
    }

    async fn start() -> Self {
        let directory = TempDir::new("nomad");
        Self { nomad: Nomad::builder().acl(true).start(&directory).await, _directory: directory }
    }
}

/// One test's namespace, and a token that may do what the shipped policy allows there.
pub(crate) struct World {
    pub(crate) link: FaultProxy,
    pub(crate) namespace: String,
    pub(crate) token: nomad::Token,
    pub(crate) server: Arc<Server>,
}

impl World {
    /// Over a link that carries bytes.
    pub(crate) async fn new() -> Self {
        Self::over(FaultProxy::start, Server::shared().await).await
    }

    /// In a Nomad where nothing else happens.
    pub(crate) async fn alone() -> Self {
        Self::over(FaultProxy::start, Arc::new(Server::start().await)).await
    }

    /// Over a link that can answer requests itself.
    pub(crate) async fn http() -> Self {
        Self::over(FaultProxy::http, Server::shared().await).await
    }

    async fn over(link: impl FnOnce(SocketAddr) -> FaultProxy, server: Arc<Server>) -> Self {
        let namespace = unique("ns");
        server.nomad.namespace(&namespace).await.expect("made");
        server.nomad.acl_policy(&namespace, &policy(&namespace)).await.expect("made");
        let token = server.nomad.acl_token(&[&namespace]).await.expect("made");
        Self { link: link(server.nomad.address()), namespace, token, server }
    }

    pub(crate) fn nomad(&self) -> &Nomad {
        &self.server.nomad
    }

    /// Options over the link, with the token.
    pub(crate) fn options(&self) -> NomadOptions {
        let token = Some(Token::Value(SecretString::new(&self.token.secret)));
        NomadOptions { token, namespaces: vec![self.namespace.clone()], ..options(self.link.address()) }
    }

    pub(crate) fn source(&self) -> NomadSource {
        connect(self.options())
    }

    /// A job of this namespace.
    pub(crate) fn job(&self, id: &str) -> Job {
        Job { namespace: self.namespace.clone(), ..Job::new(id) }
    }

    pub(crate) async fn run(&self, job: &Job) {
        self.nomad().run(job).await.expect("run");
    }

    /// Runs the job and waits until its instances are registered.
    pub(crate) async fn up(&self, job: &Job) -> BTreeSet<SocketAddr> {
        self.run(job).await;
        registered(self.nomad(), &job.namespace, &job.service, job.count).await
    }
}

/// Waits until exactly so many instances are in the catalog. By hand: `eventually` makes no future that harnesses can
/// hand to another thread.
pub(crate) async fn registered(
    nomad: &Nomad,
    namespace: &str,
    service: &str,
    count: usize,
) -> BTreeSet<SocketAddr> {
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            match nomad.instances(namespace, service).await {
                Ok(found) if found.len() == count => return found.into_keys().collect(),
                found => last = Some(found),
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{count} registrations were not there in time; last: {last:?}"))
}

/// The policy that is shipped, for another namespace.
pub(crate) fn policy(namespace: &str) -> String {
    POLICY.replace("\"default\"", &format!("{namespace:?}"))
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// Quick enough for tests.
pub(crate) fn options(address: SocketAddr) -> NomadOptions {
    let address = Address::new(&address.to_string(), false).expect("an address");
    NomadOptions {
        timeout: Duration::from_secs(5),
        check_interval: Duration::from_secs(1),
        tuning: Tuning {
            retry_max: Duration::from_secs(1),
            confirm: Duration::from_secs(2),
            ..Tuning::default()
        },
        ..NomadOptions::new(address)
    }
}

pub(crate) fn connect(options: NomadOptions) -> NomadSource {
    NomadSource::connect(options).expect("good options")
}

/// The question of an upstream.
pub(crate) fn request(upstream: NomadUpstream) -> EndpointRequest {
    EndpointRequest { query: Query::Nomad(upstream), credentials: None }
}

pub(crate) fn service(name: &str) -> NomadUpstream {
    NomadUpstream { service_name: name.into(), ..NomadUpstream::default() }
}

/// Watches a service of the first namespace.
pub(crate) fn watch(source: &NomadSource, name: &str) -> Watch<Vec<Endpoint>> {
    source.watch(&request(service(name)))
}

/// Watches its instances.
pub(crate) fn instances(source: &NomadSource, world: &World, name: &str) -> Watch<Vec<Instance>> {
    let namespace = world.namespace.clone();
    source.instances(&ServiceName { datacenter: String::new(), namespace, name: name.into() })
}

pub(crate) async fn next<T>(watch: &mut Watch<T>) -> Listing<T> {
    timeout(PATIENCE, watch.next()).await.expect("told in time").expect("a watch does not end")
}

/// Waits for a listing that is as wanted, and gives all that were told up to then.
pub(crate) async fn until<T: std::fmt::Debug>(
    watch: &mut Watch<T>,
    what: &str,
    mut is_wanted: impl FnMut(&Listing<T>) -> bool,
) -> Vec<Listing<T>> {
    let mut told = Vec::new();
    let found = timeout(PATIENCE, async {
        loop {
            let listing = watch.next().await.expect("a watch does not end");
            let is_wanted = is_wanted(&listing);
            told.push(listing);
            if is_wanted {
                return;
            }
        }
    });
    assert!(found.await.is_ok(), "{what} was not told in time; last: {:#?}", told.last());
    told
}

/// Waits until exactly so many endpoints are usable.
pub(crate) async fn until_usable(watch: &mut Watch<Vec<Endpoint>>, count: usize) -> Vec<Endpoint> {
    let what = format!("{count} usable endpoints");
    let mut told = until(
        watch,
        &what,
        |listing| matches!(listing, Listing::Complete(found) if usable(found).len() == count),
    )
    .await;
    complete(told.pop().expect("what was waited for"))
}

/// Waits for a failure; until then nothing may be told that is not complete with so many usable endpoints.
pub(crate) async fn until_failed(watch: &mut Watch<Vec<Endpoint>>, count: usize) -> SourceError {
    let mut told = until(watch, "a failure", |listing| matches!(listing, Listing::Failed(_))).await;
    let last = told.pop();
    for listing in told {
        assert_eq!(usable(&complete(listing)).len(), count, "endpoints are lost");
    }
    let Some(Listing::Failed(error)) = last else { unreachable!("waited for") };
    error
}

pub(crate) fn usable(found: &[Endpoint]) -> BTreeSet<SocketAddr> {
    found.iter().filter(|one| one.health.is_usable()).map(place).collect()
}

/// Where it listens.
pub(crate) fn place(endpoint: &Endpoint) -> SocketAddr {
    SocketAddr::new(endpoint.address, endpoint.port.get())
}

pub(crate) fn complete<T: std::fmt::Debug>(listing: Listing<T>) -> T {
    match listing {
        Listing::Complete(value) => value,
        Listing::Failed(error) => panic!("{error}"),
    }
}

/// Waits until the source stands there.
pub(crate) async fn until_phase(source: &NomadSource, phase: Phase) -> SourceState {
    let mut state = source.state();
    let reached = timeout(PATIENCE, state.wait_for(|state| state.phase == phase)).await;
    reached.expect("the state follows in time").expect("the source lives").clone()
}

/// A job that costs no checks.
pub(crate) fn unchecked(job: Job) -> Job {
    Job { check: Check::None, ..job }
}
