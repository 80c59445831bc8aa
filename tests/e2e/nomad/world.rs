//! A namespace of one's own in a Nomad that tests share, and a site whose routes come from it.
//!
//! Biplane's way to Nomad is a link that counts its requests and can break; it asks with the policy that is shipped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, ensure};
use biplane_testkit::load::Rate;
use biplane_testkit::nomad::{Job, Token, Update};
use biplane_testkit::{Biplane, FaultProxy, Load, Nomad, Request, Response, TempDir, biplane, eventually};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::{Bootstrap, Site, Tree, status};

/// Longer than anything takes that Nomad does.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The host that jobs ask for.
pub(crate) const HOST: &str = "web.example.com";

/// The policy that is shipped, of the namespace `default`.
const POLICY: &str = include_str!("../../../nomad/policies/biplane-read.policy.hcl");

/// What the brave send: more than one connection's worth, so that every worker of Envoy has some.
pub(crate) const BUSY: Rate = Rate { per_second: 1000, connections: 16 };

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

static NAMES: AtomicUsize = AtomicUsize::new(0);

/// A Nomad with ACLs that nobody breaks. It ends with the last test that uses it.
#[derive(Debug)]
struct Server {
    nomad: Nomad,
    _directory: TempDir,
}

/// A site, the namespace that its routes come from, and the link between.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) link: FaultProxy,
    pub(crate) namespace: String,
    server: Arc<Server>,
}

impl World {
    /// As quick as tests want it.
    pub(crate) async fn start() -> Self {
        Self::of(Plan::default()).await
    }

    /// With options.
    pub(crate) async fn of(plan: Plan) -> Self {
        let server = shared().await;
        let namespace = unique("ns");
        let mut namespaces = vec![namespace.clone()];
        namespaces.extend(plan.more_namespaces);
        for name in &namespaces {
            server.nomad.namespace(name).await.expect("made");
            allow(&server.nomad, name, true).await;
        }
        let policies: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let token = server.nomad.acl_token(&policies).await.expect("made");
        let link = FaultProxy::http(server.nomad.address());
        let url =
            format!("nomad://{}?namespaces={}{}", link.address(), namespaces.join(","), plan.parameters);
        let tree = Tree::with(&plan.objects);
        let biplane = serve(&tree, &url, Some(&token)).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        Self { site, link, namespace, server }
    }

    pub(crate) fn nomad(&self) -> &Nomad {
        &self.server.nomad
    }

    /// A job of this namespace with a route for [`HOST`].
    pub(crate) fn job(&self, id: &str) -> Job {
        Job { namespace: self.namespace.clone(), tags: tags(&[]), ..Job::new(id) }
    }

    pub(crate) async fn run(&self, job: &Job) {
        self.nomad().run(job).await.expect("Nomad takes it");
    }

    /// Runs the job, and waits until all its instances have answered through Envoy.
    pub(crate) async fn up(&self, job: &Job) -> BTreeMap<SocketAddr, String> {
        self.run(job).await;
        let instances = self.registered(job, job.count).await;
        self.until_healthy(job, job.count).await;
        until(&self.site, "the first answer", |answer| answer.status == 200).await;
        instances
    }

    /// Waits until exactly so many instances are in the catalog: where each listens, and its allocation.
    pub(crate) async fn registered(&self, job: &Job, count: usize) -> BTreeMap<SocketAddr, String> {
        registered(self.nomad(), job, count).await
    }

    /// Waits until Envoy would send requests to exactly so many endpoints of the job.
    pub(crate) async fn until_healthy(&self, job: &Job, count: usize) {
        until_healthy(&self.site, job, count).await;
    }

    /// The job's deployment is over, and has this status.
    pub(crate) async fn until_deployed(&self, job: &Job, wanted: &str) {
        let path = format!("/v1/job/{}/deployment?namespace={}", job.id, job.namespace);
        eventually(&format!("a deployment that is {wanted}"), PATIENCE, async || {
            let deployment = self.nomad().json(&path).await?;
            ensure!(
                deployment["Status"] == wanted,
                "{} {}",
                deployment["Status"],
                deployment["StatusDescription"]
            );
            Ok(())
        })
        .await;
    }

