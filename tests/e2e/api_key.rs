//! Keys of clients, on virtual hosts and on routes.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service_with, upstream};
use crate::harness::{HOST, Site, status};

const ROUTES: &str = r"
- matchers: [{ prefix: /open }]
  routeAction: { single: { upstream: { name: one } } }
  options: { apiKeyAuth: { disable: true } }
- matchers: [{ prefix: /places }]
  routeAction: { single: { upstream: { name: one } } }
  options:
    apiKeyAuth:
      secretRef: { name: keys }
      keySources: [{ header: authorization }, { query: key }, { cookie: key }]
      hideCredentials: true
- matchers: [{ prefix: /shop }]
  routeAction: { single: { upstream: { name: one } } }
  options: { apiKeyAuth: { secretRef: { name: keys }, allowedClients: [shop], forwardClientIdHeader: X-Shop } }
- matchers: [{ prefix: / }]
  routeAction: { single: { upstream: { name: one } } }
";

const KEYS: &str = "options: { apiKeyAuth: { secretRef: { name: keys }, forwardClientIdHeader: x-client } }";

fn keys(fields: &str) -> String {
    object("Secret", "keys", &format!("apiKey: {{ {fields} }}"))
}

fn get(path: &str, header: &str, value: &str) -> Request {
    Request::get(HOST, path).header("x-client", "forged").header(header, value)
}

async fn status_of(site: &Site, path: &str, header: &str, value: &str) -> u16 {
    site.ask(&get(path, header, value)).await.status
}

#[tokio::test]
async fn only_clients_of_the_secret_are_let_in_and_the_upstream_learns_who_they_are() {
    let one = Upstream::start("one");
    let objects = [
        upstream("one", &one),
        keys("apiKey: own-key, keys: { shop: shop-key }"),
        service_with("shop", "*", ROUTES, KEYS),
    ];
    let site = Site::start(&objects).await;
    assert_eq!(site.get("/").await.status, 401);
    assert_eq!(status_of(&site, "/", "x-api-key", "other-key").await, 401);
    for (key, client) in [("own-key", "keys"), ("shop-key", "shop")] {
        let told = site.told(&get("/", "x-api-key", key)).await;
        assert_eq!(told["headers"]["x-client"], client);
        assert_eq!(told["headers"]["x-api-key"], key);
    }
    assert_eq!(status_of(&site, "/shop", "x-api-key", "own-key").await, 403);
    assert_eq!(status_of(&site, "/shop", "x-api-key", "shop-key").await, 200);
    let told = site.told(&get("/shop", "x-api-key", "shop-key").header("x-shop", "forged")).await;
    assert_eq!(told["headers"]["x-shop"], "shop");
    for request in
        [get("/open", "x-shop", "forged"), get("/", "x-shop", "forged").header("x-api-key", "own-key")]
    {
        assert!(site.told(&request).await["headers"]["x-shop"].is_null(), "the header of another route");
    }
    assert!(site.told(&get("/open", "x-api-key", "none")).await["headers"]["x-client"].is_null());
}

#[tokio::test]
async fn key_is_found_in_each_of_its_places_and_hidden_from_the_upstream() {
    let one = Upstream::start("one");
    let objects = [upstream("one", &one), keys("apiKey: own-key"), service_with("shop", "*", ROUTES, KEYS)];
    let site = Site::start(&objects).await;
    for request in [
        get("/places", "authorization", "own-key"),
        get("/places", "authorization", "Bearer own-key"),
        get("/places?a=b&key=own-key", "x-other", "1"),
        get("/places", "cookie", "a=b; key=own-key"),
    ] {
        let told = site.told(&request).await;
        assert!(!told.to_string().contains("own-key"), "{told}");
        assert!(told["headers"]["x-client"].is_null(), "{told}");
    }
    assert_eq!(status_of(&site, "/places", "x-api-key", "own-key").await, 401);
    // The first place that is there counts, also if it holds a wrong key.
    assert_eq!(status_of(&site, "/places?key=own-key", "authorization", "other").await, 401);
}

#[tokio::test]
async fn new_key_and_the_wish_for_one_touch_no_listener() {
    let one = Upstream::start("one");
    let objects = |key: &str, options: &str| {
        [upstream("one", &one), keys(&format!("apiKey: {key}")), service_with("shop", "*", ROUTES, options)]
    };
    let site = Site::start(&objects("first", "")).await;
    let before = site.counts().await;
    site.replace(&objects("first", KEYS));
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 401).await;
    assert_eq!(status_of(&site, "/", "x-api-key", "first").await, 200);
    site.replace(&objects("second", KEYS));
    site.until(&get("/", "x-api-key", "second"), |answer| answer.status == 200).await;
    assert_eq!(status_of(&site, "/", "x-api-key", "first").await, 401);
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn without_its_secret_a_route_lets_nobody_in() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_with("shop", "*", ROUTES, KEYS)]).await;
    for path in ["/", "/places", "/shop"] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
        assert_eq!(status_of(&site, path, "x-api-key", "").await, 401, "{path}");
    }
    status::until_report(&site.biplane, "VirtualService gloo-system/shop", "keys does not exist").await;
    site.files.write("keys.yaml", &keys("apiKey: own-key"));
    site.until(&get("/", "x-api-key", "own-key"), |answer| answer.status == 200).await;
}

#[tokio::test]
async fn keys_are_in_nothing_that_can_be_read() {
    let one = Upstream::start("one");
    let objects = [upstream("one", &one), keys("apiKey: c4n4ry"), service_with("shop", "*", ROUTES, KEYS)];
    let mut site = Site::talkative(&objects).await;
    assert_eq!(status_of(&site, "/", "x-api-key", "c4n4ry").await, 200);
    // One key of two clients: Envoy would quote it, and Biplane does not ask it.
    site.replace(&[
        upstream("one", &one),
        keys("keys: { a: c4n4ry, b: c4n4ry }"),
        service_with("shop", "*", ROUTES, KEYS),
    ]);
    status::until_report(&site.biplane, "Secret gloo-system/keys", "the same key as").await;
    assert!(!site.shown().await.contains("c4n4ry"));
}
