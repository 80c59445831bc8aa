//! What routes do, and what they answer where what they name does not exist.

use biplane_core::resources::settings::InvalidConfigPolicy;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use serde_json::{Value, json};

use super::super::RouteSet;
use super::super::testing::{Objects, decoded, forwarded, lines, prefix, reference, said};

fn weighted(destinations: Value) -> Value {
    json!([{ "matchers": [{ "prefix": "/" }], "routeAction": { "multi": { "destinations": destinations } } }])
}

fn share(upstream: &str, weight: u32) -> Value {
    json!({ "destination": { "upstream": reference(upstream) }, "weight": weight })
}

/// `a_default 9`: name and weight of each cluster.
fn clusters(action: &ClusterSpecifier) -> Vec<String> {
    let ClusterSpecifier::WeightedClusters(set) = action else { panic!("not weighted: {action:?}") };
    let line =
        |share: &ClusterWeight| format!("{} {}", share.name, share.weight.as_ref().expect("a weight").value);
    set.clusters.iter().map(line).collect()
}

fn replacing(code: u32) -> InvalidConfigPolicy {
    InvalidConfigPolicy {
        replace_invalid_routes: true,
        invalid_route_response_code: Some(code),
        invalid_route_response_body: Some("gone".to_owned()),
    }
}

/// The upstreams that are referenced, by their names.
fn referenced(set: &RouteSet) -> Vec<&str> {
    set.clusters.iter().map(|upstream| upstream.name.as_str()).collect()
}

#[test]
fn upstreams_that_routes_name_are_referenced_existing_or_not() {
    let routes = json!([prefix("/a", "a"), prefix("/b", "b"), prefix("/a/again", "a")]);
    assert_eq!(referenced(&Objects::with_upstreams(&["a"]).routes(routes)), ["a", "b"]);
    let shares = weighted(json!([share("a", 1), share("b", 1)]));
    assert_eq!(referenced(&Objects::with_upstreams(&["a"]).routes(shares)), ["a", "b"]);
    let all_missing = weighted(json!([share("b", 1), share("a", 1)]));
    assert_eq!(referenced(&Objects::default().routes(all_missing)), ["b"]);
}

#[test]
fn equal_bytes_have_equal_references_whether_the_upstream_exists() {
    let routes = [json!([prefix("/", "b")]), weighted(json!([share("a", 9), share("b", 1)]))];
    for routes in routes {
        let without = Objects::with_upstreams(&["a"]).routes(routes.clone());
        let with = Objects::with_upstreams(&["a", "b"]).routes(routes);
        assert_eq!((&without.routes, &without.clusters), (&with.routes, &with.clusters));
    }
}

#[test]
fn upstream_that_no_bytes_name_is_not_referenced() {
    let objects = Objects { policy: replacing(404), ..Objects::default() };
    assert!(objects.routes(json!([prefix("/", "gone")])).clusters.is_empty());
    let half_written = weighted(json!([share("a", 1), { "destination": {}, "weight": 1 }]));
    assert!(Objects::with_upstreams(&["a"]).routes(half_written).clusters.is_empty());
}

#[test]
fn missing_upstream_is_named_and_warned_about() {
    let set = Objects::default().routes(json!([prefix("/", "gone")]));
    assert_eq!(lines(&set), ["prefix / -> gone_default"]);
    let expected = "warning: VirtualService default/vs: virtualHost.routes[0].routeAction.single.upstream: \
         Upstream default/gone does not exist, requests to it fail";
    assert_eq!(said(&set), [expected]);
}

#[test]
fn missing_upstream_answers_as_the_policy_says() {
    let objects = Objects { policy: replacing(410), ..Objects::default() };
    let routes = decoded(&objects.routes(json!([prefix("/", "gone")])));
    let Some(Action::DirectResponse(response)) = &routes[0].action else { panic!("{routes:?}") };
    let body = response.body.as_ref().and_then(|body| body.specifier.clone());
    assert_eq!((response.status, body), (410, Some(Specifier::InlineString("gone".to_owned()))));
}

#[test]
fn policy_is_no_dependency_of_routes_that_lead_somewhere() {
    let objects = Objects::with_upstreams(&["a"]);
    objects.routes(json!([prefix("/", "a")]));
    assert!(!objects.policy_was_asked.get());
    objects.routes(json!([prefix("/", "gone")]));
    assert!(objects.policy_was_asked.get());
}

#[test]
fn policy_answers_404_with_a_body_by_default() {
    let policy = InvalidConfigPolicy { replace_invalid_routes: true, ..InvalidConfigPolicy::default() };
    let objects = Objects { policy, ..Objects::default() };
    let routes = decoded(&objects.routes(json!([prefix("/", "gone")])));
    let Some(Action::DirectResponse(response)) = &routes[0].action else { panic!("{routes:?}") };
    assert!(response.status == 404 && response.body.is_some());
}

#[test]
fn missing_upstream_costs_only_its_share() {
    let objects = Objects { policy: replacing(404), ..Objects::with_upstreams(&["a"]) };
    let set = objects.routes(weighted(json!([share("a", 9), share("gone", 1)])));
    let routes = decoded(&set);
    let action = forwarded(&routes[0]);
    assert_eq!(clusters(action.cluster_specifier.as_ref().unwrap()), ["a_default 9", "gone_default 1"]);
    assert_eq!(action.cluster_not_found_response_code, i32::from(ClusterNotFoundResponseCode::NotFound));
    assert_eq!((set.reports.len(), set.clusters.len()), (1, 2));
}

