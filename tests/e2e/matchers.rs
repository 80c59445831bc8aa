//! Matchers: which of several routes answers. Each route says its own name.

use biplane_testkit::Request;
use biplane_testkit::http::Method;

use crate::harness::resources::service;
use crate::harness::{HOST, Site};

/// A site whose routes are these; what no route matches is a 404.
async fn site(routes: &str) -> Site {
    Site::start(&[service("matchers", routes)]).await
}

/// Who answers; `-` for nobody.
async fn answered(site: &Site, request: &Request) -> String {
    let answer = site.ask(request).await;
    if answer.status == 404 { "-".to_owned() } else { answer.text() }
}

/// Each path with the route that must answer it.
async fn assert_paths(site: &Site, cases: &[(&str, &str)]) {
    for (path, route) in cases {
        assert_eq!(answered(site, &Request::get(HOST, path)).await, *route, "{path}");
    }
}

/// Each list of request headers with the route that must answer.
async fn assert_headers(site: &Site, cases: &[(&[(&str, &str)], &str)]) {
    for (headers, route) in cases {
        let request = Request::get(HOST, "/");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(answered(site, &request).await, *route, "{headers:?}");
    }
}

#[tokio::test]
async fn paths_match_by_prefix_exact_and_regex() {
    let site = site(
        r#"
- { matchers: [{ exact: /login }], directResponseAction: { status: 200, body: exact } }
- { matchers: [{ regex: "/users/[a-z0-9-]{1,64}" }], directResponseAction: { status: 200, body: regex } }
- { matchers: [{ prefix: /api }], directResponseAction: { status: 200, body: prefix } }
- { matchers: [{ exact: /one }, { prefix: /two }], directResponseAction: { status: 200, body: either } }
"#,
    )
    .await;
    assert_paths(
        &site,
        &[
            ("/login", "exact"),
            ("/login?next=/", "exact"),
            ("/login/", "-"),
            ("/users/ada-1", "regex"),
            ("/users/ada-1?x=1", "regex"),
            ("/users/ada-1/more", "-"),
            ("/users/", "-"),
            ("/api", "prefix"),
            ("/apis/x", "prefix"),
            ("/Api", "-"),
            ("/one", "either"),
            ("/two/three", "either"),
            ("/", "-"),
        ],
    )
    .await;
}

#[tokio::test]
async fn case_is_ignored_where_a_matcher_says_so() {
    let site = site(
        "
- { matchers: [{ exact: /Login, caseSensitive: false }], directResponseAction: { status: 200, body: exact } }
- { matchers: [{ prefix: /Api, caseSensitive: false }], directResponseAction: { status: 200, body: prefix } }
",
    )
    .await;
    assert_paths(&site, &[("/lOGIN", "exact"), ("/API/x", "prefix"), ("/aPi", "prefix")]).await;
}

#[tokio::test]
async fn first_route_that_matches_answers() {
    let site = site(
        "
- { matchers: [{ prefix: /a }], directResponseAction: { status: 200, body: first } }
- { matchers: [{ prefix: /a/b }], directResponseAction: { status: 200, body: second } }
- { directResponseAction: { status: 200, body: rest } }
",
    )
    .await;
    assert_paths(&site, &[("/a/b", "first"), ("/a", "first"), ("/", "rest")]).await;
}

#[tokio::test]
async fn headers_match_by_value_regex_and_presence() {
    let site = site(
        r#"
- { matchers: [{ prefix: /, headers: [{ name: x-value, value: v1 }, { name: x-second, value: v2 }] }], directResponseAction: { status: 200, body: both } }
- { matchers: [{ prefix: /, headers: [{ name: x-value, value: v1 }] }], directResponseAction: { status: 200, body: value } }
- { matchers: [{ prefix: /, headers: [{ name: x-regex, value: "[a-z]+[0-9]", regex: true }] }], directResponseAction: { status: 200, body: regex } }
- { matchers: [{ prefix: /, headers: [{ name: x-present }] }], directResponseAction: { status: 200, body: present } }
"#,
    )
    .await;
    assert_headers(
        &site,
        &[
            (&[("x-value", "v1"), ("x-second", "v2")], "both"),
            (&[("x-value", "v1")], "value"),
            (&[("X-Value", "v1")], "value"),
            (&[("x-value", "v2")], "-"),
            (&[("x-value", "v11")], "-"),
            (&[("x-regex", "abc1")], "regex"),
            (&[("x-regex", "abc12")], "-"),
            (&[("x-present", "anything")], "present"),
            (&[], "-"),
        ],
    )
    .await;
}

