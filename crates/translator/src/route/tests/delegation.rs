//! Route tables: order, inheritance, and what is wrong without costing the rest.

use biplane_core::report::Severity;
use serde_json::{Value, json};

use super::super::testing::{Objects, decoded, forwarded, lines, name_of, prefix, reference, said, to};

/// A route that delegates to a table by name.
fn delegate(matchers: Value, table: &str) -> Value {
    json!({ "matchers": matchers, "delegateAction": { "ref": reference(table) } })
}

fn select() -> Value {
    json!({ "delegateAction": { "selector": { "labels": { "team": "a" } } } })
}

fn merge(mut value: Value, more: Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    value.as_object_mut().expect("an object").extend(more);
    value
}

fn header(name: &str) -> Value {
    json!({ "name": name, "value": "1" })
}

#[test]
fn routes_of_a_table_stand_where_the_delegating_route_is() {
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [prefix("/a/x", "u"), prefix("/a", "u")] }))
        .routes(json!([prefix("/b", "u"), delegate(json!([{ "prefix": "/a" }]), "t"), prefix("/", "u")]));
    let expected =
        ["prefix /b", "prefix /a/x", "prefix /a", "prefix /"].map(|line| format!("{line} -> u_default"));
    assert_eq!(lines(&set), expected);
    assert_eq!(set.routes[1].owner.to_string(), "RouteTable default/t");
    assert_eq!(set.routes[1].path().to_string(), "routes[0].matchers[0]");
    assert!(set.reports.is_empty());
}

#[test]
fn tables_of_different_weights_are_concatenated_by_weight() {
    let table = |path: &str, weight: i32| json!({ "weight": weight, "routes": [prefix(path, "u")] });
    let set = Objects::with_upstreams(&["u"])
        .table("a", table("/long/path", 2))
        .table("b", table("/", -1))
        .table("c", json!({ "routes": [prefix("/mid", "u")] }))
        .routes(json!([select()]));
    let expected = ["prefix / -> u_default", "prefix /mid -> u_default", "prefix /long/path -> u_default"];
    assert_eq!(lines(&set), expected);
}

#[test]
fn more_specific_routes_win_inside_a_weight_group() {
    let set = Objects::with_upstreams(&["u"])
        .table("a", json!({ "routes": [prefix("/", "u"), prefix("/b", "u")] }))
        .table(
            "b",
            json!({ "routes": [
            prefix("/a/long", "u"),
            { "matchers": [{ "exact": "/b" }, { "regex": "/.*" }], "routeAction": to("u") },
        ] }),
        )
        .routes(json!([select()]));
    let expected = ["exact /b", "regex /.*", "prefix /a/long", "prefix /b", "prefix /"]
        .map(|line| format!("{line} -> u_default"));
    assert_eq!(lines(&set), expected);
}

#[test]
fn one_table_keeps_the_order_of_its_author() {
    let set = Objects::with_upstreams(&["u"])
        .table("a", json!({ "routes": [prefix("/", "u"), prefix("/b", "u")] }))
        .routes(json!([select()]));
    assert_eq!(lines(&set), ["prefix / -> u_default", "prefix /b -> u_default"]);
}

#[test]
fn child_outside_its_parent_is_dropped_with_a_warning() {
    let parent = json!([{
        "prefix": "/a", "headers": [header("x-a")], "queryParameters": [header("q")], "methods": ["GET"],
    }]);
    let inside = json!({
        "prefix": "/a/b", "headers": [header("x-b"), header("x-a")], "queryParameters": [header("q")],
        "methods": ["GET", "PUT"],
    });
    let outside = [
        json!({ "prefix": "/b" }),
        json!({ "caseSensitive": false }),
        json!({ "headers": [header("x-b")] }),
        json!({ "queryParameters": [] }),
        json!({ "methods": ["PUT"] }),
    ];
    let children = [inside.clone()].into_iter().chain(outside.map(|change| merge(inside.clone(), change)));
    let routes: Vec<_> =
        children.map(|matcher| json!({ "matchers": [matcher], "routeAction": to("u") })).collect();
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": routes }))
        .routes(json!([delegate(parent, "t")]));
    assert_eq!(lines(&set), ["prefix /a/b -> u_default"]);
    assert_eq!(set.reports.len(), 5);
    assert!(set.reports.iter().all(|report| report.severity == Severity::Warning));
    let expected = "warning: RouteTable default/t: routes[1].matchers[0]: path \"/b\" does not start with \"/a\", \
         the prefix of VirtualService default/vs virtualHost.routes[0], which delegates here, so the route is dropped";
    assert_eq!(said(&set)[0], expected);
}

