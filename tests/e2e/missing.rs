//! Routes to upstreams that do not exist, and upstreams that no route wants.

use std::collections::BTreeSet;

use anyhow::ensure;
use biplane_testkit::{Request, Upstream, eventually};
use serde_json::Value;

use crate::harness::resources::{object, route_to, service, service_to, upstream};
use crate::harness::{HOST, PATIENCE, Site, status};

const POLICY: &str = r"
gloo:
  invalidConfigPolicy:
    replaceInvalidRoutes: true
    invalidRouteResponseCode: 421
    invalidRouteResponseBody: nobody home
";

/// Waits until these are Envoy's clusters, besides that of xDS.
async fn until_clusters(site: &Site, wanted: &[&str]) {
    eventually(&format!("the clusters {wanted:?}"), PATIENCE, async || {
        let dump = site.envoy.ask("/config_dump?resource=dynamic_active_clusters").await?.json()?;
        let dump = dump["configs"].as_array().cloned().unwrap_or_default();
        let name = |config: &Value| config["cluster"]["name"].as_str().map(str::to_owned);
        let names: BTreeSet<String> = dump.iter().filter_map(name).collect();
        ensure!(names.iter().eq(wanted), "the clusters are {names:?}");
        Ok(())
    })
    .await;
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
    let mut statuses = BTreeSet::new();
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
    until_clusters(&site, &["one_gloo-system"]).await;

    let routes = format!("{}\n{}", route_to("/two", "two"), route_to("/", "one"));
    site.replace(&[upstreams.as_slice(), &[service("one", &routes)]].concat());
    until_clusters(&site, &["one_gloo-system", "two_gloo-system"]).await;

    // Behind a table as well: a cluster header may name any of them.
    let delegating = "- { matchers: [{ prefix: / }], delegateAction: { ref: { name: any } } }";
    let table = object("RouteTable", "any", "routes: [{ routeAction: { clusterHeader: x-cluster } }]");
    site.replace(&[upstreams.as_slice(), &[service("one", delegating), table]].concat());
    until_clusters(&site, &["one_gloo-system", "three_gloo-system", "two_gloo-system"]).await;
    site.until(&Request::get(HOST, "/").header("x-cluster", "three_gloo-system"), |answer| {
        answer.status == 200
    })
    .await;

    site.replace(&to_one);
    until_clusters(&site, &["one_gloo-system"]).await;
    assert_eq!(site.get("/").await.upstream(), Some("one"));
}
