//! Services with names of their own in a Consul that tests share, and a site whose endpoints come from it.
//!
//! The hand registers on nodes that no agent speaks for, so that a check says what the hand says, at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use biplane_testkit::http::Method;
use biplane_testkit::load::Rate;
use biplane_testkit::{Biplane, Consul, FaultProxy, Load, Request, TempDir, Upstream, biplane};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::{Bootstrap, Site, Tree};

/// Longer than anything takes that Consul does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

static NAMES: AtomicUsize = AtomicUsize::new(0);

/// A Consul that nobody breaks. It ends with the last test that uses it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) consul: Consul,
    _directory: TempDir,
}

/// A site, the service that is its own, and the link to Consul.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) link: FaultProxy,
    pub(crate) service: String,
    pub(crate) server: Arc<Server>,
}

impl World {
    /// `objects` are made for the name of the world's own service.
    pub(crate) async fn start(objects: impl FnOnce(&str) -> Vec<String>) -> Self {
        Self::on(shared().await, objects).await
    }

    /// In a Consul of one's own.
    pub(crate) async fn on(server: Arc<Server>, objects: impl FnOnce(&str) -> Vec<String>) -> Self {
        let service = unique("web");
        let link = FaultProxy::http(server.consul.address());
        let tree = Tree::with(&objects(&service));
        let biplane = serve(&tree, &format!("consul://{}", link.address())).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        Self { site, link, service, server }
    }

    pub(crate) fn consul(&self) -> &Consul {
        &self.server.consul
    }

    /// Registers an instance of the world's service, or changes it.
    pub(crate) async fn put(&self, instance: &Instance) {
        register(self.consul(), &self.service, instance).await;
    }

    /// Takes an instance out of the catalog.
    pub(crate) async fn remove(&self, id: &str) {
        let node = node(&self.service);
        let body = json!({ "Node": node, "ServiceID": format!("{}-{id}", self.service) });
        self.consul().call(Method::PUT, "/v1/catalog/deregister", body.to_string()).await.expect("taken");
    }

    /// Traffic for a host, 1,000 requests a second.
    pub(crate) fn load(&self, host: &str) -> Load {
        let rate = Rate { per_second: 1000, connections: 16 };
        Load::start(self.site.port, vec![Request::get(host, "/")], rate)
    }
}

/// What the hand says of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: &'static str,
    pub(crate) port: u16,
    pub(crate) tags: Vec<String>,
    /// `passing`, `warning`, `critical`
    pub(crate) status: &'static str,
    pub(crate) weight: u32,
}

impl Instance {
    /// One that passes its check.
    pub(crate) fn of(id: &'static str, server: &Upstream) -> Self {
        Self { id, port: server.port(), tags: Vec::new(), status: "passing", weight: 1 }
    }

    pub(crate) fn tags(self, tags: &[&str]) -> Self {
        Self { tags: tags.iter().map(ToString::to_string).collect(), ..self }
    }

    pub(crate) fn status(&self, status: &'static str) -> Self {
        Self { status, ..self.clone() }
    }
}

/// Registers an instance of a service, or changes it.
pub(crate) async fn register(consul: &Consul, service: &str, instance: &Instance) {
    let id = format!("{service}-{}", instance.id);
    let body = json!({
        "Node": node(service),
        "Address": "127.0.0.1",
        "Service": {
            "ID": id,
            "Service": service,
            "Address": "127.0.0.1",
            "Port": instance.port,
            "Tags": instance.tags,
            "Weights": { "Passing": instance.weight, "Warning": 1 },
        },
        "Check": { "CheckID": format!("check-{id}"), "ServiceID": id, "Name": "check", "Status": instance.status },
    });
    consul.call(Method::PUT, "/v1/catalog/register", body.to_string()).await.expect("taken");
}

fn node(service: &str) -> String {
    format!("node-{service}")
}

/// A name that nobody has used.
pub(crate) fn unique(word: &str) -> String {
    format!("{word}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
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

/// A Consul for one test, to change what all services of a mesh share.
pub(crate) async fn own() -> Arc<Server> {
    let directory = TempDir::new("catalog");
    let consul = Consul::builder().mesh(true).start(&directory).await;
    Arc::new(Server { consul, _directory: directory })
}

/// A Biplane that takes endpoints and routes from a Consul.
pub(crate) async fn serve(tree: &Tree, url: &str) -> Biplane {
    let options = biplane::Options::files(tree.files.root()).arguments([
        "--admin-anonymous-write=on",
        "--discovery",
        url,
        "--tags",
        "biplane traefik fabio",
        "--discover-upstreams",
        "consul",
    ]);
    Biplane::start_with(options, &tree.directory).await
}

/// The endpoints of an upstream as Biplane's API shows them.
pub(crate) async fn endpoints(site: &Site, upstream: &str) -> anyhow::Result<Value> {
    let all = site.biplane.get("/v1/endpoints").await?.json()?;
    let found = all.as_array().into_iter().flatten().find(|each| each["name"] == upstream);
    found.cloned().ok_or_else(|| anyhow::anyhow!("no upstream {upstream}: {all}"))
}