#[test]
fn weighted_set_without_any_upstream_answers_as_the_policy_says() {
    let objects = Objects { policy: replacing(410), ..Objects::default() };
    assert_eq!(lines(&objects.routes(weighted(json!([share("x", 1), share("y", 1)])))), ["prefix / -> 410"]);
}

#[test]
fn weights_that_envoy_refuses_are_an_error() {
    let objects = Objects::with_upstreams(&["a"]);
    for destinations in [json!([]), json!([share("a", 0)]), json!([share("a", u32::MAX), share("a", 1)])] {
        let set = objects.routes(weighted(destinations));
        assert!(set.routes.is_empty() && set.reports.len() == 1, "{set:?}");
    }
}

#[test]
fn weighted_destination_keeps_its_headers_and_its_subset() {
    let mut destination = share("a", 1);
    destination["destination"]["subset"] = json!({ "values": { "version": "v1" } });
    destination["options"] = json!({ "headerManipulation": { "requestHeadersToRemove": ["x-a"] } });
    let routes = decoded(&Objects::with_upstreams(&["a"]).routes(weighted(json!([destination]))));
    let Some(ClusterSpecifier::WeightedClusters(set)) = &forwarded(&routes[0]).cluster_specifier else {
        panic!("{routes:?}")
    };
    let cluster = &set.clusters[0];
    assert_eq!(cluster.request_headers_to_remove, ["x-a"]);
    assert!(cluster.metadata_match.as_ref().unwrap().filter_metadata.contains_key("envoy.lb"));
}

#[test]
fn upstream_group_is_a_weighted_set_and_its_faults_are_its_own() {
    let objects = Objects::with_upstreams(&["a"]).group("g", json!([share("a", 3), share("gone", 1)]));
    let set = objects.routes(json!([{ "routeAction": { "upstreamGroup": reference("g") } }]));
    let routes = decoded(&set);
    let specifier = forwarded(&routes[0]).cluster_specifier.as_ref().unwrap();
    assert_eq!(clusters(specifier), ["a_default 3", "gone_default 1"]);
    let expected = "warning: UpstreamGroup default/g: destinations[1].destination.upstream: \
         Upstream default/gone does not exist, requests to it fail";
    assert_eq!(said(&set), [expected]);
}

#[test]
fn missing_upstream_group_names_a_cluster_that_cannot_exist() {
    let objects = Objects::with_upstreams(&["g"]);
    let set = objects.routes(json!([{ "routeAction": { "upstreamGroup": reference("g") } }]));
    assert_eq!(lines(&set), ["prefix / -> upstream-group:default/g"]);
    assert!(set.clusters.is_empty() && set.reports.len() == 1);
}

#[test]
fn cluster_header_references_every_upstream() {
    let set = Objects::default().routes(json!([{ "routeAction": { "clusterHeader": "x-cluster" } }]));
    assert!(set.cluster_header);
    let specifier = forwarded(&decoded(&set)[0]).cluster_specifier.clone();
    assert_eq!(specifier, Some(ClusterSpecifier::ClusterHeader("x-cluster".to_owned())));
}

#[test]
fn subset_selects_endpoints_by_metadata() {
    let mut route = prefix("/", "a");
    route["routeAction"]["single"]["subset"] = json!({ "values": { "version": "v1" } });
    let routes = decoded(&Objects::with_upstreams(&["a"]).routes(json!([route])));
    let metadata = forwarded(&routes[0]).metadata_match.as_ref().unwrap();
    assert!(metadata.filter_metadata["envoy.lb"].fields.contains_key("version"));
}

#[test]
fn redirect_carries_every_field() {
    let set = Objects::default().routes(json!([{ "redirectAction": {
        "hostRedirect": "b.example.com", "prefixRewrite": "/new", "responseCode": "PERMANENT_REDIRECT",
        "httpsRedirect": true, "stripQuery": true, "portRedirect": 8443,
    } }]));
    let routes = decoded(&set);
    let Some(Action::Redirect(redirect)) = &routes[0].action else { panic!("{routes:?}") };
    assert_eq!((redirect.host_redirect.as_str(), redirect.port_redirect), ("b.example.com", 8443));
    assert_eq!(redirect.response_code(), RedirectResponseCode::PermanentRedirect);
    assert_eq!(redirect.path_rewrite_specifier, Some(PathRewriteSpecifier::PrefixRewrite("/new".to_owned())));
    assert_eq!(redirect.scheme_rewrite_specifier, Some(SchemeRewriteSpecifier::HttpsRedirect(true)));
    assert!(redirect.strip_query);
}

#[test]
fn direct_response_without_a_body_has_none() {
    let set = Objects::default().routes(json!([{ "directResponseAction": { "status": 204, "body": "" } }]));
    let routes = decoded(&set);
    let Some(Action::DirectResponse(response)) = &routes[0].action else { panic!("{routes:?}") };
    assert_eq!((response.status, &response.body), (204, &None));
}
