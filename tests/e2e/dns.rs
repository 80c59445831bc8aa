//! Names that Biplane looks up become endpoints of a real Envoy, against a DNS server on loopback.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::ensure;
use biplane_testkit::dns::{DnsServer, Mood, ResponseCode};
use biplane_testkit::upstream::Options;
use biplane_testkit::{Request, Upstream, eventually, free_port, throughout};
use serde_json::Value;

use crate::harness::resources::{object, service_to};
use crate::harness::{Bootstrap, CALM, HOST, PATIENCE, Site, Tree, status};

const NAME: &str = "web.test";
const SERVICES: &str = "_http._tcp.test";

/// Names are looked up five times a second.
const QUICK: &str = "minRefresh=200ms&maxRefresh=200ms&timeout=1s&retryMax=500ms";

/// A site whose only upstream asks this.
async fn site(server: &DnsServer, question: &str) -> Site {
    let upstream = object("Upstream", "web", &format!("dns: {{ {question} }}"));
    let tree = Tree::with(&[upstream, service_to("web")]);
    let biplane = tree.biplane_with(&["--discovery", &server.url(QUICK)]).await;
    tree.site_on(biplane, Bootstrap::default()).await
}

fn v4(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn listen(name: &str, address: IpAddr, port: u16) -> Upstream {
    Upstream::start_with(name, Options { address: Some((address, port).into()), ..Options::default() })
}

/// Waits until Envoy has exactly these endpoints, with their weights.
async fn until_places(site: &Site, wanted: &[(String, u64)]) {
    eventually(&format!("{wanted:?}"), PATIENCE, async || {
        let clusters = site.envoy.clusters().await?;
        let all = clusters["cluster_statuses"].as_array().into_iter().flatten();
        let ours = all.filter(|cluster| cluster["name"] == "web_gloo-system");
        let hosts = ours.filter_map(|cluster| cluster["host_statuses"].as_array()).flatten();
        let mut found: Vec<_> = hosts.map(place).collect();
        found.sort();
        ensure!(found == wanted, "{found:?}");
        Ok(())
    })
    .await;
}

fn place(host: &Value) -> (String, u64) {
    let at = &host["address"]["socket_address"];
    let place = format!("{}:{}", at["address"].as_str().unwrap_or_default(), at["port_value"]);
    (place, host["weight"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn addresses_of_both_families_are_followed_and_no_change_costs_a_request() {
    let (server, port) = (DnsServer::start().await, free_port());
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let _servers = [listen("one", v4(1), port), listen("two", v4(2), port), listen("six", six, port)];
    server.addresses(NAME, &[v4(1)]);
    let site = site(&server, &format!("name: {NAME}, record: any, port: {port}")).await;
    site.until_upstream("one").await;
    let (counts, load) = (site.counts().await, site.load());
    server.addresses(NAME, &[v4(1), six]);
    site.until_upstream("six").await;
    server.addresses(NAME, &[v4(2)]);
    until_places(&site, &[(format!("127.0.0.2:{port}"), 1)]).await;
    assert_eq!(site.get("/").await.upstream(), Some("two"));
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts, "endpoints go by EDS");
}

#[tokio::test]
async fn services_bring_ports_and_shares_and_those_of_the_best_priority_get_everything() {
    let server = DnsServer::start().await;
    let (one, two, spare) = (Upstream::start("one"), Upstream::start("two"), Upstream::start("spare"));
    for host in ["a.test", "b.test", "c.test"] {
        server.addresses(host, &[v4(1)]);
    }
    let spares = (20, 1, spare.port(), "c.test");
    server.services(SERVICES, &[(10, 3, one.port(), "a.test"), (10, 1, two.port(), "b.test"), spares]);
    let site = site(&server, &format!("name: {SERVICES}, record: srv")).await;
    let at = |upstream: &Upstream, weight: u64| (format!("127.0.0.1:{}", upstream.port()), weight);
    let mut both = [at(&one, 3), at(&two, 1)];
    both.sort();
    until_places(&site, &both).await;
    for upstream in ["one", "two"] {
        site.until_upstream(upstream).await;
    }
    let load = site.load();
    server.services(SERVICES, &[spares]);
    until_places(&site, &[at(&spare, 1)]).await;
    assert_eq!(site.get("/").await.upstream(), Some("spare"));
    load.stop().assert_clean();
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_keeps_its_endpoints_and_one_that_is_not_there_has_none() {
    let (server, one) = (DnsServer::start().await, Upstream::start("one"));
    server.addresses(NAME, &[v4(1)]);
    let site = site(&server, &format!("name: {NAME}, port: {}", one.port())).await;
    site.until_upstream("one").await;
    let load = site.load();
    for (mood, says) in [
        (Mood::Error(ResponseCode::ServFail), "SERVFAIL"),
        (Mood::Error(ResponseCode::Refused), "REFUSED"),
        (Mood::Silent, "gives no answer in time"),
    ] {
        server.mood(mood);
        status::until_report(&site.biplane, "Upstream gloo-system/web", says).await;
        let known = "what is known stays in use";
        status::until_report(&site.biplane, "Upstream gloo-system/web", known).await;
        throughout("answers", CALM, async || {
            let answer = site.get("/").await;
            ensure!(answer.upstream() == Some("one"), "{}", answer.status);
            Ok(())
        })
        .await;
        server.mood(Mood::Well);
        status::until_clean(&site.biplane).await;
    }
    load.stop().assert_clean();

    // The server says that there is no such name: that is an answer.
    server.addresses(NAME, &[]);
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
    status::until_clean(&site.biplane).await;
    server.addresses(NAME, &[v4(1)]);
    site.until_upstream("one").await;
}
