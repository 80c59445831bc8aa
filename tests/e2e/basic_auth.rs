//! Users and passwords of a secret, on virtual hosts and on routes.

use biplane_testkit::{Request, Response, Upstream};
use serde_json::Value;

use crate::harness::resources::{object, service_with, upstream};
use crate::harness::{HOST, Site, status};

/// `Authorization` of `ada` with the password `first`, `second`, and of `bob` with `first`.
const ADA: &str = "Basic YWRhOmZpcnN0";
const ADA_SECOND: &str = "Basic YWRhOnNlY29uZA==";
const BOB: &str = "Basic Ym9iOmZpcnN0";

const ROUTES: &str = r"
- matchers: [{ prefix: /answer }]
  directResponseAction: { status: 200, body: answer }
- matchers: [{ prefix: /open }]
  routeAction: { single: { upstream: { name: one } } }
  options: { basicAuth: { disable: true } }
- matchers: [{ prefix: /bob }]
  routeAction: { single: { upstream: { name: one } } }
  options: { basicAuth: { secretRef: { name: others } } }
- matchers: [{ prefix: / }]
  routeAction: { single: { upstream: { name: one } } }
";

const USERS: &str = "options: { basicAuth: { secretRef: { name: users }, forwardUsernameHeader: x-user } }";

fn users(name: &str, fields: &str) -> String {
    object("Secret", name, &format!("credentials: {{ {fields} }}"))
}

fn get(path: &str, authorization: &str) -> Request {
    Request::get(HOST, path).header("authorization", authorization).header("x-user", "forged")
}

async fn seen(site: &Site, request: &Request) -> Value {
    site.told(request).await["headers"].clone()
}

fn is_refused(answer: &Response) -> bool {
    answer.status == 401 && answer.header("www-authenticate").is_some_and(|how| how.starts_with("Basic "))
}

#[tokio::test]
async fn only_users_of_the_secret_are_let_in_and_the_upstream_learns_who_they_are() {
    let one = Upstream::start("one");
    let objects = [
        upstream("one", &one),
        users("users", "username: ada, password: first"),
        // The SHA-1 of `first`, as `htpasswd -s` writes it.
        users("others", "users: { bob: '{SHA}4JlqN8E9RMOwYHSTnUP6N1m9MsE=' }"),
        service_with("shop", "*", ROUTES, USERS),
    ];
    let site = Site::start(&objects).await;
    for path in ["/", "/answer", "/bob"] {
        assert!(is_refused(&site.get(path).await), "{path}");
        assert!(is_refused(&site.ask(&get(path, ADA_SECOND)).await), "{path}");
    }
    assert!(is_refused(&site.ask(&get("/", BOB)).await) && is_refused(&site.ask(&get("/bob", ADA)).await));
    assert_eq!(site.ask(&get("/answer", ADA)).await.text(), "answer");
    assert_eq!(seen(&site, &get("/", ADA)).await["x-user"], "ada");
    // Neither learns the upstream of a user that nobody has checked.
    assert!(seen(&site, &get("/open", "Basic x")).await["x-user"].is_null());
    assert!(seen(&site, &get("/bob", BOB)).await["x-user"].is_null());
}

#[tokio::test]
async fn new_password_and_the_wish_for_one_touch_no_listener() {
    let one = Upstream::start("one");
    let objects = |password: &str, options: &str| {
        [
            upstream("one", &one),
            users("users", &format!("username: ada, password: {password}")),
            users("others", "username: bob, password: first"),
            service_with("shop", "*", ROUTES, options),
        ]
    };
    let site = Site::start(&objects("first", "")).await;
    let before = site.counts().await;
    assert_eq!(site.get("/").await.status, 200);
    site.replace(&objects("first", USERS));
    site.until(&Request::get(HOST, "/"), is_refused).await;
    assert_eq!(site.ask(&get("/", ADA)).await.status, 200);
    site.replace(&objects("second", USERS));
    site.until(&get("/", ADA_SECOND), |answer| answer.status == 200).await;
    assert!(is_refused(&site.ask(&get("/", ADA)).await));
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn without_its_secret_a_route_lets_nobody_in() {
    let one = Upstream::start("one");
    let objects = |users: &[String]| {
        let service = service_with("shop", "*", ROUTES, USERS);
        [&[upstream("one", &one), service][..], users].concat()
    };
    let site = Site::start(&objects(&[])).await;
    // The second is a user without a name and a password.
    for authorization in [ADA, "Basic Og==", "Basic "] {
        assert_eq!(site.ask(&get("/", authorization)).await.status, 401, "{authorization}");
    }
    status::until_report(&site.biplane, "VirtualService gloo-system/shop", "users does not exist").await;
    site.replace(&objects(&[object("Secret", "users", "oauth: { clientSecret: first }")]));
    status::until_report(&site.biplane, "VirtualService gloo-system/shop", "nothing under `credentials`")
        .await;
    assert!(is_refused(&site.ask(&get("/", ADA)).await));
    site.replace(&objects(&[users("users", "username: ada, password: first")]));
    site.until(&get("/", ADA), |answer| answer.status == 200).await;
}

#[tokio::test]
async fn services_that_share_a_domain_ask_for_users_of_their_own() {
    let one = Upstream::start("one");
    let service = |name: &str| {
        let route = format!(
            "- {{ matchers: [{{ prefix: /{name} }}], routeAction: {{ single: {{ upstream: {{ name: one }} }} }} }}"
        );
        service_with(
            name,
            "*",
            &route,
            &format!("options: {{ basicAuth: {{ secretRef: {{ name: {name} }} }} }}"),
        )
    };
    let objects = [
        upstream("one", &one),
        users("ada", "username: ada, password: first"),
        users("bob", "username: bob, password: first"),
        service("ada"),
        service("bob"),
    ];
    let site = Site::start(&objects).await;
    for (path, authorization, other) in [("/ada", ADA, BOB), ("/bob", BOB, ADA)] {
        assert_eq!(site.ask(&get(path, authorization)).await.status, 200);
        assert!(is_refused(&site.ask(&get(path, other)).await));
    }
}

#[tokio::test]
async fn passwords_are_in_nothing_that_can_be_read() {
    let one = Upstream::start("one");
    let secrets = [users("users", "username: ada, password: c4n4ry, users: { b: '{SHA}x', c: c4n4ry }")];
    let service = service_with("shop", "*", ROUTES, USERS);
    let mut site = Site::talkative(&[&[upstream("one", &one), service][..], &secrets].concat()).await;
    assert_eq!(site.get("/").await.status, 401);
    // The SHA-1 of the password says as much about a weak one.
    let told = ["c4n4ry", "d6Zdy6N6T4erhRJNDK0FdissM3A="];
    let shown = site.shown().await;
    assert!(!told.iter().any(|told| shown.contains(told)));
}
