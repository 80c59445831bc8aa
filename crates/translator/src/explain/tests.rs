//! Judgements of routes as the translator writes them.

use serde_json::{Value, json};

use super::host::{Kind, candidates, without_port};
use super::*;
use crate::route::testing::Objects;

fn get(path: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        authority: "example.com".to_owned(),
        path: path.to_owned(),
        ..Request::default()
    }
}

fn with_header(name: &str, value: &str) -> Request {
    Request { headers: vec![(name.to_owned(), value.to_owned())], ..get("/") }
}

/// The one route that a matcher and an action become.
fn route(matcher: &Value, action: &Value) -> Vec<u8> {
    let mut route = action.clone();
    route["matchers"] = json!([matcher]);
    let set = Objects::with_upstreams(&["a", "b"]).routes(json!([route]));
    set.routes[0].bytes.to_vec()
}

/// Why a request is not taken; none: it is.
fn why(matcher: &Value, request: &Request) -> Option<String> {
    let route = route(matcher, &json!({ "directResponseAction": { "status": 200 } }));
    match judge(&route, request) {
        Judgement::Matches => None,
        Judgement::Not(miss) => Some(miss.why),
        Judgement::Unknown(why) => Some(format!("unknown: {why}")),
    }
}

fn effect_of(matcher: &Value, action: &Value, request: &Request) -> Effect {
    effect(&route(matcher, action), request).expect("an effect")
}

#[test]
fn paths_are_compared_without_their_query() {
    let cases = [
        (json!({ "prefix": "/api" }), "/apis/x?y", None),
        (json!({ "prefix": "/api" }), "/x", Some("path /x does not begin with /api")),
        (json!({ "exact": "/login" }), "/login?next=/", None),
        (json!({ "exact": "/login" }), "/login/", Some("path /login/ is not /login")),
        (json!({ "exact": "/Login", "caseSensitive": false }), "/lOGIN", None),
        (json!({ "prefix": "/Api", "caseSensitive": false }), "/aPI/x", None),
        (json!({ "regex": "/a|/b" }), "/b", None),
        (json!({ "regex": "/a" }), "/ab", Some("path /ab does not match the regex /a")),
        (json!({ "regex": "/\\d" }), "/\u{664}", Some("path /\u{664} does not match the regex /\\d")),
        (json!({ "connectMatcher": {} }), "/", Some("it is for CONNECT requests")),
    ];
    for (matcher, path, expected) in cases {
        assert_eq!(why(&matcher, &get(path)).as_deref(), expected, "{matcher} {path}");
    }
}

#[test]
fn connect_takes_connect_and_nothing_else_does() {
    let connect = Request { method: "CONNECT".to_owned(), path: String::new(), ..get("/") };
    assert_eq!(why(&json!({ "connectMatcher": {} }), &connect), None);
    assert!(why(&json!({ "prefix": "/" }), &connect).is_some_and(|why| why.contains("CONNECT")));
}

#[test]
fn a_header_that_is_absent_is_compared_with_no_value() {
    let value = json!({ "prefix": "/", "headers": [{ "name": "X-A", "value": "1" }] });
    let other = json!({ "prefix": "/", "headers": [{ "name": "x-a", "value": "1", "invertMatch": true }] });
    let none = json!({ "prefix": "/", "headers": [{ "name": "x-a", "invertMatch": true }] });
    let any = json!({ "prefix": "/", "headers": [{ "name": "x-a" }] });
    let cases = [
        (&value, with_header("x-a", "1"), None),
        (&value, with_header("x-a", "2"), Some("header x-a is \"2\", not \"1\"")),
        (&value, get("/"), Some("header x-a is absent")),
        (&other, with_header("x-a", "2"), None),
        (&other, with_header("x-a", "1"), Some("header x-a is \"1\"")),
        (&other, get("/"), Some("header x-a is absent")),
        (&none, get("/"), None),
        (&none, with_header("x-a", "2"), Some("header x-a is there")),
        (&any, with_header("x-a", ""), None),
    ];
    for (matcher, request, expected) in cases {
        assert_eq!(why(matcher, &request).as_deref(), expected, "{matcher} {request:?}");
    }
}

#[test]
fn methods_and_query_parameters_are_conditions_like_others() {
    let methods = json!({ "prefix": "/", "methods": ["POST", "M-SEARCH"] });
    assert_eq!(why(&methods, &get("/")).as_deref(), Some("method is \"GET\", not regex POST|M\\-SEARCH"));
    assert_eq!(why(&methods, &Request { method: "M-SEARCH".to_owned(), ..get("/") }), None);
    let page =
        json!({ "prefix": "/", "queryParameters": [{ "name": "page", "value": "[0-9]", "regex": true }] });
    let cases = [
        ("/?page=1", None),
        ("/?a=b&page=1&page=x", None),
        ("/?page=11", Some("query parameter page is \"11\", not regex [0-9]")),
        ("/?pages=1", Some("query parameter page is absent")),
    ];
    for (path, expected) in cases {
        assert_eq!(why(&page, &get(path)).as_deref(), expected, "{path}");
    }
}

