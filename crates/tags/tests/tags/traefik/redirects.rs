//! Middlewares that send clients elsewhere.

use biplane_tags::finding::Severity;
use serde_json::{Value, json};

use super::{Gateway, status};

fn redirects(rule: &str, options: &[&str]) -> Gateway {
    let mut tags = vec![format!("routers.r.rule={rule}"), "routers.r.middlewares=m".to_owned()];
    tags.extend(options.iter().map(|one| format!("middlewares.m.{one}")));
    Gateway::of(&tags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn actions(gateway: &Gateway, host: &str) -> Vec<Value> {
    let routes = gateway.routes(host).into_iter().cloned();
    routes.map(|route| route["redirectAction"].clone()).filter(|action| !action.is_null()).collect()
}

#[test]
fn plain_requests_are_sent_to_https_with_their_method() {
    let gateway =
        redirects("Host(`a.example`)", &["redirectscheme.scheme=https", "redirectscheme.permanent=true"]);
    let to = |code: &str| json!({"httpsRedirect": true, "responseCode": code});
    assert_eq!(actions(&gateway, "a.example"), [to("MOVED_PERMANENTLY"), to("PERMANENT_REDIRECT")]);
    let first = &gateway.routes("a.example")[0]["matchers"][0];
    assert_eq!(first["methods"], json!(["GET"]));
    assert_eq!(first["headers"], json!([{"name": ":scheme", "value": "http"}]));
    let port = redirects("Host(`a.example`)", &["redirectscheme.scheme=https", "redirectscheme.port=8443"]);
    let to = |code: &str| json!({"httpsRedirect": true, "portRedirect": 8443, "responseCode": code});
    assert_eq!(actions(&port, "a.example"), [to("FOUND"), to("TEMPORARY_REDIRECT")]);
}

#[test]
fn a_host_is_sent_to_another_one() {
    let options = [
        r"redirectregex.regex=^https?://www\.a\.example/(.*)",
        "redirectregex.replacement=https://a.example/${1}",
        "redirectregex.permanent=true",
    ];
    let gateway = redirects("Host(`www.a.example`)", &options);
    let action =
        json!({"hostRedirect": "a.example", "httpsRedirect": true, "responseCode": "MOVED_PERMANENTLY"});
    assert_eq!(actions(&gateway, "www.a.example")[0], action);
    gateway.tells_nothing();
}

#[test]
fn redirects_that_cannot_be_built_answer_503() {
    for (regex, replacement) in [("^https://a.example/(.*)", "http://a.example/$1"), ("/old", "/new")] {
        let regex = format!("redirectregex.regex={regex}");
        let replacement = format!("redirectregex.replacement={replacement}");
        let gateway = redirects("Host(`a.example`)", &[&regex, &replacement]);
        assert_eq!(status(gateway.route("a.example")), Some(503));
        gateway.tells(Severity::Error, "redirectRegex cannot be built");
    }
}

#[test]
fn a_router_that_only_redirects_needs_no_service() {
    let gateway = Gateway::of(&[
        "routers.r.rule=Host(`a.example`)",
        "routers.r.service=noop@internal",
        "routers.r.middlewares=m",
        "middlewares.m.redirectscheme.scheme=https",
    ]);
    assert_eq!(gateway.routes("a.example").last().and_then(|route| status(route)), Some(418));
    gateway.tells_nothing();
}