#[test]
fn child_without_matchers_needs_a_parent_that_matches_everything() {
    let objects =
        Objects::with_upstreams(&["u"]).table("t", json!({ "routes": [{ "routeAction": to("u") }] }));
    assert_eq!(lines(&objects.routes(json!([delegate(json!([]), "t")]))), ["prefix / -> u_default"]);
    assert_eq!(
        lines(&objects.routes(json!([delegate(json!([{ "prefix": "/" }]), "t")]))),
        ["prefix / -> u_default"]
    );
    let set = objects.routes(json!([delegate(json!([{ "prefix": "/a" }]), "t")]));
    assert!(set.routes.is_empty() && set.reports.len() == 1);
}

#[test]
fn parent_without_matcher_leaves_its_children_free() {
    let set = Objects::with_upstreams(&["u"])
        .table(
            "t",
            json!({ "routes": [
            { "matchers": [{ "regex": ".*[.]png", "caseSensitive": false }], "routeAction": to("u") },
            { "matchers": [{ "connectMatcher": {} }], "routeAction": to("u") },
        ] }),
        )
        .routes(json!([delegate(json!([]), "t")]));
    assert_eq!((set.routes.len(), set.connect, set.reports.len()), (2, true, 0));
}

#[test]
fn path_is_inherited_down_to_where_a_route_says_otherwise() {
    let parent =
        merge(delegate(json!([{ "prefix": "/a" }]), "t"), json!({ "inheritablePathMatchers": true }));
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [
            { "matchers": [{ "exact": "/elsewhere", "methods": ["GET"] }], "routeAction": to("u") },
            { "routeAction": to("u") },
            { "inheritablePathMatchers": false, "matchers": [{ "prefix": "/a/own" }], "routeAction": to("u") },
            delegate(json!([]), "below"),
        ] }))
        .table("below", json!({ "routes": [{ "matchers": [{ "prefix": "/x" }], "routeAction": to("u") }] }))
        .routes(json!([parent]));
    let expected =
        ["prefix /a", "prefix /a", "prefix /a/own", "prefix /a"].map(|line| format!("{line} -> u_default"));
    assert_eq!(lines(&set), expected);
}

#[test]
fn conditions_are_inherited_in_front_of_the_childs_own() {
    let parent = json!([{ "prefix": "/a", "headers": [header("x-a")], "methods": ["GET"] }]);
    let child =
        json!({ "matchers": [{ "prefix": "/a/b", "headers": [header("x-b")] }], "routeAction": to("u") });
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [child] }))
        .routes(json!([merge(delegate(parent, "t"), json!({ "inheritableMatchers": true }))]));
    let matcher = decoded(&set)[0].r#match.clone().unwrap();
    let names: Vec<_> = matcher.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(names, ["x-a", "x-b", ":method"]);
}

#[test]
fn conditions_of_a_parent_without_path_still_bind() {
    let parent = json!([{ "headers": [header("x-a")] }]);
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [prefix("/a", "u")] }))
        .routes(json!([delegate(parent, "t")]));
    assert!(set.routes.is_empty() && set.reports.len() == 1);
}

#[test]
fn options_come_from_route_then_references_then_parent() {
    let timeouts = |timeout: &str, idle: &str| json!({ "timeout": timeout, "idleTimeout": idle });
    let child = merge(
        prefix("/", "u"),
        json!({
            "options": { "prefixRewrite": "/own" },
            "optionsConfigRefs": { "delegateOptions": [reference("first"), reference("second")] },
        }),
    );
    let parent = json!({ "options": { "timeout": "9s", "idleTimeout": "9s", "hostRewrite": "parent" } });
    let set = Objects::with_upstreams(&["u"])
        .route_option("first", json!({ "timeout": "1s", "prefixRewrite": "/first" }))
        .route_option("second", timeouts("2s", "2s"))
        .table("t", json!({ "routes": [child] }))
        .routes(json!([merge(delegate(json!([]), "t"), parent)]));
    let routes = decoded(&set);
    let action = forwarded(&routes[0]);
    assert_eq!(action.prefix_rewrite, "/own");
    assert_eq!(action.timeout.as_ref().unwrap().seconds, 1);
    assert_eq!(action.idle_timeout.as_ref().unwrap().seconds, 2);
    assert!(action.host_rewrite_specifier.is_some());
}

#[test]
fn missing_options_are_a_warning_and_the_route_stays() {
    let refs = json!({ "optionsConfigRefs": { "delegateOptions": [reference("gone")] } });
    let set = Objects::with_upstreams(&["u"]).routes(json!([merge(prefix("/", "u"), refs)]));
    assert_eq!(set.routes.len(), 1);
    let expected = "warning: VirtualService default/vs: virtualHost.routes[0].optionsConfigRefs.delegateOptions[0]: \
         RouteOption default/gone does not exist, its options are missing";
    assert_eq!(said(&set), [expected]);
}