#[test]
fn the_address_of_a_client_decides_where_it_is_known_and_stays_open_where_not() {
    let office = json!({ "prefix": "/", "clientIp": { "ranges": ["10.0.0.0/8", "2001:db8::/32"] } });
    let from = |address: &str| Request { client_ip: Some(address.parse().expect("an address")), ..get("/") };
    assert_eq!(why(&office, &from("10.1.2.3")), None);
    assert_eq!(why(&office, &from("::ffff:10.1.2.3")), None);
    assert_eq!(why(&office, &from("2001:db8:1::1")), None);
    let expected = "client 192.0.2.1 is not in 10.0.0.0/8, 2001:db8::/32";
    assert_eq!(why(&office, &from("192.0.2.1")).as_deref(), Some(expected));
    assert!(why(&office, &get("/")).is_some_and(|why| why.starts_with("unknown: ")));
    let both = json!({
        "prefix": "/",
        "methods": ["POST"],
        "clientIp": { "ranges": ["10.0.0.0/8"] },
    });
    let expected = "method is \"GET\", not \"POST\"";
    assert_eq!(why(&both, &get("/")).as_deref(), Some(expected), "what fails anyway is no open question");
}

#[test]
fn a_matcher_is_told_in_words() {
    let told = json!({
        "prefix": "/users",
        "caseSensitive": false,
        "methods": ["GET"],
        "headers": [{ "name": "x-a", "value": "1", "invertMatch": true }, { "name": "x-b", "invertMatch": true }],
        "queryParameters": [{ "name": "debug" }],
        "clientIp": { "ranges": ["10.0.0.0/8"], "invertMatch": true },
    });
    let route = route(&told, &json!({ "directResponseAction": { "status": 200 } }));
    let expected = "prefix /users in any case, header x-a not \"1\", no header x-b, method \"GET\", \
                    query parameter debug, client not 10.0.0.0/8";
    assert_eq!(matcher(&route), expected);
}

#[test]
fn domains_are_tried_from_the_closest_to_the_widest() {
    let all: Vec<_> = candidates("A.bc").map(|(domain, _)| domain).collect();
    assert_eq!(all, ["a.bc", "*.bc", "*bc", "*c", "a.b*", "a.*", "a*", "*"]);
    assert_eq!(candidates("a").next(), Some(("a".to_owned(), Kind::Exact)));
    for (authority, host) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")] {
        assert_eq!(without_port(authority), host);
    }
}

#[test]
fn paths_are_resolved_as_the_connection_manager_does() {
    let cases = [
        ("/public/../admin?a=/../b", true, false, "/admin?a=/../b"),
        ("/a/./b/%2E%2e/c", true, false, "/a/c"),
        ("/../..", true, false, "/"),
        ("/a/..", true, false, "/"),
        ("/a\\b", true, false, "/a/b"),
        ("/%6cog%49n%2Fx%zz%", true, false, "/logIn%2Fx%zz%"),
        ("//a///b", true, false, "//a///b"),
        ("//a///b", false, true, "/a/b"),
        ("/a/../b", false, false, "/a/../b"),
    ];
    for (path, normalize, merge, expected) in cases {
        assert_eq!(normalized(path, normalize, merge), expected, "{path}");
    }
}

#[test]
fn redirects_lead_where_envoy_sends_a_client() {
    let prefix = json!({ "prefix": "/old" });
    let cases = [
        (json!({ "httpsRedirect": true }), "https://example.com/old/x?q=1"),
        (json!({ "hostRedirect": "new.example", "portRedirect": 8443 }), "http://new.example:8443/old/x?q=1"),
        (json!({ "pathRedirect": "/new", "stripQuery": true }), "http://example.com/new"),
        (json!({ "pathRedirect": "/new?own=1" }), "http://example.com/new?own=1"),
        (json!({ "prefixRewrite": "/new" }), "http://example.com/new/x?q=1"),
        (
            json!({ "regexRewrite": { "pattern": { "regex": "^/old/(.*)$" }, "substitution": "/\\1/new" } }),
            "http://example.com/x/new?q=1",
        ),
    ];
    for (action, expected) in cases {
        let effect = effect_of(&prefix, &json!({ "redirectAction": action }), &get("/old/x?q=1"));
        let Action::Redirect { location, .. } = effect.action else { panic!("{effect:?}") };
        assert_eq!(location, expected, "{action}");
    }
}

#[test]
fn clusters_come_with_weights_and_options_without_values() {
    let to = |upstream: &str| json!({ "upstream": { "name": upstream, "namespace": "default" } });
    let action = json!({
        "routeAction": { "multi": { "destinations": [
            { "destination": to("a"), "weight": 9 },
            { "destination": to("b"), "weight": 1 },
        ] } },
        "options": {
            "prefixRewrite": "/v2",
            "timeout": "3s",
            "headerManipulation": {
                "requestHeadersToAdd": [{ "header": { "key": "x-token", "value": "hidden" } }],
            },
        },
    });
    let effect = effect_of(&json!({ "prefix": "/api" }), &action, &get("/api/x"));
    let share = |cluster: &str, weight| Share { cluster: cluster.to_owned(), weight, subset: [].into() };
    assert_eq!(effect.action, Action::Forward(vec![share("a_default", 9), share("b_default", 1)]));
    let expected = ["the path becomes /v2/x", "timeout 3s", "request headers added: x-token"];
    assert_eq!(effect.options, expected);
}

#[test]
fn a_header_names_the_cluster() {
    let action = json!({ "routeAction": { "clusterHeader": "x-to" } });
    let effect = effect_of(&json!({ "prefix": "/" }), &action, &get("/"));
    assert_eq!(effect.action, Action::Unnamed("x-to".to_owned()));
    let effect = effect_of(&json!({ "prefix": "/" }), &action, &with_header("x-to", "a_default"));
    assert!(matches!(effect.action, Action::Forward(shares) if shares[0].cluster == "a_default"));
}
