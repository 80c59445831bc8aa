//! Virtual hosts of several services.

use std::collections::BTreeSet;

use biplane_core::report::Report;
use envoy_types::pb::envoy::config::route::v3 as pb;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::super::testing::{Objects, line, parsed, prefix, reference, service_key, to};
use super::super::{Placement, RouteSet, Specificity, virtual_host};

fn objects() -> Objects {
    Objects::with_upstreams(&["a", "b", "c"])
}

/// The virtual host of services `a`, `b` ... (the oldest first) with these routes.
fn merged(services: &[Value]) -> (Vec<String>, Vec<Report>) {
    let sets: Vec<_> = services
        .iter()
        .zip('a'..)
        .map(|(routes, name)| {
            (
                name.to_string(),
                objects().translate_as(
                    &name.to_string(),
                    json!({ "routes": routes }),
                    Placement::VirtualHost,
                ),
            )
        })
        .collect();
    let (host, reports) = join(&sets);
    (host.routes.iter().map(line).collect(), reports)
}

fn join(sets: &[(String, RouteSet)]) -> (pb::VirtualHost, Vec<Report>) {
    let keys: Vec<_> = sets.iter().map(|(name, _)| service_key(name)).collect();
    let services: Vec<_> = keys.iter().zip(sets).map(|(key, (_, set))| (key, set)).collect();
    let domains = BTreeSet::from(["b.example.com".to_owned(), "a.example.com".to_owned()]);
    let (host, reports) = virtual_host("host", &domains, &services);
    (pb::VirtualHost::decode(host.bytes).expect("an encoded virtual host"), reports)
}

#[test]
fn routes_of_one_service_go_in_as_they_are() {
    let routes = json!([prefix("/", "a"), prefix("/long", "a")]);
    let (lines, reports) = merged(&[routes]);
    assert_eq!(lines, ["prefix / -> a_default", "prefix /long -> a_default"]);
    assert!(reports.is_empty());
}

#[test]
fn more_specific_route_comes_first_whichever_service_has_it() {
    let (lines, reports) = merged(&[
        json!([prefix("/", "a")]),
        json!([prefix("/users", "b"), prefix("/u", "b")]),
        json!([{ "matchers": [{ "exact": "/users/me" }], "routeAction": to("c") }]),
    ]);
    let expected = [
        "exact /users/me -> c_default",
        "prefix /users -> b_default",
        "prefix /u -> b_default",
        "prefix / -> a_default",
    ];
    assert_eq!(lines, expected);
    assert!(reports.is_empty());
}

#[test]
fn own_order_is_kept_between_routes_that_overlap() {
    let (lines, _) = merged(&[
        json!([prefix("/a", "a"), prefix("/a/b", "a"), prefix("/x", "a")]),
        json!([prefix("/a/bcd", "b"), { "matchers": [{ "regex": "/x.*" }], "routeAction": to("b") }]),
    ]);
    let expected = [
        "prefix /a/bcd -> b_default",
        "prefix /a -> a_default",
        "prefix /a/b -> a_default",
        "prefix /x -> a_default",
        "regex /x.* -> b_default",
    ];
    let position = |line: &str| lines.iter().position(|other| other == line).expect(line);
    assert_eq!(lines.len(), expected.len());
    assert!(position("prefix /a -> a_default") < position("prefix /a/b -> a_default"));
    assert!(position("prefix /a/bcd -> b_default") < position("prefix /a -> a_default"));
    assert!(position("prefix /a/bcd -> b_default") < position("regex /x.* -> b_default"));
}

#[test]
fn route_behind_one_that_does_not_overlap_keeps_its_own_rank() {
    let exact = json!({ "matchers": [{ "exact": "/foo" }], "routeAction": to("a") });
    let (lines, _) = merged(&[json!([prefix("/x", "a"), exact]), json!([prefix("/foo", "b")])]);
    assert_eq!(lines, ["exact /foo -> a_default", "prefix /foo -> b_default", "prefix /x -> a_default"]);
}

#[test]
fn catch_all_in_front_of_its_own_services_routes_hides_no_other_service() {
    let exact = json!({ "matchers": [{ "exact": "/foo" }], "routeAction": to("a") });
    let (lines, _) = merged(&[json!([prefix("/", "a"), exact]), json!([prefix("/foo", "b")])]);
    assert_eq!(lines, ["prefix /foo -> b_default", "prefix / -> a_default", "exact /foo -> a_default"]);
}

#[test]
fn of_equally_specific_routes_the_older_services_comes_first() {
    let (lines, _) = merged(&[json!([prefix("/b", "a")]), json!([prefix("/a", "b")])]);
    assert_eq!(lines, ["prefix /b -> a_default", "prefix /a -> b_default"]);
}

#[test]
fn identical_matchers_conflict_and_the_older_service_keeps_them() {
    let (lines, reports) = merged(&[json!([prefix("/", "a")]), json!([prefix("/b", "b"), prefix("/", "b")])]);
    assert_eq!(lines, ["prefix /b -> b_default", "prefix / -> a_default"]);
    let said: Vec<_> = reports.iter().map(ToString::to_string).collect();
    let (older, younger) = (
        "VirtualService default/a virtualHost.routes[0].matchers[0]",
        "VirtualService default/b virtualHost.routes[1].matchers[0]",
    );
    let what = "prefix \"/\" on a.example.com, b.example.com is";
    let expected = [
        format!(
            "warning: VirtualService default/a: virtualHost.routes[0].matchers[0]: {what} also matched by {younger}, \
             which is younger and not used"
        ),
        format!(
            "error: VirtualService default/b: virtualHost.routes[1].matchers[0]: {what} already matched by {older}, \
             which is older, so {younger} is not used (hint: match something else, or delete one of the two)"
        ),
    ];
    assert_eq!(said, expected);
}