    /// The job runs in its new version only, which is well; so its predecessor is gone.
    pub(crate) async fn until_version(&self, job: &Job, version: u64) {
        self.until_deployed(job, "successful").await;
        eventually(&format!("version {version} alone"), PATIENCE, async || {
            let running = self.nomad().running(job).await?;
            let is_new = running.len() == job.count && running.values().all(|running| *running == version);
            ensure!(is_new, "{running:?} run");
            Ok(())
        })
        .await;
        self.registered(job, job.count).await;
        self.until_healthy(job, job.count).await;
    }

    /// Traffic for the host.
    pub(crate) fn load(&self) -> Load {
        Load::start(self.site.port, vec![request()], BUSY)
    }
}

/// How a world is made.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// More of the source's URL; begins with `&`.
    pub(crate) parameters: String,
    /// Namespaces besides the world's own.
    pub(crate) more_namespaces: Vec<String>,
    /// What the store holds besides the gateway.
    pub(crate) objects: Vec<String>,
}

impl Plan {
    /// Checks are looked at each second.
    pub(crate) fn quick() -> Self {
        Self { parameters: "&checkInterval=1s&retryMax=1s".into(), ..Self::default() }
    }
}

async fn shared() -> Arc<Server> {
    let mut shared = SERVER.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let directory = TempDir::new("nomad");
    let nomad = Nomad::builder().acl(true).start(&directory).await;
    let server = Arc::new(Server { nomad, _directory: directory });
    *shared = Arc::downgrade(&server);
    server
}

/// A Biplane that takes routes and endpoints from a Nomad.
pub(crate) async fn serve(tree: &Tree, url: &str, token: Option<&Token>) -> Biplane {
    let mut options = biplane::Options::files(tree.files.root()).arguments([
        "--admin-anonymous-write=on",
        "--discovery",
        url,
        "--tags",
        "biplane",
        "--discover-upstreams",
        "nomad",
    ]);
    if let Some(token) = token {
        options = options.variable("NOMAD_TOKEN", &token.secret);
    }
    Biplane::start_with(options, &tree.directory).await
}

