//! Restarts of Biplane: Envoys keep what they have, whatever is down or broken, and nothing is sent twice.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::ensure;
use biplane_testkit::{Authority, ClientTls, Identity, Request, Upstream, eventually, throughout};

use crate::harness::resources::{
    gateway, route_answering, secret, service, service_to, tls_service, upstream,
};
use crate::harness::{CALM, HOST, PATIENCE, Site, Tree, ports_open, status};

#[tokio::test]
async fn restart_under_traffic_costs_no_request_and_sends_nothing_again() {
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    site.in_sync().await;
    let (counts, updates) = (site.counts().await, updates(&site).await);
    let load = site.load();
    for _ in 0..2 {
        site.biplane.restart().await;
        site.in_sync().await;
    }
    throughout("calm behind the restart", CALM, async || {
        let now = updates_of(&site).await?;
        ensure!(now == updates, "{now:?} instead of {updates:?}");
        Ok(())
    })
    .await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
    // And it is followed as before.
    site.replace(&[upstream("one", &one), service("one", &route_answering("/", "after"))]);
    site.until_body("/", "after").await;
}

/// How often Envoy took something that it did not have, of any type.
async fn updates(site: &Site) -> std::collections::BTreeMap<String, u64> {
    updates_of(site).await.expect("statistics")
}

async fn updates_of(site: &Site) -> anyhow::Result<std::collections::BTreeMap<String, u64>> {
    site.envoy.stats_matching("(config_reload|cluster_modified|listener_modified|\\.update_rejected)$").await
}

#[tokio::test]
async fn kill_and_start_under_traffic_costs_no_request() {
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let counts = site.counts().await;
    let load = site.load();
    site.biplane.kill();
    site.biplane.start_again().await;
    site.in_sync().await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
}

#[tokio::test]
async fn envoy_that_has_everything_hears_so_behind_each_restart() {
    const HEARD: &str = "cluster_manager.cds.update_success";
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    for _ in 0..3 {
        site.in_sync().await;
        let before = site.envoy.stat(HEARD).await.expect("a counter");
        site.biplane.kill();
        site.biplane.start_again().await;
        // Until it hears something, each restart doubles the time that it waits before it connects again.
        site.until_stat(HEARD, |heard| heard > before).await;
    }
}

#[tokio::test]
async fn edits_made_while_biplane_is_down_are_live_when_it_is_back() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let load = site.load();
    site.biplane.stop().await;
    site.replace(&[upstream("two", &two), service("one", &crate::harness::resources::route_to("/", "two"))]);
    site.biplane.start_again().await;
    site.until_upstream("two").await;
    site.until_stat("cluster_manager.cluster_removed", |removed| removed == 1).await;
    load.stop().assert_clean();
}

/// A site with TLS on its port and a plain gateway beside it, and what a client needs.
struct Both {
    site: Site,
    plain: u16,
    request: Request,
    identity: Identity,
}

impl Both {
    async fn start() -> Self {
        let (authority, plain) = (Authority::new("Ours"), biplane_testkit::free_port());
        let identity = authority.issue(&[HOST]);
        let ssl = "secretRef: { name: key }";
        let tree = Tree::with_tls(&[
            secret("key", &identity),
            tls_service("tls", HOST, ssl, &route_answering("/", "tls")),
            service("plain", &route_answering("/", "plain")),
        ]);
        tree.files.write("plain.yaml", &gateway(plain));
        let site = tree.site().await;
        ports_open(&[plain]).await;
        let request = Request::get(HOST, "/").tls(ClientTls::trusting(authority.certificate()));
        Self { site, plain, request, identity }
    }

    /// Both gateways answer as they did at the start.
    async fn answer(&self) -> anyhow::Result<()> {
        let tls = self.request.send(self.site.port).await?;
        ensure!(tls.text() == "tls" && tls.certificate == Some(self.identity.der()), "{}", tls.status);
        let plain = Request::get(HOST, "/").send(self.plain).await?;
        ensure!(plain.text() == "plain", "{} {}", plain.status, plain.text());
        Ok(())
    }

    /// Ends Biplane, does something to the files, and starts it again, with a new Envoy that has nothing.
    async fn restart_all(&mut self, meanwhile: impl FnOnce(&Site)) {
        self.site.biplane.stop().await;
        meanwhile(&self.site);
        self.site.envoy.stop().await;
        self.site.biplane.start_again().await;
        self.site.envoy.start_again().await;
        self.site.envoy.ready().await;
        ports_open(&[self.site.port, self.plain]).await;
    }
}

fn remove_root(site: &Site) {
    fs::rename(site.files.root(), site.directory.join("away")).expect("on one file system");
}

