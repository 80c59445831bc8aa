//! The pages about where Biplane runs: every command of theirs, in order, under traffic.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use biplane_testkit::http::{ClientTls, Protocol};
use biplane_testkit::load::Rate;
use biplane_testkit::nomad::{Job, MANAGEMENT_TOKEN};
use biplane_testkit::{Consul, Load, Nomad, Request, TempDir, biplane, envoy, eventually, free_port};
use hyper::Method;
use serde_json::Value;

use super::terminal::Terminal;

/// Longer than anything takes that Nomad does.
const PATIENCE: Duration = Duration::from_mins(2);

const RATE: Rate = Rate { per_second: 500, connections: 8 };

/// A Nomad whose jobs are the two: its server, and a node.
struct Plant {
    node: Nomad,
    nomad: Nomad,
}

impl Plant {
    /// The port of a service's only instance.
    async fn port(&self, service: &str) -> anyhow::Result<u16> {
        let found = self.nomad.json(&format!("/v1/service/{service}")).await?;
        ensure!(found.as_array().is_some_and(|found| found.len() == 1), "{found}");
        let port = found[0]["Port"].as_u64().context("a port")?;
        Ok(port.try_into()?)
    }

    /// What a harmless change leaves as it was in Envoy.
    async fn losses(&self) -> anyhow::Result<Value> {
        let path = "/stats?format=json&filter=(cluster_removed|listener_removed|update_rejected)$";
        let answer = Request::get("envoy", path).send(self.port("envoy-admin").await?).await?;
        let mut stats = answer.json()?["stats"].take();
        // A cluster that comes to be has counters of its own.
        if let Some(stats) = stats.as_array_mut() {
            stats.retain(|stat| stat["value"] != 0);
        }
        Ok(stats)
    }

    /// The deployment of a version of Biplane's job has this status.
    async fn deployed(&self, version: u64, wanted: &str) {
        eventually(&format!("a deployment that is {wanted}"), PATIENCE, async || {
            let all = self.nomad.json("/v1/job/biplane/deployments").await?;
            let is_so = |one: &Value| one["JobVersion"] == version && one["Status"] == wanted;
            ensure!(all.as_array().is_some_and(|all| all.iter().any(is_so)), "{all}");
            Ok(())
        })
        .await;
    }

    /// What runs, by its allocations.
    async fn running(&self) -> BTreeSet<String> {
        let all = self.nomad.json("/v1/allocations").await.expect("there is a leader");
        let all = all.as_array().expect("a list").iter();
        let runs = all.filter(|one| one["ClientStatus"] == "running" && one["DesiredStatus"] == "run");
        runs.map(|one| one["ID"].as_str().expect("an allocation has an id").to_owned()).collect()
    }

    /// The agent of the node ends at once and comes back, then the server does: what ran goes on, under the same agent.
    async fn agents_restart(&mut self) {
        let before = self.running().await;
        assert_eq!(before.len(), 4, "Biplane, Envoy and the two of the shop: {before:?}");
        self.node.kill();
        self.node.start_again().await;
        for allocation in &before {
            self.taken_up(allocation).await;
        }
        // Not before: a node that comes back asks its server, and gives its tasks up if it is refused, as a server
        // does that has not read its own log yet.
        self.nomad.kill();
        self.nomad.start_again().await;
        assert_eq!(self.running().await, before);
    }