#[test]
fn repeated_matcher_of_one_service_is_no_conflict() {
    let (lines, reports) = merged(&[json!([prefix("/", "a"), prefix("/", "b")]), json!([prefix("/c", "c")])]);
    assert_eq!(lines, ["prefix /c -> c_default", "prefix / -> a_default", "prefix / -> b_default"]);
    assert!(reports.is_empty());
}

#[test]
fn conflict_inside_a_shared_table_is_reported_on_the_services() {
    let objects = objects().table("t", json!({ "routes": [prefix("/", "a")] }));
    let host = || json!({ "routes": [{ "delegateAction": { "ref": reference("t") } }] });
    let sets: Vec<_> = ["a", "b"]
        .map(|name| (name.to_owned(), objects.translate_as(name, host(), Placement::VirtualHost)))
        .into();
    let (_, reports) = join(&sets);
    let objects: Vec<_> = reports.iter().map(|report| report.object.as_ref().unwrap().to_string()).collect();
    assert_eq!(objects, ["VirtualService default/a", "VirtualService default/b"]);
    assert!(
        reports[1].message.contains("RouteTable default/t routes[0].matchers[0] of VirtualService default/a")
    );
}

#[test]
fn shared_virtual_host_keeps_options_that_all_agree_on() {
    let options = json!({ "retries": { "retryOn": "5xx" } });
    let sets: Vec<_> = ["a", "b"]
        .map(|name| {
            let host = json!({ "routes": [prefix(&format!("/{name}"), name)], "options": options });
            (name.to_owned(), objects().translate_as(name, host, Placement::VirtualHost))
        })
        .into();
    assert_eq!(sets[0].1.host, sets[1].1.host);
    assert_eq!(join(&sets).0.retry_policy.unwrap().retry_on, "5xx");
}

#[test]
fn attempt_count_holds_for_a_shared_virtual_host_as_soon_as_one_service_wants_it() {
    let set = |name: &str, options: Value| {
        let host = json!({ "routes": [prefix(&format!("/{name}"), name)], "options": options });
        (name.to_owned(), objects().translate_as(name, host, Placement::Routes))
    };
    let sets = [
        set("a", json!({ "includeRequestAttemptCount": true, "retries": { "retryOn": "5xx" } })),
        set("b", json!({})),
    ];
    let (host, _) = join(&sets);
    assert!(host.include_request_attempt_count && !host.include_attempt_count_in_response);
    assert_eq!(host.retry_policy, None);
}

/// A path matcher, and the same as a test of a path: regexes are prefixes in disguise.
type Pattern = (&'static str, String);

fn pattern() -> impl Strategy<Value = Pattern> {
    let kinds = prop::sample::select(vec!["prefix", "prefix", "exact", "regex"]);
    (kinds, "/[ab]{0,3}")
}

fn matcher((kind, text): &Pattern) -> Value {
    let text = if *kind == "regex" { format!("{text}.*") } else { text.clone() };
    json!({ *kind: text })
}

fn matches((kind, text): &Pattern, path: &str) -> bool {
    if *kind == "exact" { text == path } else { path.starts_with(text.as_str()) }
}

/// The merged routes of services with these patterns, as indices of service and route.
fn order_of(services: &[Vec<Pattern>]) -> Vec<(usize, usize)> {
    let target = |service: usize, route: usize| format!("s{service}-{route}");
    let routes = |(service, patterns): (usize, &Vec<Pattern>)| -> Value {
        let routes = patterns.iter().enumerate();
        routes
            .map(|(route, pattern)| {
                json!({ "matchers": [matcher(pattern)], "routeAction": to(&target(service, route)) })
            })
            .collect()
    };
    let (lines, _) = merged(&services.iter().enumerate().map(routes).collect::<Vec<_>>());
    let name = |line: &String| {
        line.split(" -> s").nth(1).and_then(|name| name.strip_suffix("_default")).map(str::to_owned)
    };
    let index = |name: String| -> Option<(usize, usize)> {
        let (service, route) = name.split_once('-')?;
        Some((service.parse().ok()?, route.parse().ok()?))
    };
    lines.iter().map(|line| name(line).and_then(index).expect("a target")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Of what survives, the first route of a service that matches a request is the same as if the service were alone.
    #[test]
    fn merging_changes_nothing_between_the_routes_of_one_service(
        services in vec(vec(pattern(), 0..6), 2..4),
        paths in vec("/[ab]{0,4}", 8),
    ) {
        let order = order_of(&services);
        for (service, patterns) in services.iter().enumerate() {
            let together: Vec<_> = order.iter().filter(|index| index.0 == service).map(|index| index.1).collect();
            let mut alone = together.clone();
            alone.sort_unstable();
            for path in &paths {
                let first = |order: &[usize]| order.iter().copied().find(|&route| matches(&patterns[route], path));
                prop_assert_eq!(first(&together), first(&alone), "{} of service {}", path, service);
            }
        }
    }

    #[test]
    fn services_that_are_sorted_by_specificity_merge_sorted(mut services in vec(vec(pattern(), 0..6), 2..4)) {
        let specificity = |pattern: &Pattern| Specificity::of(&parsed(matcher(pattern)));
        for patterns in &mut services {
            patterns.sort_by_key(specificity);
        }
        let order = order_of(&services);
        prop_assert!(order.is_sorted_by_key(|&(service, route)| (specificity(&services[service][route]), service, route)));
    }
}