/// Lets the policy of this name read the namespace of the same name, or nothing.
pub(crate) async fn allow(nomad: &Nomad, namespace: &str, may: bool) {
    let of = if may { namespace } else { "nobody" };
    let rules = POLICY.replace("\"default\"", &format!("{of:?}"));
    nomad.acl_policy(namespace, &rules).await.expect("Nomad takes policies");
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// A route for [`HOST`], with more options.
pub(crate) fn tags(more: &[&str]) -> Vec<String> {
    tags_for(HOST, more)
}

/// A route for a host, with more options.
pub(crate) fn tags_for(host: &str, more: &[&str]) -> Vec<String> {
    let hosts = format!("biplane.hosts={host}");
    let all = ["biplane.enable=true", &hosts];
    all.iter().chain(more).map(|&tag| tag.to_owned()).collect()
}

/// Two at a time would leave nothing: one is replaced after the other.
#[expect(clippy::unnecessary_wraps, reason = "jobs have it or not")]
pub(crate) fn careful(canary: usize) -> Option<Update> {
    Some(Update { canary, min_healthy_time: 1, ..Update::default() })
}

/// `GET` at [`HOST`].
pub(crate) fn request() -> Request {
    Request::get(HOST, "/")
}

/// The version of the instance that has given this answer.
pub(crate) fn version(answer: &Response) -> Option<String> {
    let text = answer.text();
    let (_, version) = text.split_once(' ')?;
    (answer.status == 200).then(|| version.to_owned())
}

/// Asks for [`HOST`] until the answer is as wanted.
pub(crate) async fn until(site: &Site, what: &str, wanted: impl Fn(&Response) -> bool) -> Response {
    until_answer(site, &request(), what, wanted).await
}

/// Asks until the answer is as wanted.
pub(crate) async fn until_answer(
    site: &Site,
    request: &Request,
    what: &str,
    wanted: impl Fn(&Response) -> bool,
) -> Response {
    eventually(what, PATIENCE, async || {
        let answer = request.send(site.port).await?;
        ensure!(wanted(&answer), "{} {}", answer.status, answer.text());
        Ok(answer)
    })
    .await
}

/// Waits until exactly so many instances are in the catalog.
pub(crate) async fn registered(nomad: &Nomad, job: &Job, count: usize) -> BTreeMap<SocketAddr, String> {
    eventually(&format!("{count} registrations of {}", job.service), PATIENCE, async || {
        let found = nomad.instances(&job.namespace, &job.service).await?;
        ensure!(found.len() == count, "{found:?}");
        Ok(found)
    })
    .await
}

/// Waits until as many instances as are wanted are in the catalog again, and this one is not.
pub(crate) async fn registered_without(nomad: &Nomad, job: &Job, gone: &str) -> BTreeMap<SocketAddr, String> {
    eventually(&format!("registrations of {} without {gone}", job.service), PATIENCE, async || {
        let found = nomad.instances(&job.namespace, &job.service).await?;
        let is_over = found.len() == job.count && found.values().all(|allocation| allocation != gone);
        ensure!(is_over, "{found:?}");
        Ok(found)
    })
    .await
}

/// Waits until Envoy would send requests to exactly so many endpoints of the job, over all of its clusters that
/// have any.
pub(crate) async fn until_healthy(site: &Site, job: &Job, count: usize) {
    eventually(&format!("{count} healthy endpoints of {}", job.id), PATIENCE, async || {
        let found = healths(site, job).await?;
        let healthy = found.values().filter(|health| *health == "HEALTHY").count();
        ensure!(healthy == count, "{found:?}");
        Ok(())
    })
    .await;
}

/// The endpoints that Envoy has of a job, by where they listen.
pub(crate) async fn healths(site: &Site, job: &Job) -> anyhow::Result<BTreeMap<String, String>> {
    let clusters = site.envoy.clusters().await?;
    let mut found = BTreeMap::new();
    let statuses = clusters["cluster_statuses"].as_array().context("a list of clusters")?;
    let is_ours = |cluster: &&Value| {
        let name = cluster["name"].as_str().unwrap_or_default();
        name.contains(&format!("{}.{}", job.namespace, job.service))
    };
    for host in
        statuses.iter().filter(is_ours).filter_map(|cluster| cluster["host_statuses"].as_array()).flatten()
    {
        let place = &host["address"]["socket_address"];
        let health = host["health_status"]["eds_health_status"].as_str().unwrap_or_default();
        let place = format!("{}:{}", place["address"].as_str().unwrap_or_default(), place["port_value"]);
        found.insert(place, health.to_owned());
    }
    Ok(found)
}

/// Clusters and listeners that are gone, and updates that Envoy has refused.
pub(crate) async fn losses(site: &Site) -> Value {
    json!(site.envoy.losses().await.expect("statistics"))
}

/// The source of endpoints, once it is in this state.
pub(crate) async fn until_source(biplane: &Biplane, state: &str) -> Value {
    let is_so = |source: &Value| source["name"] == "nomad" && source["state"] == state;
    let status = eventually(&format!("a source that is {state}"), PATIENCE, async || {
        let status = status::fetch(biplane).await?;
        ensure!(status::list(&status, "sources").iter().any(is_so), "{:#}", status["sources"]);
        Ok(status)
    })
    .await;
    status::list(&status, "sources").into_iter().find(is_so).expect("found above")
}

/// A command that asks the running Biplane.
pub(crate) async fn command(biplane: &Biplane, arguments: &[&str]) -> biplane_testkit::Output {
    let admin = biplane.admin().to_string();
    biplane::run_with(arguments, &[("BIPLANE_ADMIN", &admin)], "").await
}
