//! Certificates that Vault issues: scenario 11, both sides of mutual TLS, roots that rotate under traffic.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::bao::Pki;
use biplane_testkit::load::Rate;
use biplane_testkit::{ClientTls, Envoy, Load, Request, Upstream, eventually, free_port};
use serde_json::{Value, json};

use super::world::{Vault, domain, secret, until_secret};
use crate::harness::resources::{
    gateway_with, object, route_answering, route_to, service_with, tls_service, upstream,
};
use crate::harness::{Bootstrap, HOST, PATIENCE, Site, Tree, counts, envoy, ports_open, status};

/// The gateways that a request passes, one after the other, and the certificates that they show one another.
const ALL: [&str; 3] = ["outer", "middle", "inner"];

/// A secret that Vault issues, for so long.
fn issued(name: &str, ttl: &str) -> String {
    let common_name = domain(name);
    object(
        "Secret",
        name,
        &format!("vault: {{ pki: {{ role: any, commonName: {common_name}, ttl: {ttl} }} }}"),
    )
}

/// A gateway that lets in `client` only, and what it does with its requests.
fn verifying(name: &str, port: u16, client: &str, to: &str) -> [String; 2] {
    let (server, client) = (domain(name), domain(client));
    let ssl =
        format!("secretRef: {{ name: {name} }}\nsniDomains: [{server}]\nverifySubjectAltName: [{client}]");
    let selector = format!("httpGateway: {{ virtualServiceSelector: {{ at: {name} }} }}");
    [
        gateway_with(name, port, &format!("ssl: true\nproxyNames: [{name}]\n{selector}")),
        labelled(&tls_service(name, "*", &ssl, &route_to("/", to)), name),
    ]
}

/// The way of `client` to a gateway: the upstream `to-<gateway>`.
fn way_to(gateway: &str, port: u16, client: &str) -> String {
    let server = domain(gateway);
    let host = format!("static: {{ hosts: [{{ addr: 127.0.0.1, port: {port} }}], useTls: true }}");
    let ssl = format!(
        "sslConfig: {{ secretRef: {{ name: {client} }}, sni: {server}, verifySubjectAltName: [{server}] }}"
    );
    // No handshake is saved by a connection that stays.
    let connection = "connectionConfig: { maxRequestsPerConnection: 1 }";
    object("Upstream", &format!("to-{gateway}"), &format!("{host}\n{ssl}\n{connection}"))
}

/// Three gateways in a row in front of one upstream: each asks the next one by mutual TLS, with certificates that
/// Vault issues for all of them.
struct Chain {
    vault: Vault,
    pki: Pki,
    root: String,
    site: Site,
    inner_port: u16,
    behind: Vec<Envoy>,
    _upstream: Upstream,
}

impl Chain {
    async fn start(ttl: &str) -> Self {
        Self::with_more(ttl, 0).await
    }

    /// The same with more certificates at the inner gateway, for as long.
    async fn with_more(ttl: &str, more: usize) -> Self {
        let tree = Tree::new();
        let vault = Vault::start(&tree).await;
        let pki = vault.bao.root().pki("pki");
        pki.mount().await.expect("an engine");
        let root = pki.root("First root").await.expect("a root");
        pki.role("any", &json!({ "max_ttl": "24h" })).await.expect("a role");
        let server = Upstream::start("pets");
        let [middle_port, inner_port] = [free_port(), free_port()];
        let mut objects = vec![
            gateway_with("outer", tree.port, "httpGateway: { virtualServiceSelector: { at: outer } }"),
            labelled(&service_with("outer", "*", &route_to("/", "to-middle"), ""), "outer"),
            way_to("middle", middle_port, "outer"),
            way_to("inner", inner_port, "middle"),
            upstream("pets", &server),
        ];
        objects.extend(verifying("middle", middle_port, "outer", "to-inner"));
        objects.extend(verifying("inner", inner_port, "middle", "pets"));
        objects.extend(ALL.map(|name| issued(name, ttl)));
        for number in 0..more {
            let name = more_name(number);
            let domain = domain(&name);
            let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{domain}]\noneWayTls: true");
            objects.push(issued(&name, ttl));
            let service = tls_service(&name, &domain, &ssl, &route_answering("/", &name));
            objects.push(labelled(&service, "inner"));
        }
        tree.files.write("resources.yaml", &objects.join("---\n"));
        let biplane = vault.biplane(&tree, "&maxRate=20").await;
        let mut behind = Vec::new();
        for fleet in &ALL[1..] {
            behind.push(envoy(&biplane, &Bootstrap::fleet(fleet), &tree.directory).await);
        }
        ports_open(&[middle_port, inner_port]).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        Self { vault, pki, root, site, inner_port, behind, _upstream: server }
    }

    /// Handshakes with so many more certificates of the inner gateway.
    fn handshakes(&self, more: usize) -> Load {
        let request = |number| {
            let tls = ClientTls::trusting(&self.root);
            Request::get(&domain(&more_name(number)), "/").tls(tls).header("connection", "close")
        };
        let rate = Rate { per_second: 50, connections: 2 };
        Load::start(self.inner_port, (0..more).map(request).collect(), rate)
    }

    /// Traffic of which each request makes its own way through all handshakes.
    fn traffic(&self) -> Load {
        let request = Request::get(HOST, "/").header("connection", "close");
        Load::start(self.site.port, vec![request], Rate { per_second: 100, connections: 4 })
    }

    fn envoys(&self) -> impl Iterator<Item = &Envoy> {
        std::iter::once(&self.site.envoy).chain(&self.behind)
    }

    /// What each Envoy counts of listeners and clusters.
    async fn counts(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for envoy in self.envoys() {
            all.push(counts(envoy).await);
        }
        all
    }

    /// Ends the traffic once the state that was reached last has carried some. Each request was a handshake at each
    /// Envoy, and none has failed.
    async fn end(&self, traffic: Load) {
        let before = traffic.sent();
        eventually("some more traffic", PATIENCE, async || {
            ensure!(traffic.sent() > before + 100, "{} requests", traffic.sent() - before);
            Ok(())
        })
        .await;
        let report = traffic.stop();
        report.assert_clean();
        for envoy in self.envoys() {
            let handshakes = envoy.stats_matching("ssl\\.handshake$").await.expect("statistics");
            let most = handshakes.values().max().copied().unwrap_or_default();
            assert!(most >= report.sent(), "{} requests, {handshakes:?}", report.sent());
        }
    }

    /// Waits until a certificate of this root is served, with the roots that are to stay.
    async fn until_issued_by(&self, name: &str, issuer: &str) {
        eventually(&format!("{name} by {issuer}"), Duration::from_mins(1), async || {
            let secret = secret(&self.site.biplane, name).await;
            let by = secret["issuer"].as_str().unwrap_or_default();
            ensure!(by.contains(issuer) && secret["rotating"] != true, "{secret:#}");
            Ok(())
        })
        .await;
    }
}

