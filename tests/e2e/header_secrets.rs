//! Headers from secrets: requests carry the values, and nothing but SDS does on the way to Envoy.

use std::collections::BTreeMap;

use biplane_testkit::{Request, Response, Upstream};
use serde_json::Value;

use crate::harness::resources::{object, service_with, upstream};
use crate::harness::{HOST, Site, status};

const ROUTES: &str = r#"
- matchers: [{ prefix: /plain }]
  routeAction: { single: { upstream: { name: one } } }
- matchers: [{ prefix: /share }]
  routeAction:
    multi:
      destinations:
      - destination: { upstream: { name: one } }
        weight: 1
        options: { headerManipulation: { requestHeadersToAdd: [{ headerSecretRef: { name: share } }] } }
- matchers: [{ prefix: / }]
  routeAction: { single: { upstream: { name: one } } }
  options:
    headerManipulation:
      requestHeadersToAdd:
      - { header: { key: x-protocol, value: "%PROTOCOL%" } }
      - { headerSecretRef: { name: route }, append: false }
"#;

const HOST_HEADERS: &str =
    "options: { headerManipulation: { requestHeadersToAdd: [{ headerSecretRef: { name: host } }] } }";

fn headers(name: &str, fields: &str) -> String {
    object("Secret", name, &format!("header: {{ headers: {{ {fields} }} }}"))
}

fn objects(one: &Upstream, route: &str) -> Vec<String> {
    vec![
        upstream("one", one),
        headers("host", "x-host: of-host"),
        headers("share", "x-share: of-share"),
        headers("route", route),
        service_with("shop", "*", ROUTES, HOST_HEADERS),
    ]
}

async fn seen(site: &Site, path: &str) -> Value {
    let request = Request::get(HOST, path).header("x-route", "theirs").header("x-host", "theirs");
    site.told(&request).await["headers"].clone()
}

/// The words of a header that may have been sent as one line or as two.
fn words(header: &Value) -> Vec<&str> {
    header.as_str().unwrap_or_default().split(',').map(str::trim).collect()
}

#[tokio::test]
async fn requests_carry_all_headers_of_the_secrets_on_their_way() {
    let one = Upstream::start("one");
    // What looks like a command of Envoy's is none, and a character of a header's name means nothing to it.
    let site = Site::start(&objects(&one, "x-route: '50% %PROTOCOL%', 'x-odd%name': of-route")).await;
    let route = seen(&site, "/").await;
    assert_eq!((&route["x-route"], &route["x-odd%name"]), (&"50% %PROTOCOL%".into(), &"of-route".into()));
    assert_eq!(route["x-protocol"], "HTTP/1.1");
    assert_eq!(words(&route["x-host"]), ["theirs", "of-host"]);
    let share = seen(&site, "/share").await;
    assert_eq!((&share["x-share"], &share["x-route"]), (&"of-share".into(), &"theirs".into()));
    assert_eq!(words(&share["x-host"]), ["theirs", "of-host"]);
    let plain = seen(&site, "/plain").await;
    assert!(plain["x-share"].is_null());
    assert_eq!((&plain["x-route"], words(&plain["x-host"])), (&"theirs".into(), vec!["theirs", "of-host"]));
}

#[tokio::test]
async fn new_value_changes_one_secret_and_no_listener_route_or_cluster() {
    let one = Upstream::start("one");
    let site = Site::start(&objects(&one, "x-route: first")).await;
    assert_eq!(seen(&site, "/").await["x-route"], "first");
    let reloads = async || site.envoy.stats_matching("rds.*config_reload$").await.expect("statistics");
    let before = (site.counts().await, reloads().await);
    assert_eq!(before.1.len(), 1, "{before:?}");
    site.replace(&objects(&one, "x-route: second"));
    let request = Request::get(HOST, "/");
    site.until(&request, |answer| answer.json().is_ok_and(|told| told["headers"]["x-route"] == "second"))
        .await;
    assert_eq!((site.counts().await, reloads().await), before);
}

/// A service whose requests all carry the header of one secret.
fn carrying(one: &Upstream, secret: Option<&str>) -> [String; 4] {
    let header = |name: &str| headers(name, &format!("x-key: of-{name}"));
    let options = secret.map_or_else(String::new, |name| {
        format!("options: {{ headerManipulation: {{ requestHeadersToAdd: [{{ headerSecretRef: {{ name: {name} }} }}] }} }}")
    });
    let route = "- { routeAction: { single: { upstream: { name: one } } } }";
    [upstream("one", one), header("a"), header("b"), service_with("shop", "*", route, &options)]
}

#[tokio::test]
async fn first_request_of_a_route_that_begins_to_use_a_secret_carries_it_and_no_listener_is_touched() {
    let one = Upstream::start("one");
    let site = Site::start(&carrying(&one, None)).await;
    let key = |told: &Value| told["headers"]["x-key"].as_str().map(ToOwned::to_owned);
    let (listeners, load) = (listeners(&site).await, site.load());
    for (secret, value) in [("a", "of-a"), ("b", "of-b")] {
        site.replace(&carrying(&one, Some(secret)));
        let carries =
            |answer: &Response| answer.json().is_ok_and(|told| key(&told).as_deref() == Some(value));
        site.until(&Request::get(HOST, "/"), carries).await;
    }
    load.stop().assert_clean();
    let mut keys: Vec<_> = one.seen().iter().map(key).collect();
    keys.dedup();
    let expected = [None, Some("of-a"), Some("of-b")].map(|key| key.map(ToOwned::to_owned));
    // Requests that cross on the way may come to the upstream in another order, but none is without a key.
    assert!(keys.iter().skip(1).all(Option::is_some) && keys.starts_with(&expected[..2]), "{keys:?}");
    assert_eq!(keys.last(), expected.last());
    assert_eq!(listeners, self::listeners(&site).await);
}

async fn listeners(site: &Site) -> BTreeMap<String, u64> {
    site.envoy
        .stats_matching("listener_manager\\.listener_(added|modified|removed)$")
        .await
        .expect("statistics")
}

#[tokio::test]
async fn route_whose_secret_is_missing_answers_503_until_it_is_there() {
    let one = Upstream::start("one");
    let all = objects(&one, "x-route: first");
    let without: Vec<String> =
        all.iter().filter(|object| !object.contains("name: route }\n")).cloned().collect();
    assert_eq!(without.len() + 1, all.len());
    let site = Site::start(&without).await;
    assert_eq!(site.get("/").await.status, 503);
    assert_eq!(site.get("/plain").await.status, 200);
    status::until_report(&site.biplane, "VirtualService gloo-system/shop", "route does not exist").await;
    site.replace(&all);
    let request = Request::get(HOST, "/");
    site.until(&request, |answer| answer.json().is_ok_and(|told| told["headers"]["x-route"] == "first"))
        .await;
}

#[tokio::test]
async fn values_are_in_nothing_that_can_be_read() {
    let one = Upstream::start("one");
    let mut site = Site::talkative(&objects(&one, "x-route: c4n4ry")).await;
    assert_eq!(seen(&site, "/").await["x-route"], "c4n4ry");
    assert!(!site.shown().await.contains("c4n4ry"));
}
