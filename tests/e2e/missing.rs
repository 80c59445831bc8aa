//! Routes to upstreams that do not exist, and upstreams that no route wants.

use biplane_testkit::{Request, Upstream};
use serde_json::Value;

use crate::harness::resources::{object, route_to, service, service_to, upstream};
use crate::harness::{HOST, Site, status};

const POLICY: &str = r"
gloo:
  invalidConfigPolicy:
    replaceInvalidRoutes: true
    invalidRouteResponseCode: 421
    invalidRouteResponseBody: nobody home
";

/// The names of Biplane's clusters that Envoy has.
async fn clusters(site: &Site) -> Vec<String> {
    let dump = site.envoy.ask("/config_dump?resource=dynamic_active_clusters").await.expect("a dump");
    let dump = dump.json().expect("JSON");
    let clusters = dump["configs"].as_array().cloned().unwrap_or_default();
    let name = |config: &Value| config["cluster"]["name"].as_str().map(str::to_owned);
    let mut names: Vec<String> = clusters.iter().filter_map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn route_to_a_missing_upstream_is_a_503_and_a_warning_until_it_comes() {
    let one = Upstream::start("one");
    let site = Site::start(&[service_to("one")]).await;
    assert_eq!(site.get("/").await.status, 503);
    let report =
        status::until_report(&site.biplane, "VirtualService gloo-system/one", "does not exist").await;
    assert_eq!(report["severity"], "warning", "{report}");
    let place = report["location"].as_str().expect("a place");
    assert!(place.contains("resources.yaml:"), "{place}");
    site.files.write("one.yaml", &upstream("one", &one));
    site.until_upstream("one").await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn invalid_config_policy_says_what_such_a_route_answers() {
    let site = Site::start(&[service_to("gone"), object("Settings", "default", POLICY)]).await;
    let answer = site.get("/").await;
    assert_eq!((answer.status, answer.text().as_str()), (421, "nobody home"));
    site.replace(&[service_to("gone")]);
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
}

#[tokio::test]
async fn missing_upstream_costs_only_its_share() {
    let one = Upstream::start("one");
    let routes = r"
- matchers: [{ prefix: /half }]
  routeAction:
    multi:
      destinations:
      - { destination: { upstream: { name: one } }, weight: 1 }
      - { destination: { upstream: { name: gone } }, weight: 1 }
- { routeAction: { single: { upstream: { name: one } } } }
";
    let site = Site::start(&[upstream("one", &one), service("half", routes)]).await;
    assert_eq!(site.get("/").await.status, 200);
    let mut statuses = std::collections::BTreeSet::new();
    for _ in 0..40 {
        statuses.insert(site.get("/half").await.status);
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 503]);
}

#[tokio::test]
async fn only_upstreams_that_a_route_wants_become_clusters() {
    let one = Upstream::start("one");
    let upstreams = ["one", "two", "three"].map(|name| upstream(name, &one));
    let to_one = [upstreams.as_slice(), &[service_to("one")]].concat();
    let site = Site::start(&to_one).await;
    assert_eq!(clusters(&site).await, ["one_gloo-system"]);

    let routes = format!("{}\n{}", route_to("/two", "two"), route_to("/", "one"));
    site.replace(&[upstreams.as_slice(), &[service("one", &routes)]].concat());
    site.until(&Request::get(HOST, "/two"), |answer| answer.status == 200).await;
    let tables = "routes: [{ routeAction: { clusterHeader: x-cluster } }]";
    let delegating = "- { matchers: [{ prefix: / }], delegateAction: { ref: { name: any } } }";
    site.until(&Request::get(HOST, "/two"), |answer| answer.upstream() == Some("one")).await;
    assert_eq!(clusters(&site).await, ["one_gloo-system", "two_gloo-system"]);

    let by_header = [service("one", delegating), object("RouteTable", "any", tables)];
    site.replace(&[upstreams.as_slice(), &by_header].concat());
    let to_three = Request::get(HOST, "/").header("x-cluster", "three_gloo-system");
    site.until(&to_three, |answer| answer.status == 200).await;
    assert_eq!(clusters(&site).await.len(), 3, "a cluster header may name any of them");

    site.replace(&to_one);
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 200).await;
    site.until_stat("cluster_manager.active_clusters", |count| count == 2).await; // and that of xDS
    assert_eq!(clusters(&site).await, ["one_gloo-system"]);
}
