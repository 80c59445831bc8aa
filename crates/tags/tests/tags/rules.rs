//! Rules in Traefik's grammar under own tags, and the requests that they match.

use crate::envoy::{Request, get};
use crate::services::{World, id, own};

/// Checks one rule against requests, each with whether it matches.
fn check(rule: &str, requests: &[(Request, bool)]) {
    let mut world = World::new(own());
    world.tags(&id("web"), &[&format!("rule={rule}")]);
    assert!(world.findings().is_empty(), "{rule}: {:#?}", world.findings());
    for (request, expected) in requests {
        assert_eq!(world.documents.answer(request).is_some(), *expected, "{rule}: {request:?}");
    }
}

fn with(name: &'static str, value: &'static str) -> Request {
    Request { headers: vec![(name, value)], ..get("a.com", "/") }
}

#[test]
fn hosts_and_their_negations() {
    check(
        "!Host(`a.com`)",
        &[(get("a.com", "/"), false), (get("a.com:80", "/"), false), (get("b.com", "/"), true)],
    );
    check(
        "Host(`*.a.com`) && !Host(`x.a.com`)",
        &[
            (get("y.a.com", "/"), true),
            (get("Y.A.com:8080", "/"), true),
            (get("x.a.com", "/"), false),
            (get("y.z.a.com", "/"), false),
            (get("a.com", "/"), false),
        ],
    );
    check(
        "HostRegexp(`^[a-z]+\\.a\\.com$`)",
        &[(get("x.a.com", "/"), true), (get("X.a.com:80", "/"), true), (get("x1.a.com", "/"), false)],
    );
    check("Host(`10::10`)", &[(get("[10::10]", "/"), true), (get("[10::10]:80", "/"), true)]);
}

#[test]
fn paths_and_their_negations() {
    check(
        "Host(`a.com`) && !PathPrefix(`/x`)",
        &[(get("a.com", "/x/y"), false), (get("a.com", "/y?a=/x"), true), (get("a.com", "/"), true)],
    );
    check(
        "PathRegexp(`/v[0-9]+/`) && !Path(`/v1/`)",
        &[
            (get("a.com", "/v2/"), true),
            (get("a.com", "/api/v22/x?y"), true),
            (get("a.com", "/v1/?q"), false),
            (get("a.com", "/v?q=/v2/"), false),
        ],
    );
    check(
        "Path(`/a b/ü`)",
        &[
            (get("a.com", "/a%20b/%C3%BC"), true),
            (get("a.com", "/a%20b/%c3%bc"), true),
            (get("a.com", "/a+b/u"), false),
        ],
    );
}

#[test]
fn any_value_of_a_header_counts() {
    let both = Request { headers: vec![("X-A", "0"), ("X-A", "1")], ..get("a.com", "/") };
    check(
        "Header(`X-A`, `1`)",
        &[(with("x-a", "1"), true), (both.clone(), true), (with("x-a", "11"), false)],
    );
    check(
        "!Header(`X-A`, `1`)",
        &[(with("x-a", "1"), false), (both.clone(), false), (get("a.com", "/"), true)],
    );
    check(
        "HeaderRegexp(`X-A`, `^[1-9]$`)",
        &[(both, true), (with("x-a", "0"), false), (with("x-a", "1,5"), true)],
    );
    check("HeaderRegexp(`X-A`, `b.*c`)", &[(with("X-A", "a,b,c"), true), (with("X-A", "c,b"), false)]);
}

#[test]
fn any_value_of_a_query_parameter_counts() {
    let query = |path| get("a.com", path);
    check(
        "Query(`q`, `a b`)",
        &[
            (query("/?q=a+b"), true),
            (query("/?x=1&q=0&q=a%20b"), true),
            (query("/?xq=a+b"), false),
            (query("/?q=a+bc"), false),
            (query("/q=a+b"), false),
        ],
    );
    check("Query(`q`)", &[(query("/?q"), true), (query("/?q="), true), (query("/?q=1"), false)]);
    check(
        "QueryRegexp(`q`, `^[0-9]+$`)",
        &[
            (query("/?q=12"), true),
            (query("/?q=x&q=1"), true),
            (query("/?q=1x"), false),
            (query("/?q"), false),
        ],
    );
    check("QueryRegexp(`q`, `b`)", &[(query("/?q=abc"), true), (query("/?q=a&z=b"), false)]);
    check("!Query(`q`, `1`)", &[(query("/?q=1"), false), (query("/"), true)]);
}

#[test]
fn methods_and_addresses() {
    let from = |client| Request { client, ..get("a.com", "/") };
    check(
        "!Method(`GET`)",
        &[(get("a.com", "/"), false), (Request { method: "PUT", ..get("a.com", "/") }, true)],
    );
    check(
        "ClientIP(`10.0.0.0/8`) && !ClientIP(`10.1.0.0/16`)",
        &[(from("10.0.0.1"), true), (from("10.1.0.1"), false), (from("192.0.2.1"), false)],
    );
}

#[test]
fn alternatives_with_different_hosts_stay_apart() {
    check(
        "Host(`a.com`) && Method(`GET`) || Host(`b.com`) && Method(`POST`)",
        &[
            (get("a.com", "/"), true),
            (get("b.com", "/"), false),
            (Request { method: "POST", ..get("b.com", "/") }, true),
            (Request { method: "POST", ..get("a.com", "/") }, false),
        ],
    );
}
