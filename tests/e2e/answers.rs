//! Routes that answer by themselves: redirects and direct responses.

use biplane_testkit::{Request, Response};

use crate::harness::resources::service;
use crate::harness::{HOST, Site};

fn location(answer: &Response) -> (u16, &str) {
    (answer.status, answer.header("location").unwrap_or("no location"))
}

#[tokio::test]
async fn redirects_change_host_path_scheme_port_and_query() {
    let routes = r#"
- { matchers: [{ prefix: /host }], redirectAction: { hostRedirect: new.example.com } }
- { matchers: [{ prefix: /path }], redirectAction: { pathRedirect: /elsewhere, stripQuery: true } }
- { matchers: [{ prefix: /prefix }], redirectAction: { prefixRewrite: /new } }
- { matchers: [{ prefix: /regex }], redirectAction: { regexRewrite: { pattern: { regex: "^/regex/([a-z]+)/.*$" }, substitution: '/by-name/\1' } } }
- { matchers: [{ prefix: /https }], redirectAction: { httpsRedirect: true, portRedirect: 8443 } }
"#;
    let site = Site::start(&[service("redirects", routes)]).await;
    for (path, place) in [
        ("/host/a?b=c", "http://new.example.com/host/a?b=c"),
        ("/path/a?b=c", "http://example.com/elsewhere"),
        ("/prefix/a?b=c", "http://example.com/new/a?b=c"),
        ("/regex/ada/more", "http://example.com/by-name/ada"),
        ("/https/a", "https://example.com:8443/https/a"),
    ] {
        assert_eq!(location(&site.get(path).await), (301, place), "{path}");
    }
}

#[tokio::test]
async fn redirects_have_the_status_that_they_ask_for() {
    let codes = [
        (301, "MOVED_PERMANENTLY"),
        (302, "FOUND"),
        (303, "SEE_OTHER"),
        (307, "TEMPORARY_REDIRECT"),
        (308, "PERMANENT_REDIRECT"),
    ];
    let route = |(status, code): &(u16, &str)| {
        format!(
            "- {{ matchers: [{{ prefix: /{status} }}], redirectAction: {{ pathRedirect: /, responseCode: {code} }} }}\n"
        )
    };
    let site = Site::start(&[service("redirects", &codes.iter().map(route).collect::<String>())]).await;
    for (status, _) in codes {
        assert_eq!(location(&site.get(&format!("/{status}")).await), (status, "http://example.com/"));
    }
}

#[tokio::test]
async fn direct_responses_have_status_body_and_headers() {
    let routes = r"
- matchers: [{ prefix: /teapot }]
  directResponseAction: { status: 418, body: short and stout }
  options: { headerManipulation: { responseHeadersToAdd: [{ header: { key: x-pot, value: tea } }] } }
- { matchers: [{ prefix: /empty }], directResponseAction: { status: 204 } }
";
    let site = Site::start(&[service("answers", routes)]).await;
    let teapot = site.get("/teapot").await;
    assert_eq!((teapot.status, teapot.text().as_str()), (418, "short and stout"));
    assert_eq!(teapot.header("x-pot"), Some("tea"));
    let empty = site.get("/empty").await;
    assert_eq!((empty.status, empty.text().as_str()), (204, ""));
}

#[tokio::test]
async fn domains_pick_the_virtual_service() {
    let service_at = |name: &str, domain: &str| {
        let route = crate::harness::resources::route_answering("/", name);
        crate::harness::resources::service_at(name, domain, &route)
    };
    let site = Site::start(&[
        service_at("exact", "a.example.com"),
        service_at("suffix", "*.example.com"),
        service_at("all", "*"),
    ])
    .await;
    for (host, name) in [("a.example.com", "exact"), ("b.example.com", "suffix"), ("example.org", "all")] {
        assert_eq!(site.ask(&Request::get(host, "/")).await.text(), name, "{host}");
    }
    assert_eq!(site.ask(&Request::get(HOST, "/")).await.text(), "all");
}
