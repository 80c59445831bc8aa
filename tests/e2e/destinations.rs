//! Where requests go: one upstream, several by weight, a group, the one that a header names, a subset.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service, upstream};
use crate::harness::{HOST, Site};

/// How many of `requests` each of the two upstreams has answered.
async fn shares(site: &Site, path: &str, requests: usize) -> (usize, usize) {
    let mut shares = (0, 0);
    for _ in 0..requests {
        match site.get(path).await.upstream() {
            Some("one") => shares.0 += 1,
            Some("two") => shares.1 += 1,
            other => panic!("{path} was answered by {other:?}"),
        }
    }
    shares
}

/// Far from what chance may do: a fair coin stays in here but once in ten million times.
fn assert_about(share: usize, expected: usize, requests: usize) {
    let tolerance = requests / 5;
    assert!(share.abs_diff(expected) <= tolerance, "{share} of {requests}, where {expected} are due");
}

fn two_upstreams() -> (Upstream, Upstream, [String; 2]) {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let objects = [upstream("one", &one), upstream("two", &two)];
    (one, two, objects)
}

#[tokio::test]
async fn single_destination_gets_every_request() {
    let (_one, two, objects) = two_upstreams();
    let routes = "- { routeAction: { single: { upstream: { name: one, namespace: gloo-system } } } }";
    let site = Site::start(&[objects.as_slice(), &[service("single", routes)]].concat()).await;
    assert_eq!(shares(&site, "/", 10).await, (10, 0));
    assert_eq!(two.requests(), 0);
}

#[tokio::test]
async fn weights_share_requests_out_and_each_share_has_its_own_headers() {
    let (_one, _two, objects) = two_upstreams();
    let routes = r"
- routeAction:
    multi:
      destinations:
      - destination: { upstream: { name: one } }
        weight: 75
        options:
          headerManipulation:
            requestHeadersToAdd: [{ header: { key: x-share, value: stable } }]
            responseHeadersToAdd: [{ header: { key: x-version, value: stable } }]
      - { destination: { upstream: { name: two } }, weight: 25 }
";
    let site = Site::start(&[objects.as_slice(), &[service("weighted", routes)]].concat()).await;
    let (one, _) = shares(&site, "/", 200).await;
    assert_about(one, 150, 200);
    let stable = site.until(&Request::get(HOST, "/"), |answer| answer.upstream() == Some("one")).await;
    assert_eq!(stable.header("x-version"), Some("stable"));
    assert_eq!(stable.json().expect("JSON")["headers"]["x-share"], "stable");
    let other = site.until(&Request::get(HOST, "/"), |answer| answer.upstream() == Some("two")).await;
    assert_eq!(other.header("x-version"), None);
}

#[tokio::test]
async fn weight_of_nothing_gets_nothing() {
    let (_one, _two, objects) = two_upstreams();
    let routes = r"
- routeAction:
    multi:
      destinations:
      - { destination: { upstream: { name: one } }, weight: 1 }
      - { destination: { upstream: { name: two } }, weight: 0 }
";
    let site = Site::start(&[objects.as_slice(), &[service("weighted", routes)]].concat()).await;
    assert_eq!(shares(&site, "/", 40).await, (40, 0));
}

#[tokio::test]
async fn upstream_group_shares_out_and_an_edit_of_it_moves_all_its_routes() {
    let (_one, _two, objects) = two_upstreams();
    let group = |one: u32, two: u32| {
        let destination = |name: &str, weight: u32| {
            format!("- {{ destination: {{ upstream: {{ name: {name} }} }}, weight: {weight} }}\n")
        };
        let destinations = format!("{}{}", destination("one", one), destination("two", two));
        object("UpstreamGroup", "canary", &format!("destinations:\n{destinations}"))
    };
    let routes = r"
- { matchers: [{ prefix: /a }], routeAction: { upstreamGroup: { name: canary } } }
- { matchers: [{ prefix: /b }], routeAction: { upstreamGroup: { name: canary } } }
";
    let site = Site::start(&[objects.as_slice(), &[service("grouped", routes)]].concat()).await;
    site.files.write("group.yaml", &group(1, 1));
    site.until(&Request::get(HOST, "/a"), |answer| answer.status == 200).await;
    assert_about(shares(&site, "/a", 100).await.0, 50, 100);

    site.files.write("group.yaml", &group(0, 1));
    // One edit is one route configuration: when 20 in a row show it on /a, /b has it too.
    let moved = async || {
        anyhow::ensure!(shares(&site, "/a", 20).await == (0, 20));
        Ok(())
    };
    biplane_testkit::eventually("the whole of /a at two", crate::harness::PATIENCE, moved).await;
    assert_eq!(shares(&site, "/b", 20).await, (0, 20));
}

#[tokio::test]
async fn cluster_header_picks_any_upstream_by_its_cluster_name() {
    let (_one, _two, objects) = two_upstreams();
    let routes = "- { routeAction: { clusterHeader: x-cluster } }";
    let site = Site::start(&[objects.as_slice(), &[service("by-header", routes)]].concat()).await;
    let ask = async |cluster: &str| site.ask(&Request::get(HOST, "/").header("x-cluster", cluster)).await;
    assert_eq!(ask("one_gloo-system").await.upstream(), Some("one"));
    assert_eq!(ask("two_gloo-system").await.upstream(), Some("two"));
    assert_eq!(ask("three_gloo-system").await.status, 503);
    // A request without the header names no cluster at all.
    assert_eq!(site.get("/").await.upstream(), None);
}

#[tokio::test]
async fn subset_picks_endpoints_by_their_metadata() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let host = |server: &Upstream, stage: &str| {
        format!("- {{ addr: 127.0.0.1, port: {}, metadata: {{ stage: {stage} }} }}\n", server.port())
    };
    let hosts = format!("static:\n  hosts:\n  {}  {}", host(&one, "blue"), host(&two, "green"));
    let routes = r"
- { matchers: [{ prefix: /blue }], routeAction: { single: { upstream: { name: both }, subset: { values: { stage: blue } } } } }
- { matchers: [{ prefix: /green }], routeAction: { single: { upstream: { name: both }, subset: { values: { stage: green } } } } }
- { routeAction: { single: { upstream: { name: both } } } }
";
    let site = Site::start(&[object("Upstream", "both", &hosts), service("subsets", routes)]).await;
    assert_eq!(shares(&site, "/blue", 10).await, (10, 0));
    assert_eq!(shares(&site, "/green", 10).await, (0, 10));
    let (one, two) = shares(&site, "/", 20).await;
    assert!(one > 0 && two > 0, "without a subset all endpoints answer: {one} and {two}");
}
