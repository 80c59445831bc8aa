//! Header manipulation: of routes and of virtual hosts, for requests and responses.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{service_with, upstream};
use crate::harness::{HOST, Site};

const ROUTES: &str = r#"
- routeAction: { single: { upstream: { name: one } } }
  options:
    headerManipulation:
      requestHeadersToAdd:
      - { header: { key: x-added, value: "by-%PROTOCOL%" } }
      - { header: { key: x-replaced, value: ours }, append: false }
      - { header: { key: x-appended, value: ours } }
      requestHeadersToRemove: [x-removed]
      responseHeadersToAdd: [{ header: { key: x-answer, value: route } }]
      responseHeadersToRemove: [x-private]
"#;

const HOST_OPTIONS: &str = r"
options:
  headerManipulation:
    requestHeadersToAdd: [{ header: { key: x-host-added, value: host } }]
    responseHeadersToRemove: [x-host-private]
";

#[tokio::test]
async fn headers_are_added_replaced_appended_and_removed() {
    let one = Upstream::start("one");
    one.behave(|behaviour| {
        behaviour.headers =
            ["x-private", "x-host-private", "x-public"].map(|name| (name.into(), "1".into())).into();
    });
    let site =
        Site::start(&[upstream("one", &one), service_with("headers", "*", ROUTES, HOST_OPTIONS)]).await;
    let request = ["x-replaced", "x-appended", "x-removed"]
        .into_iter()
        .fold(Request::get(HOST, "/"), |request, name| request.header(name, "theirs"));
    let answer = site.ask(&request).await;
    let seen = &answer.json().expect("JSON")["headers"];
    assert_eq!(seen["x-added"], "by-HTTP/1.1");
    assert_eq!(seen["x-replaced"], "ours");
    assert!(seen["x-appended"].as_str().is_some_and(|all| all.replace(' ', "") == "theirs,ours"), "{seen}");
    assert_eq!(seen["x-host-added"], "host");
    assert!(seen["x-removed"].is_null());
    assert_eq!(answer.header("x-answer"), Some("route"));
    assert_eq!(answer.header("x-public"), Some("1"));
    assert_eq!((answer.header("x-private"), answer.header("x-host-private")), (None, None));
}
