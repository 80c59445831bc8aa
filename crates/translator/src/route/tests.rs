//! Rules of routing, each by a whole translation. Small rules are tested beside their code.

mod actions;
mod configuration;
mod delegation;
mod merging;
mod options;

use serde_json::json;

use super::domains;
use super::testing::{Objects, decoded, lines, parsed, prefix, said, to};

#[test]
fn each_matcher_becomes_a_route_in_order() {
    let set = Objects::with_upstreams(&["u"]).routes(json!([
        { "matchers": [{ "exact": "/b" }, { "prefix": "/a" }, { "regex": "/c.*" }], "routeAction": to("u") },
        { "routeAction": to("u") },
    ]));
    let expected = [
        "exact /b -> u_default",
        "prefix /a -> u_default",
        "regex /c.* -> u_default",
        "prefix / -> u_default",
    ];
    assert_eq!(lines(&set), expected);
    let paths: Vec<_> = set.routes.iter().map(|route| route.path().to_string()).collect();
    let expected = [0, 1, 2].map(|index| format!("virtualHost.routes[0].matchers[{index}]"));
    assert_eq!(paths[..3], expected);
    assert_eq!(paths[3], "virtualHost.routes[1]");
}

#[test]
fn matcher_without_path_is_an_error_and_the_other_matchers_stay() {
    let set = Objects::with_upstreams(&["u"]).routes(json!([
        { "matchers": [{ "methods": ["GET"] }, { "prefix": "/a" }], "routeAction": to("u") },
    ]));
    assert_eq!(lines(&set), ["prefix /a -> u_default"]);
    let expected = "error: VirtualService default/vs: virtualHost.routes[0].matchers[0]: \
         the matcher has no path, so it is not used (hint: add `prefix: /` to match every path)";
    assert_eq!(said(&set), [expected]);
}

#[test]
fn route_keeps_the_name_that_its_author_gave() {
    let mut named = prefix("/", "u");
    named["name"] = "front".into();
    let set = Objects::with_upstreams(&["u"]).routes(json!([named, prefix("/", "u")]));
    let routes = decoded(&set);
    assert_eq!([routes[0].name.as_str(), routes[1].name.as_str()], ["front", ""]);
}

#[test]
fn connect_matcher_is_told_to_the_listener() {
    let objects = Objects::with_upstreams(&["u"]);
    let connect = json!([{ "matchers": [{ "connectMatcher": {} }], "routeAction": to("u") }]);
    assert!(objects.routes(connect).connect);
    assert!(!objects.routes(json!([prefix("/", "u")])).connect);
}

#[test]
fn route_without_action_is_an_error_and_costs_only_itself() {
    let set = Objects::with_upstreams(&["u"])
        .routes(json!([{ "matchers": [{ "prefix": "/a" }] }, prefix("/", "u")]));
    assert_eq!(lines(&set), ["prefix / -> u_default"]);
    assert_eq!(set.reports.len(), 1);
}

#[test]
fn equal_input_gives_equal_route_sets() {
    let objects = Objects::with_upstreams(&["u"]);
    let routes = || {
        let mut route = prefix("/", "u");
        route["options"] = json!({ "cors": { "allowOrigin": ["*"] }, "timeout": "3s" });
        route["routeAction"]["single"]["subset"] = json!({ "values": { "b": "2", "a": "1", "c": "3" } });
        json!([route])
    };
    assert_eq!(objects.routes(routes()), objects.routes(routes()));
}

#[test]
fn domains_are_lower_case_and_default_to_all() {
    let of = |host: serde_json::Value| {
        domains(&parsed(json!({ "virtualHost": host }))).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of(json!({ "domains": ["B.example.com", "a", "A"] })), ["a", "b.example.com"]);
    assert_eq!(of(json!({})), ["*"]);
}
