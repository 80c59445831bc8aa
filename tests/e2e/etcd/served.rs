//! A store in etcd that is served to an Envoy, and what operators do to both.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use biplane_testkit::{Biplane, Etcd, Output, biplane, eventually, throughout};
use serde_json::Value;

use super::world::{Entries, Traffic, World};
use crate::harness::resources::{gateway, keyed};
use crate::harness::{Bootstrap, CALM, PATIENCE, Site, Tree, status};

/// The folder of keys.
pub(crate) const ROOT: &str = "biplane";

/// Settings of a store's URL by which trouble is noticed in seconds.
pub(crate) const QUICK: &str = "liveness=3s&timeout=1s&connectTimeout=1s&lease=3s";

/// What `--store` takes for members at these addresses.
pub(crate) fn url(addresses: &[SocketAddr], settings: &str) -> String {
    let hosts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!("etcd://{}/{ROOT}?{settings}", hosts.join(","))
}

/// The same for all members of an etcd.
pub(crate) fn url_of(etcd: &Etcd) -> String {
    let addresses: Vec<_> = (0..etcd.members()).map(|member| etcd.address(member)).collect();
    url(&addresses, QUICK)
}

/// A Biplane that anybody on this machine may write through.
pub(crate) fn options(url: &str) -> biplane::Options {
    biplane::Options::store(url).arguments(["--admin-anonymous-write=on"])
}

/// Marks a store as Biplane's.
pub(crate) async fn init(url: &str) {
    let output = biplane::run_with(["init", "--store", url], &[], "").await;
    assert_eq!(output.code, 0, "{output:?}");
}

/// Deletes keys, a hundred in a step.
pub(crate) async fn delete(etcd: &Etcd, keys: &[String]) -> Result<()> {
    for chunk in keys.chunks(100) {
        // No comparison, the deletions, nothing for the other case.
        let steps = format!("\ndel {}\n\n\n", chunk.join("\ndel "));
        etcd.ctl_with(["txn"], &steps).await.success()?;
    }
    Ok(())
}

/// A world in etcd, served to one Envoy.
pub(crate) struct Served {
    // etcd goes before the site, whose directory its data is in.
    pub(crate) etcd: Etcd,
    pub(crate) site: Site,
    pub(crate) world: World,
    /// The store, for commands that go straight there.
    pub(crate) url: String,
}

impl Served {
    /// One member, and so many hosts.
    pub(crate) async fn start(hosts: usize) -> Self {
        let tree = Tree::new();
        let etcd = Etcd::start(&tree.directory).await;
        let options = options(&url_of(&etcd));
        Self::on(tree, etcd, &options, hosts).await
    }

    /// On an etcd that runs, by a Biplane with options.
    pub(crate) async fn on(tree: Tree, etcd: Etcd, options: &biplane::Options, hosts: usize) -> Self {
        let (url, world) = (options.store.clone(), World::new(hosts));
        init(&url).await;
        etcd.put_many(&keyed(ROOT, &[gateway(tree.port)])).await.expect("etcd takes writes");
        etcd.put_many(&world.entries()).await.expect("etcd takes writes");
        let biplane = Biplane::start_with(options.clone(), &tree.directory).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        let served = Self { etcd, site, world, url };
        served.live().await;
        served.site.in_sync().await;
        served
    }

    /// Traffic, during which Envoy is to lose and refuse nothing.
    pub(crate) async fn traffic(&self) -> Traffic {
        Traffic::start(&self.world, &[(&self.site.envoy, self.site.port)]).await
    }

    /// Ends the traffic, of which every request must have been answered.
    pub(crate) async fn unharmed(&self, traffic: Traffic) {
        traffic.end(&[&self.site.envoy]).await;
    }

    /// Waits until Envoy shows the world as it is.
    pub(crate) async fn live(&self) {
        self.world.live(&[self.site.port], PATIENCE).await;
    }

    /// Nothing of what Envoy shows changes for a while.
    pub(crate) async fn stays(&self) {
        throughout("the world as it was", CALM, async || self.world.check(self.site.port).await).await;
    }

    /// Writes with etcdctl.
    pub(crate) async fn write(&self, entries: &Entries) {
        self.etcd.put_many(entries).await.expect("etcd takes writes");
    }

    /// Waits until the source is in a state.
    pub(crate) async fn until_state(&self, state: &str) -> Value {
        source_is(&self.site.biplane, state).await
    }

    /// Waits until so many objects are held.
    pub(crate) async fn until_held(&self, held: usize) -> Value {
        let what = format!("{held} objects that are held");
        let status = status::until(&self.site.biplane, &what, |status| held_of(status).len() == held).await;
        let metric = metric(&self.site.biplane, "biplane_guard_held_removals").await.expect("a metric");
        assert_eq!(metric, held as u64);
        status["sources"][0].clone()
    }

    /// Runs a command against the running Biplane.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        command(&self.site.biplane, arguments).await
    }

    /// An operator means what the store shows.
    pub(crate) async fn accept(&self) {
        let status = status::fetch(&self.site.biplane).await.expect("a status");
        let name = status["sources"][0]["name"].as_str().expect("a source has a name");
        let output = self.command(&["source", "accept", name, "--yes"]).await;
        assert_eq!(output.code, 0, "{output:?}");
    }

    /// Waits until this replica leads and has written its summary.
    pub(crate) async fn leads(&self) {
        leads(&self.site.biplane).await;
        eventually("a summary in the store", PATIENCE, async || {
            self.etcd.get("biplane/status/_summary").await?.context("none yet")
        })
        .await;
    }
}

/// Waits until a Biplane leads.
pub(crate) async fn leads(biplane: &Biplane) {
    status::until(biplane, "a leader", |status| status["leader"]["isMe"] == true).await;
}

/// Runs a command against a running Biplane.
pub(crate) async fn command(biplane: &Biplane, arguments: &[&str]) -> Output {
    let api = format!("http://{}", biplane.admin());
    let all: Vec<_> = arguments.iter().copied().chain(["--api", &api]).collect();
    biplane::run_with(all, &[], "").await
}

/// Waits until the store is in a state, and gives all that is said about it.
pub(crate) async fn source_is(biplane: &Biplane, state: &str) -> Value {
    let what = format!("a source that is {state}");
    let status = status::until(biplane, &what, |status| status["sources"][0]["state"] == state).await;
    status["sources"][0].clone()
}

/// The objects that stay in use although the store does not show them so.
pub(crate) fn held_of(status: &Value) -> Vec<Value> {
    status["sources"][0]["held"].as_array().cloned().unwrap_or_default()
}

/// A metric without labels.
pub(crate) async fn metric(biplane: &Biplane, name: &str) -> Result<u64> {
    let answer = biplane.get("/metrics").await?;
    ensure!(answer.status == 200, "{}", answer.status);
    let text = answer.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("there is no metric {name}"))?.trim().parse()?)
}

/// How often the store was read as a whole.
pub(crate) async fn readings(biplane: &Biplane) -> u64 {
    let read = async |name| metric(biplane, name).await.expect("a metric");
    read("biplane_store_lists_total").await - read("biplane_store_list_failures_total").await
}

/// No full reading has found what a watch had lost.
pub(crate) async fn nothing_was_lost(biplane: &Biplane) {
    assert_eq!(metric(biplane, "biplane_store_resync_drift_total").await.expect("a metric"), 0);
}