#[test]
fn missing_table_is_a_warning_and_the_rest_survives() {
    let set = Objects::with_upstreams(&["u"]).routes(json!([delegate(json!([]), "gone"), prefix("/", "u")]));
    assert_eq!(lines(&set), ["prefix / -> u_default"]);
    let expected = "warning: VirtualService default/vs: virtualHost.routes[0].delegateAction.ref: \
         RouteTable default/gone does not exist, so the route leads nowhere";
    assert_eq!(said(&set), [expected]);
}

#[test]
fn selector_that_finds_nothing_or_is_contradictory_is_a_warning() {
    let select = |selector: Value| json!([{ "delegateAction": { "selector": selector } }]);
    let objects = Objects::with_upstreams(&["u"]).table("t", json!({ "routes": [prefix("/", "u")] }));
    let none = json!({ "labels": { "team": "b" } });
    let both = json!({ "labels": { "team": "a" }, "expressions": [{ "key": "team", "operator": "Exists" }] });
    for selector in [none, both] {
        let set = objects.routes(select(selector));
        assert!(set.routes.is_empty());
        assert_eq!(set.reports.len(), 1);
        assert_eq!(set.reports[0].severity, Severity::Warning);
    }
}

#[test]
fn delegating_route_needs_one_prefix_at_most() {
    let objects = Objects::with_upstreams(&["u"]).table("t", json!({ "routes": [prefix("/", "u")] }));
    let bad = [
        json!([{ "prefix": "/" }, { "prefix": "/" }]),
        json!([{ "exact": "/" }]),
        json!([{ "regex": "/" }]),
        json!([{ "prefix": "" }]),
        json!([{ "connectMatcher": {} }]),
    ];
    for matchers in bad {
        let set = objects.routes(json!([delegate(matchers, "t"), prefix("/", "u")]));
        assert_eq!(lines(&set), ["prefix / -> u_default"]);
        assert_eq!(set.reports[0].severity, Severity::Error);
    }
}

#[test]
fn cycle_is_an_error_on_the_table_and_the_service_and_the_rest_survives() {
    let set = Objects::with_upstreams(&["u"])
        .table("a", json!({ "routes": [prefix("/a", "u"), delegate(json!([]), "b")] }))
        .table("b", json!({ "routes": [delegate(json!([]), "a"), prefix("/b", "u")] }))
        .routes(json!([delegate(json!([]), "a"), prefix("/", "u")]));
    assert_eq!(lines(&set), ["prefix /a -> u_default", "prefix /b -> u_default", "prefix / -> u_default"]);
    let circle = "route tables delegate in a circle: default/a -> default/b -> default/a \
         (hint: take out one of these delegations)";
    let expected = ["VirtualService default/vs", "RouteTable default/a"]
        .map(|object| format!("error: {object}: {circle}"));
    assert_eq!(said(&set), expected);
}

#[test]
fn table_that_is_reached_twice_speaks_once() {
    let set = Objects::default()
        .table("t", json!({ "routes": [prefix("/", "gone")] }))
        .routes(json!([delegate(json!([]), "t"), delegate(json!([]), "t")]));
    assert_eq!((set.routes.len(), set.reports.len()), (2, 1));
}

#[test]
fn chain_of_tables_ends_at_a_depth_that_the_stack_holds() {
    let mut objects = Objects::with_upstreams(&["u"]);
    for index in 0..100 {
        let below = delegate(json!([]), &(index + 1).to_string());
        objects = objects.table(&index.to_string(), json!({ "routes": [prefix("/", "u"), below] }));
    }
    let set = objects.routes(json!([delegate(json!([]), "0")]));
    assert_eq!(set.routes.len(), super::super::delegate::MAX_DEPTH);
    assert_eq!(set.reports.len(), 2);
}

#[test]
fn name_of_a_delegating_route_names_children_that_have_none() {
    let named = |route: Value, name: &str| merge(route, json!({ "name": name }));
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [prefix("/a", "u"), named(prefix("/b", "u"), "own")] }))
        .routes(json!([named(delegate(json!([]), "t"), "above")]));
    let routes = decoded(&set);
    assert_eq!([routes[0].name.as_str(), routes[1].name.as_str()], ["above", "own"]);
}

#[test]
fn child_that_leaves_the_destination_out_costs_only_itself() {
    let broken = json!({ "matchers": [{ "prefix": "/" }], "routeAction": { "single": {} } });
    let set = Objects::with_upstreams(&["u"])
        .table("t", json!({ "routes": [broken, prefix("/", "u")] }))
        .routes(json!([delegate(json!([]), "t")]));
    assert_eq!(lines(&set), ["prefix / -> u_default"]);
    assert!(set.clusters.contains(&name_of("u")));
}
