//! Load balancers: how requests spread over the endpoints of one upstream.

use std::collections::{BTreeMap, BTreeSet};

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service, upstream_with};
use crate::harness::{HOST, Site};

const HASHED: &str = r"
- routeAction: { single: { upstream: { name: all } } }
  options: { lbHash: { hashPolicies: [{ header: x-user, terminal: true }] } }
";
const PLAIN: &str = "- { routeAction: { single: { upstream: { name: all } } } }";

async fn site(balancer: &str, routes: &str, servers: &[Upstream]) -> Site {
    let servers: Vec<_> = servers.iter().collect();
    let fields = format!("loadBalancerConfig: {{ {balancer} }}");
    Site::start(&[upstream_with("all", &servers, &fields), service("balanced", routes)]).await
}

fn servers() -> [Upstream; 3] {
    ["one", "two", "three"].map(Upstream::start)
}

/// Who answers requests with this user's header.
async fn endpoints_of(site: &Site, user: &str, requests: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..requests {
        let answer = site.ask(&Request::get(HOST, "/").header("x-user", user)).await;
        seen.extend(answer.upstream().map(str::to_owned));
    }
    seen
}

/// Each user stays with one endpoint, and the users do not all stay with the same.
async fn assert_sticky(site: &Site) {
    let mut endpoints = BTreeSet::new();
    for user in 0..20 {
        let seen = endpoints_of(site, &format!("user-{user}"), 3).await;
        assert_eq!(seen.len(), 1, "user {user} went to {seen:?}");
        endpoints.extend(seen);
    }
    assert!(endpoints.len() > 1, "all users went to {endpoints:?}");
}

#[tokio::test]
async fn ring_hash_keeps_a_header_at_one_endpoint() {
    let servers = servers();
    assert_sticky(&site("ringHash: { ringHashConfig: { minimumRingSize: 128 } }", HASHED, &servers).await)
        .await;
}

#[tokio::test]
async fn maglev_keeps_a_header_at_one_endpoint() {
    let servers = servers();
    assert_sticky(&site("maglev: {}", HASHED, &servers).await).await;
}

#[tokio::test]
async fn cookie_that_envoy_makes_keeps_a_client_at_one_endpoint() {
    let servers = servers();
    let routes = HASHED.replace("header: x-user", "cookie: { name: lane, ttl: 1h, path: / }");
    let site = site("ringHash: {}", &routes, &servers).await;
    let first = site.get("/").await;
    let cookie = first.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    assert!(cookie.starts_with("lane="), "{cookie}");
    for _ in 0..5 {
        let again = site.ask(&Request::get(HOST, "/").header("cookie", cookie)).await;
        assert_eq!(again.upstream(), first.upstream());
    }
}

#[tokio::test]
async fn every_endpoint_gets_requests_from_the_balancers_that_spread() {
    let servers = servers();
    for balancer in ["roundRobin: {}", "leastRequest: { choiceCount: 2 }", "random: {}"] {
        let site = site(balancer, PLAIN, &servers).await;
        assert_eq!(endpoints_of(&site, "any", 60).await.len(), 3, "{balancer}");
    }
}

#[tokio::test]
async fn weights_of_static_hosts_share_requests_out() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let host = |server: &Upstream, weight: u32| {
        format!("{{ addr: 127.0.0.1, port: {}, loadBalancingWeight: {weight} }}", server.port())
    };
    let hosts = format!("static: {{ hosts: [{}, {}] }}", host(&one, 3), host(&two, 1));
    let site = Site::start(&[object("Upstream", "all", &hosts), service("weighted", PLAIN)]).await;
    let mut answered = BTreeMap::<String, usize>::new();
    for _ in 0..40 {
        let answer = site.get("/").await;
        *answered.entry(answer.upstream().expect("an upstream").to_owned()).or_default() += 1;
    }
    // Round robin by weight is exact over whole rounds, whatever its start.
    assert!(answered["one"].abs_diff(30) <= 2, "{answered:?}");
}