fn more_name(number: usize) -> String {
    format!("more-{number}")
}

/// The same service with a label by which a gateway picks it.
fn labelled(service: &str, at: &str) -> String {
    service.replacen("metadata: { ", &format!("metadata: {{ labels: {{ at: {at} }}, "), 1)
}

#[tokio::test]
async fn both_sides_of_mutual_tls_are_issued_and_the_key_never_travels() {
    let chain = Chain::start("1h").await;
    chain.site.until_upstream("pets").await;
    let secret = until_secret(&chain.site.biplane, "inner", "known").await;
    assert!(secret["renews"].as_str() < secret["expires"].as_str(), "{secret:#}");
    assert_eq!(secret["place"], format!("vault: pki pki role any for {}", domain("inner")));
    status::until_clean(&chain.site.biplane).await;
    // `pki/sign` only: the policy allows both, and the engine has made no key.
    let log = chain.vault.bao.logs();
    assert!(!log.contains("pki/issue"), "{log}");
}

#[tokio::test]
async fn certificates_are_renewed_at_half_of_their_lives_without_a_failed_handshake() {
    let chain = Chain::start("20s").await;
    chain.site.until_upstream("pets").await;
    let mut before = Vec::new();
    for name in ALL {
        before.push(secret(&chain.site.biplane, name).await);
    }
    let counts = chain.counts().await;
    let traffic = chain.traffic();
    eventually("all are renewed", Duration::from_secs(30), async || {
        for (name, before) in ALL.into_iter().zip(&before) {
            let now = secret(&chain.site.biplane, name).await;
            ensure!(now["expires"].as_str() > before["expires"].as_str(), "{now:#}");
            ensure!(now["state"] == "known", "{now:#}");
        }
        Ok(())
    })
    .await;
    chain.end(traffic).await;
    assert_eq!(chain.counts().await, counts, "no listener or cluster is touched");
}

#[tokio::test]
async fn root_that_rotates_under_traffic_fails_no_handshake() {
    let chain = Chain::start("30s").await;
    chain.site.until_upstream("pets").await;
    let counts = chain.counts().await;
    let traffic = chain.traffic();
    chain.pki.root("Second root").await.expect("a root");
    for name in ALL {
        chain.until_issued_by(name, "Second root").await;
    }
    chain.end(traffic).await;
    assert_eq!(chain.counts().await, counts, "no listener or cluster is touched");
}

#[tokio::test]
async fn long_outage_in_which_50_certificates_come_due_is_survived_and_an_alarm_is_raised() {
    const MORE: usize = 50;
    let mut chain = Chain::with_more("60s", MORE).await;
    chain.site.until_upstream("pets").await;
    let (traffic, handshakes) = (chain.traffic(), chain.handshakes(MORE));
    chain.vault.bao.seal().await.expect("sealed");
    // They come due at half of their lives, and nobody renews them until four fifths have passed.
    eventually("an alarm for each", Duration::from_secs(70), async || {
        let status = status::fetch(&chain.site.biplane).await?;
        let alarmed = status::list(&status, "reports")
            .iter()
            .filter(|report| report.to_string().contains("less than a fifth of its life left"))
            .count();
        ensure!(alarmed == MORE + ALL.len(), "{alarmed} alarms");
        Ok(())
    })
    .await;
    chain.vault.bao.unseal().await;
    status::until_clean(&chain.site.biplane).await;
    chain.end(traffic).await;
    handshakes.stop().assert_clean();
}