#[tokio::test]
async fn restart_without_its_store_serves_the_last_good_configuration_tls_included() {
    let mut both = Both::start().await;
    both.restart_all(remove_root).await;
    both.answer().await.expect("the answers of before");
    let status = status::command(&both.site.biplane);
    assert_eq!(status["gate"]["state"], "restored", "{status:#}");
    assert_eq!(status["sources"][0]["state"], "restored");

    fs::rename(both.site.directory.join("away"), both.site.files.root()).expect("on one file system");
    status::until(&both.site.biplane, "an open gate", |status| status["gate"]["state"] == "open").await;
    both.answer().await.expect("the answers of before");
    both.site.files.write("plain.yaml", &gateway(both.plain));
    both.site.files.write("later.yaml", &service("later", &route_answering("/later", "later")));
    eventually("a change", PATIENCE, async || {
        let answer = Request::get(HOST, "/later").send(both.plain).await?;
        ensure!(answer.text() == "later", "{}", answer.text());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_was_deleted_while_the_store_was_away_goes_when_it_is_back() {
    let mut both = Both::start().await;
    both.restart_all(remove_root).await;
    both.answer().await.expect("the answers of before");
    let away = both.site.directory.join("away");
    fs::remove_file(away.join("plain.yaml")).expect("it was written");
    fs::rename(&away, both.site.files.root()).expect("on one file system");
    eventually("no plain listener", PATIENCE, async || {
        ensure!(Request::get(HOST, "/").send(both.plain).await.is_err(), "it answers");
        Ok(())
    })
    .await;
    assert_eq!(both.site.ask(&both.request).await.text(), "tls");
}

#[tokio::test]
async fn biplane_stops_in_order_while_envoys_are_connected() {
    let mut both = Both::start().await;
    both.site.in_sync().await;
    assert!(both.site.biplane.stop().await.success());
    both.answer().await.expect("Envoy goes on by itself");
}

#[tokio::test]
async fn restart_with_bad_edits_present_serves_their_last_good_versions() {
    let mut both = Both::start().await;
    let break_them = |site: &Site| {
        let text = fs::read_to_string(site.files.path("resources.yaml")).expect("it was written");
        // The secret loses its key's end, the services their matchers' spelling.
        let broken = text.replace("BEGIN PRIVATE", "BEGIN BROKEN").replace("prefix:", "prefx:");
        site.files.write("resources.yaml", &broken);
        site.files.write("plain.yaml", "kind: Gateway\nmetadata: { name: web }\nspec: { bindPort: none }\n");
    };
    both.restart_all(break_them).await;
    both.answer().await.expect("the answers of before");
    let status = status::command(&both.site.biplane);
    assert_eq!(status["gate"]["state"], "open", "the store itself is fine");
    for object in
        ["Gateway gloo-system/web", "VirtualService gloo-system/plain", "VirtualService gloo-system/tls"]
    {
        let reports = status::reports(&status, object);
        assert!(reports.iter().any(|report| report["severity"] == "error"), "{object}: {status:#}");
    }
}

#[tokio::test]
async fn last_good_configuration_on_disk_is_private_and_its_secrets_sealed() {
    let mut both = Both::start().await;
    both.site.biplane.stop().await;
    let files: Vec<PathBuf> = fs::read_dir(both.site.biplane.state())
        .expect("a state directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    assert!(files.len() >= 2, "a snapshot and its key: {files:?}");
    let line = both.identity.key.lines().nth(1).expect("a PEM has lines");
    for file in files {
        let mode = fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
        let bytes = fs::read(&file).expect("it is ours");
        let leaks = bytes.windows(line.len()).any(|window| window == line.as_bytes());
        assert!(!leaks, "{} holds the private key in clear", file.display());
    }
}

#[tokio::test]
async fn power_cut_and_a_lost_store_leave_the_last_good_configuration() {
    let mut both = Both::start().await;
    eventually("an edition on disk", PATIENCE, async || {
        ensure!(!snapshots(&both.site).is_empty(), "none yet");
        Ok(())
    })
    .await;
    both.site.biplane.kill();
    both.restart_all(remove_root).await;
    both.answer().await.expect("the answers of before");
}

#[tokio::test]
async fn damaged_snapshot_on_disk_falls_back_to_the_one_before() {
    let mut both = Both::start().await;
    both.site.biplane.stop().await;
    // A second edition with the same content but for one service.
    both.site.files.write("later.yaml", &service("later", &route_answering("/later", "later")));
    both.site.biplane.start_again().await;
    status::until(&both.site.biplane, "a later service", |status| status["objects"]["VirtualService"] == 3)
        .await;
    both.restart_all(|site| {
        let newest = snapshots(site).pop().expect("an edition");
        let mut bytes = fs::read(&newest).expect("it is ours");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&newest, bytes).expect("it is ours");
        remove_root(site);
    })
    .await;
    both.answer().await.expect("the answers of before");
}

/// The editions on disk, the oldest first.
fn snapshots(site: &Site) -> Vec<PathBuf> {
    // The first edition makes the directory.
    let entries = fs::read_dir(site.biplane.state()).into_iter().flatten();
    let mut editions: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot-")))
        .collect();
    let number = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.trim_start_matches("snapshot-").parse::<u64>().unwrap_or_default()
    };
    editions.sort_by_key(number);
    editions
}

#[tokio::test]
async fn tls_traffic_survives_a_restart_without_the_store() {
    let mut both = Both::start().await;
    let counts = both.site.counts().await;
    let rate = biplane_testkit::load::Rate::default();
    let load = biplane_testkit::Load::start(both.site.port, vec![both.request.clone()], rate);
    both.site.biplane.stop().await;
    remove_root(&both.site);
    both.site.biplane.start_again().await;
    both.site.in_sync().await;
    load.stop().assert_clean();
    assert_eq!(both.site.counts().await, counts);
}
