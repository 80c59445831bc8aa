//! Certificates that Vault issues: scenario 11, both sides of mutual TLS, roots that rotate under traffic.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::bao::Pki;
use biplane_testkit::load::Rate;
use biplane_testkit::{ClientTls, Load, Request, Upstream, eventually, free_port};
use serde_json::json;

use super::world::{Vault, secret, until_secret};
use crate::harness::resources::{
    gateway_with, object, route_answering, route_to, service_with, tls_service, upstream,
};
use crate::harness::{Bootstrap, HOST, Site, Tree, envoy, ports_open, status};

const INNER: &str = "inner.example.com";

/// A secret that Vault issues, for so long.
fn issued(name: &str, common_name: &str, ttl: &str) -> String {
    object(
        "Secret",
        name,
        &format!("vault: {{ pki: {{ role: any, commonName: {common_name}, ttl: {ttl} }} }}"),
    )
}

/// Two gateways in front of one upstream: the outer one asks the inner one by mutual TLS, with certificates that
/// Vault issues for both.
struct Chain {
    vault: Vault,
    pki: Pki,
    root: String,
    site: Site,
    inner_port: u16,
    _inner: biplane_testkit::Envoy,
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
        let inner_port = free_port();
        let verify = "verifySubjectAltName: [outer.example.com]";
        let inner_ssl = format!("secretRef: {{ name: inner }}\nsniDomains: [{INNER}]\n{verify}");
        let outer_ssl = format!(
            "sslConfig: {{ secretRef: {{ name: outer }}, sni: {INNER}, verifySubjectAltName: [{INNER}] }}"
        );
        let inner_host =
            format!("static: {{ hosts: [{{ addr: 127.0.0.1, port: {inner_port} }}], useTls: true }}");
        let mut objects = vec![
            gateway_with("outer", tree.port, "httpGateway: { virtualServiceSelector: { at: outer } }"),
            gateway_with(
                "inner",
                inner_port,
                "ssl: true\nproxyNames: [inner]\nhttpGateway: { virtualServiceSelector: { at: inner } }",
            ),
            labelled(&service_with("outer", "*", &route_to("/", "to-inner"), ""), "outer"),
            labelled(&tls_service("inner", "*", &inner_ssl, &route_to("/", "pets")), "inner"),
            object("Upstream", "to-inner", &format!("{inner_host}\n{outer_ssl}")),
            upstream("pets", &server),
            issued("inner", INNER, ttl),
            issued("outer", "outer.example.com", ttl),
        ];
        for number in 0..more {
            let (name, domain) = (format!("more-{number}"), more_domain(number));
            let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{domain}]\noneWayTls: true");
            objects.push(issued(&name, &domain, ttl));
            let service = tls_service(&name, &domain, &ssl, &route_answering("/", &name));
            objects.push(labelled(&service, "inner"));
        }
        tree.files.write("resources.yaml", &objects.join("---\n"));
        let biplane = vault.biplane(&tree, "&maxRate=20").await;
        let inner = envoy(&biplane, &Bootstrap::fleet("inner"), &tree.directory).await;
        ports_open(&[inner_port]).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        Self { vault, pki, root, site, inner_port, _inner: inner, _upstream: server }
    }

    /// Handshakes with so many more certificates of the inner gateway.
    fn handshakes(&self, more: usize) -> Load {
        let request = |number| {
            let tls = ClientTls::trusting(&self.root);
            Request::get(&more_domain(number), "/").tls(tls).header("connection", "close")
        };
        let rate = Rate { per_second: 50, connections: 2 };
        Load::start(self.inner_port, (0..more).map(request).collect(), rate)
    }

    /// Traffic of which each request makes its own way through both handshakes.
    fn traffic(&self) -> Load {
        let request = Request::get(HOST, "/").header("connection", "close");
        Load::start(self.site.port, vec![request], Rate { per_second: 100, connections: 4 })
    }

    async fn until_issued_by(&self, name: &str, issuer: &str) {
        eventually(&format!("{name} by {issuer}"), Duration::from_mins(1), async || {
            let secret = secret(&self.site.biplane, name).await;
            let by = secret["issuer"].as_str().unwrap_or_default();
            ensure!(by.contains(issuer), "{secret:#}");
            Ok(())
        })
        .await;
    }
}

fn more_domain(number: usize) -> String {
    format!("more-{number}.example.com")
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
    assert_eq!(secret["place"], format!("vault: pki pki role any for {INNER}"));
    status::until_clean(&chain.site.biplane).await;
    // `pki/sign` only: the policy allows both, and the engine has made no key.
    let log = chain.vault.bao.logs();
    assert!(!log.contains("pki/issue"), "{log}");
}

#[tokio::test]
async fn certificates_are_renewed_at_half_of_their_lives_without_a_failed_handshake() {
    let chain = Chain::start("20s").await;
    chain.site.until_upstream("pets").await;
    let before = [secret(&chain.site.biplane, "inner").await, secret(&chain.site.biplane, "outer").await];
    let counts = chain.site.counts().await;
    let traffic = chain.traffic();
    eventually("both are renewed", Duration::from_secs(30), async || {
        for (name, before) in ["inner", "outer"].into_iter().zip(&before) {
            let now = secret(&chain.site.biplane, name).await;
            ensure!(now["expires"].as_str() > before["expires"].as_str(), "{now:#}");
            ensure!(now["state"] == "known", "{now:#}");
        }
        Ok(())
    })
    .await;
    traffic.stop().assert_clean();
    assert_eq!(chain.site.counts().await, counts, "no listener or cluster is touched");
}

#[tokio::test]
async fn root_that_rotates_under_traffic_fails_no_handshake() {
    let chain = Chain::start("30s").await;
    chain.site.until_upstream("pets").await;
    let counts = chain.site.counts().await;
    let traffic = chain.traffic();
    chain.pki.root("Second root").await.expect("a root");
    chain.until_issued_by("inner", "Second root").await;
    chain.until_issued_by("outer", "Second root").await;
    traffic.stop().assert_clean();
    assert_eq!(chain.site.counts().await, counts, "no listener or cluster is touched");
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
        ensure!(alarmed == MORE + 2, "{alarmed} alarms");
        Ok(())
    })
    .await;
    chain.vault.bao.unseal().await;
    status::until_clean(&chain.site.biplane).await;
    traffic.stop().assert_clean();
    handshakes.stop().assert_clean();
}
