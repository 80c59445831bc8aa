//! Machines with a tag of one's own in a moto that tests share, and a site whose endpoints they are.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, ensure};
use biplane_testkit::moto::{Launch, Machine, REGION};
use biplane_testkit::upstream::Options;
use biplane_testkit::{Biplane, FaultProxy, Moto, TempDir, Upstream, biplane, eventually, free_port};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::harness::resources::{object, route_to, service};
use crate::harness::{Bootstrap, Site, Tree, status};

/// Longer than anything takes that moto does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The tag by which a test's machines are found.
pub(crate) const TAG: &str = "Service";

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

static NAMES: AtomicUsize = AtomicUsize::new(0);

/// A moto. It ends with the last test that uses it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) moto: Moto,
    _directory: TempDir,
}

/// A site, the tag that its machines carry, and the link to moto.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) link: FaultProxy,
    pub(crate) tag: String,
    /// Where the machines' servers listen.
    pub(crate) port: u16,
    pub(crate) server: Arc<Server>,
}

impl World {
    /// With upstreams that have these fields besides the world's filter and port, each at a path of its name; the
    /// first at `/` too.
    pub(crate) async fn start(upstreams: &[(&str, &str)]) -> Self {
        Self::on(shared().await, upstreams).await
    }

    /// In an EC2 of one's own.
    pub(crate) async fn on(server: Arc<Server>, upstreams: &[(&str, &str)]) -> Self {
        let (tag, port) = (unique("web"), free_port());
        let link = FaultProxy::http(server.moto.address());
        let tree = Tree::with(&with_routes(upstreams, &tag, port));
        let biplane = serve(&tree, &link, "refresh=1s").await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        Self { site, link, tag, port, server }
    }

    pub(crate) fn moto(&self) -> &Moto {
        &self.server.moto
    }

    /// Runs a machine at `127.0.0.LAST`.
    pub(crate) async fn run(&self, last: u8) -> Machine {
        let launch = Launch::tagged(&[(TAG, &self.tag)]).at(Ipv4Addr::new(127, 0, 0, last));
        self.moto().run(&launch).await.expect("moto runs it")
    }

    /// Does something to a machine: `TerminateInstances`, `StopInstances`, `StartInstances`.
    pub(crate) async fn act(&self, action: &str, machine: &Machine) {
        self.moto().act(action, &machine.id).await.expect("moto does it");
    }

    /// Who answers at `127.0.0.LAST`.
    pub(crate) fn listen(&self, name: &str, last: u8) -> Upstream {
        let address = Some(SocketAddr::from(([127, 0, 0, last], self.port)));
        Upstream::start_with(name, Options { address, ..Options::default() })
    }

    /// Replaces the upstreams and their routes.
    pub(crate) fn replace(&self, upstreams: &[(&str, &str)]) {
        self.site.replace(&with_routes(upstreams, &self.tag, self.port));
    }

    /// Waits until Envoy has exactly so many endpoints of an upstream.
    pub(crate) async fn until_members(&self, upstream: &str, count: usize) {
        until_members(&self.site, upstream, count).await;
    }
}

/// Upstreams of machines, and a virtual service that leads to them.
pub(crate) fn with_routes(upstreams: &[(&str, &str)], tag: &str, port: u16) -> Vec<String> {
    let mut objects: Vec<_> = upstreams.iter().map(|(name, more)| upstream(name, tag, port, more)).collect();
    let (first, _) = upstreams.first().expect("an upstream");
    let routes = upstreams.iter().map(|(name, _)| route_to(&format!("/{name}/"), name));
    let routes: Vec<_> = routes.chain([route_to("/", first)]).collect();
    objects.push(service("all", &routes.join("\n")));
    objects
}

/// An upstream of the machines with a tag; `more` are fields of `awsEc2`, each with a comma before it.
pub(crate) fn upstream(name: &str, tag: &str, port: u16, more: &str) -> String {
    let filters = format!("filters: [{{ kvPair: {{ key: {TAG}, value: {tag} }} }}]");
    object("Upstream", name, &format!("awsEc2: {{ {filters}, port: {port}{more} }}"))
}

/// A Biplane that takes endpoints from moto by a link, with keys that moto takes as long as it checks none.
pub(crate) async fn serve(tree: &Tree, link: &FaultProxy, parameters: &str) -> Biplane {
    let url = format!("ec2:?region={REGION}&endpoint=http://{}&maxRate=100&{parameters}", link.address());
    let options = biplane::Options::files(tree.files.root())
        .arguments(["--discovery", &url])
        .variable("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .variable("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    Biplane::start_with(options, &tree.directory).await
}

async fn shared() -> Arc<Server> {
    let mut shared = SERVER.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = own().await;
    *shared = Arc::downgrade(&server);
    server
}

/// A moto for one test, to break it or to fill it.
pub(crate) async fn own() -> Arc<Server> {
    let directory = TempDir::new("ec2");
    Arc::new(Server { moto: Moto::start(&directory).await, _directory: directory })
}

/// A name that nobody has used.
pub(crate) fn unique(word: &str) -> String {
    format!("{word}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// Waits until Envoy has exactly so many endpoints of an upstream.
pub(crate) async fn until_members(site: &Site, upstream: &str, count: usize) {
    eventually(&format!("{count} endpoints of {upstream}"), PATIENCE, async || {
        let found = members(site).await?;
        ensure!(found.get(upstream).map_or(0, Vec::len) == count, "{found:?}");
        Ok(())
    })
    .await;
}

/// The endpoints that Envoy has of each upstream, sorted.
pub(crate) async fn members(site: &Site) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let clusters = site.envoy.clusters().await?;
    let statuses = clusters["cluster_statuses"].as_array().context("a list of clusters")?;
    Ok(statuses.iter().filter_map(places).collect())
}

/// An upstream's name, and `address:port health` of each endpoint.
fn places(cluster: &Value) -> Option<(String, Vec<String>)> {
    let name = cluster["name"].as_str()?.strip_suffix("_gloo-system")?;
    let place = |host: &Value| {
        let at = &host["address"]["socket_address"];
        let health = host["health_status"]["eds_health_status"].as_str().unwrap_or_default();
        format!("{}:{} {health}", at["address"].as_str().unwrap_or_default(), at["port_value"])
    };
    let mut places: Vec<_> = cluster["host_statuses"].as_array().into_iter().flatten().map(place).collect();
    places.sort();
    Some((name.to_owned(), places))
}

/// Waits until the source is in this state and says all these words.
pub(crate) async fn until_source(site: &Site, state: &str, words: &[&str]) {
    eventually(&format!("a source that is {state} and says {words:?}"), PATIENCE, async || {
        let all = status::fetch(&site.biplane).await?;
        let sources = status::list(&all, "sources");
        let source = sources.iter().find(|source| source["name"] == "ec2").context("no source")?;
        let text = source.to_string();
        let is_so = source["state"] == state && words.iter().all(|word| text.contains(word));
        ensure!(is_so, "{source:#}");
        Ok(())
    })
    .await;
}