/// Envoy compares no value with a header that is absent, so that an inverted value wants the header to be there.
#[tokio::test]
async fn inverted_headers_match_another_value_or_absence() {
    let site = site(
        r#"
- { matchers: [{ prefix: /, headers: [{ name: x-a, value: "1", invertMatch: true }] }], directResponseAction: { status: 200, body: other-value } }
- { matchers: [{ prefix: /, headers: [{ name: x-b, invertMatch: true }] }], directResponseAction: { status: 200, body: absent } }
"#,
    )
    .await;
    assert_headers(
        &site,
        &[
            (&[("x-a", "2")], "other-value"),
            (&[("x-a", "1")], "absent"),
            (&[], "absent"),
            (&[("x-b", "any")], "-"),
        ],
    )
    .await;
}

#[tokio::test]
async fn query_parameters_match_by_value_regex_and_presence() {
    let site = site(
        r#"
- { matchers: [{ prefix: /, queryParameters: [{ name: page, value: "1" }] }], directResponseAction: { status: 200, body: value } }
- { matchers: [{ prefix: /, queryParameters: [{ name: sort, value: "asc|desc", regex: true }] }], directResponseAction: { status: 200, body: regex } }
- { matchers: [{ prefix: /, queryParameters: [{ name: debug }] }], directResponseAction: { status: 200, body: present } }
"#,
    )
    .await;
    assert_paths(
        &site,
        &[
            ("/?page=1", "value"),
            ("/?a=b&page=1", "value"),
            ("/?page=11", "-"),
            ("/?sort=desc", "regex"),
            ("/?sort=descending", "-"),
            ("/?debug", "present"),
            ("/?debug=yes", "present"),
            ("/", "-"),
        ],
    )
    .await;
}

#[tokio::test]
async fn methods_match_any_of_the_list() {
    let site = site(
        "
- { matchers: [{ prefix: /, methods: [POST, PATCH] }], directResponseAction: { status: 200, body: several } }
- { matchers: [{ prefix: /, methods: [GET] }], directResponseAction: { status: 200, body: one } }
",
    )
    .await;
    for (method, route) in [("POST", "several"), ("PATCH", "several"), ("GET", "one"), ("PUT", "-")] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = Request::new(method.clone(), HOST, "/");
        assert_eq!(answered(&site, &request).await, route, "{method}");
    }
}

#[tokio::test]
async fn a_client_is_told_by_the_address_of_its_connection_and_not_by_a_header() {
    let site = site(
        "
- { matchers: [{ prefix: /office, clientIp: { ranges: [10.0.0.0/8] } }], directResponseAction: { status: 200, body: office } }
- { matchers: [{ prefix: /here, clientIp: { ranges: [10.0.0.0/8, 127.0.0.0/8] } }], directResponseAction: { status: 200, body: here } }
- { matchers: [{ prefix: /out, clientIp: { ranges: [10.0.0.0/8], invertMatch: true } }], directResponseAction: { status: 200, body: outside } }
",
    )
    .await;
    assert_paths(&site, &[("/office", "-"), ("/here", "here"), ("/out", "outside")]).await;
    let pretends = Request::get(HOST, "/office").header("x-forwarded-for", "10.0.0.1");
    assert_eq!(answered(&site, &pretends).await, "-");
}

#[tokio::test]
async fn regex_that_re2_refuses_is_an_error_with_its_place_and_costs_only_its_object() {
    let good = service(
        "good",
        "- { matchers: [{ prefix: /good }], directResponseAction: { status: 200, body: good } }",
    );
    let site = Site::start(std::slice::from_ref(&good)).await;
    let bad = service(
        "bad",
        r#"- { matchers: [{ regex: "/a(?=b)" }], directResponseAction: { status: 200, body: bad } }"#,
    );
    site.files.write("bad.yaml", &bad);
    let object = "VirtualService gloo-system/bad";
    let report = crate::harness::status::until_report(&site.biplane, object, "regex").await;
    assert_eq!(report["severity"], "error");
    assert!(report["path"].as_str().is_some_and(|path| path.ends_with("matchers[0].regex")), "{report}");
    assert_eq!(site.get("/good").await.text(), "good");
    assert_eq!(site.envoy.stat("listener_manager.lds.update_rejected").await.expect("a counter"), 0);
}