    /// The node's agent has an allocation's tasks in hand: it can send them a signal, which changes nothing.
    async fn taken_up(&self, allocation: &str) {
        let path = format!("/v1/client/allocation/{allocation}/signal");
        eventually("an agent that has its tasks again", PATIENCE, async || {
            self.node.call(Method::PUT, &path, r#"{"Signal": "SIGCONT"}"#).await.map(drop)
        })
        .await;
    }

    /// A new job with a tag is reached.
    async fn reaches_another(&self, gateway: u16) {
        let tags = ["biplane.enable=true", "biplane.hosts=late.example.com"].map(str::to_owned).to_vec();
        self.node.run(&Job { tags, ..Job::new("late") }).await.expect("the server takes it");
        eventually("an answer of the new job", PATIENCE, async || {
            let answer = Request::get("late.example.com", "/").send(gateway).await?;
            ensure!(answer.status == 200, "{}", answer.status);
            Ok(())
        })
        .await;
    }

    /// The certificate that Biplane shows to Envoys.
    async fn certificate(&self, authority: &str) -> anyhow::Result<Vec<u8>> {
        let tls = ClientTls::trusting(authority);
        let request = Request { tls: Some(tls), protocol: Protocol::Http2, ..Request::get("biplane", "/") };
        let answer = request.send(self.port("biplane-xds").await?).await?;
        Ok(answer.certificate.context("a certificate")?.to_vec())
    }

    async fn version(&self) -> u64 {
        let job = self.nomad.json("/v1/job/biplane").await.expect("there is the job");
        job["Version"].as_u64().expect("a job has a version")
    }

    /// Envoy has a stream to a Biplane, which serves the routes of tags.
    async fn in_sync(&self) {
        eventually("an Envoy that Biplane knows", PATIENCE, async || {
            let admin = self.port("biplane-admin").await?;
            let status = Request::get("biplane", "/v1/status").send(admin).await?.json()?;
            let nodes = status["nodes"].as_array().context("a list of nodes")?;
            ensure!(nodes.len() == 1 && nodes[0]["inSync"] == true, "{nodes:?}");
            Ok(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_page_about_nomad_is_true() {
    let directory = TempDir::new("jobs");
    let nomad = Nomad::builder().acl(true).server().start(&directory).await;
    let node = Nomad::builder().named("node").client_of(&nomad).start(&directory).await;
    let (address, agent) = (nomad.address(), node.address());
    let mut plant = Plant { node, nomad };
    let mut page = Terminal::page("docs/deploy/nomad.md", directory);
    page.export("NOMAD_ADDR", &format!("http://{address}"));
    page.export("NOMAD_TOKEN", MANAGEMENT_TOKEN);
    page.export("NOMAD_VAR_driver", "raw_exec");
    page.export("NOMAD_VAR_biplane", &biplane::binary().display().to_string());
    page.export("NOMAD_VAR_envoy", &envoy::binary().display().to_string());
    page.export("NOMAD_VAR_gateway_port", &page.gateway().to_string());
    page.export("NOMAD_VAR_jwks", &format!("http://{agent}/.well-known/jwks.json"));

    page.runs("biplane pki init", 0);
    page.runs("nomad var put nomad/jobs/biplane", 0);
    page.runs("nomad var put nomad/jobs/envoy", 0);
    page.runs("nomad acl policy apply", 0);
    page.runs("nomad job run nomad/jobs/biplane", 0);
    page.runs("nomad job run nomad/jobs/envoy", 0);
    page.runs("nomad job run -var upstream", 0);
    page.shows("curl", &["200 OK", "shop.example.com"]).await;
    page.shows("biplane status", &["ready", "gateway-proxy", "delta", "yes"]).await;

    let before = plant.losses().await.expect("Envoy has statistics");
    let load = Load::start(page.gateway(), vec![Request::get("shop.example.com", "/")], RATE);
    fs::copy(biplane::binary(), page.path("biplane-next")).expect("there is room");
    page.runs("nomad job run -var biplane=", 0);
    plant.deployed(1, "successful").await;
    plant.in_sync().await;

    page.runs("nomad job run -detach", 0);
    plant.deployed(2, "failed").await;
    plant.deployed(3, "successful").await;
    let shown = page.runs("nomad job deployments", 0).stdout;
    assert!(shown.contains("rolling back to job version 1"), "{shown}");
    plant.in_sync().await;
    assert_eq!(plant.version().await, 3);

    plant.agents_restart().await;
    plant.in_sync().await;
    plant.reaches_another(page.gateway()).await;

    let authority = fs::read_to_string(page.path("pki/ca.pem")).expect("the page has made it");
    let old = plant.certificate(&authority).await.expect("Biplane shows one");
    page.runs("biplane pki issue", 0);
    page.runs("nomad var put -force", 0);
    eventually("the new certificate", PATIENCE, async || {
        ensure!(plant.certificate(&authority).await? != old, "it is the old one");
        Ok(())
    })
    .await;
    plant.in_sync().await;
    load.stop().assert_clean();
    assert_eq!(plant.losses().await.expect("Envoy has statistics"), before);
    page.is_done();
}

#[tokio::test]
async fn page_about_consul_is_true() {
    let directory = TempDir::new("deploy-consul");
    let consul = Consul::start(&directory).await;
    let mut page = Terminal::page("docs/deploy/consul.md", directory);
    page.export("CONSUL_HTTP_ADDR", &consul.address().to_string());
    page.replace("127.0.0.1:8500", &consul.address().to_string());
    page.runs("biplane init", 0);
    page.starts("python3 examples/upstream.py");
    for _ in 0..3 {
        page.runs("consul kv put", 0);
    }
    page.starts("biplane serve");
    page.starts("biplane envoy bootstrap");
    page.gateway_runs().await;
    page.shows("curl", &["200 OK", "pets.example.com"]).await;
    page.runs("consul kv put", 0);
    page.shows("biplane check", &["biplane/config/Upstream/default/pets@", "prot", "did you mean \"port\"?"])
        .await;
    page.shows("curl", &["200 OK"]).await;
    page.runs("consul kv put", 0);
    page.shows("biplane check", &["nothing wrong"]).await;
    page.is_done();
}

#[tokio::test]
async fn page_about_envoy_is_true() {
    let directory = TempDir::new("deploy-envoy");
    let mut page = Terminal::page("docs/deploy/envoy.md", directory);
    page.brings("quickstart");
    for port in ["127.0.0.1:9979", "127.0.0.1:9980", "127.0.0.1:19001"] {
        page.replace(port, &format!("127.0.0.1:{}", free_port()));
    }
    page.starts("biplane serve");
    page.starts("python3 examples/upstream.py");
    page.starts("biplane envoy bootstrap");
    page.gateway_runs().await;
    page.shows("curl", &["200 OK"]).await;
    page.runs("biplane pki init", 0);
    page.starts("biplane serve --config");
    page.runs("biplane envoy bootstrap --xds", 0);
    page.shows("envoy --mode validate", &["OK"]).await;
    let drained = page.runs("biplane envoy drain", 0);
    assert!(drained.stderr.contains("drained"), "{drained:?}");
    page.is_done();
}
