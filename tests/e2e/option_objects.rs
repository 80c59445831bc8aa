//! `RouteOption` and `VirtualHostOption`: options that several routes and hosts refer to.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service_with, upstream};
use crate::harness::{HOST, Site, status};

const ROUTES: &str = r"
- matchers: [{ prefix: /own }]
  routeAction: { single: { upstream: { name: one } } }
  options: { prefixRewrite: /own-path }
  optionsConfigRefs: { delegateOptions: [{ name: first, namespace: gloo-system }, { name: second }] }
- matchers: [{ prefix: /refs }]
  routeAction: { single: { upstream: { name: one } } }
  optionsConfigRefs: { delegateOptions: [{ name: first }, { name: second }] }
";

const REFERENCES: &str = "optionsConfigRefs: { delegateOptions: [{ name: hosts }] }";

fn options(kind: &str, name: &str, options: &str) -> String {
    object(kind, name, &format!("options: {{ {options} }}"))
}

#[tokio::test]
async fn referenced_options_fill_what_is_open_and_the_first_reference_wins() {
    let one = Upstream::start("one");
    let site = Site::start(&[
        upstream("one", &one),
        service_with("options", "*", ROUTES, REFERENCES),
        options("RouteOption", "first", "prefixRewrite: /first"),
        options("RouteOption", "second", "prefixRewrite: /second, hostRewrite: second.example.com"),
        options("VirtualHostOption", "hosts", "retries: { retryOn: 5xx, numRetries: 1 }"),
    ])
    .await;
    let own = site.told(&Request::get(HOST, "/own")).await;
    assert_eq!((own["path"].as_str(), own["host"].as_str()), (Some("/own-path"), Some("second.example.com")));
    let refs = site.told(&Request::get(HOST, "/refs")).await;
    assert_eq!((refs["path"].as_str(), refs["host"].as_str()), (Some("/first"), Some("second.example.com")));
    one.behave(|behaviour| behaviour.fail_first = 1);
    assert_eq!(site.get("/own").await.status, 200, "the virtual host's retries come from its reference");
}

#[tokio::test]
async fn edit_of_an_option_object_reaches_the_routes_that_refer_to_it() {
    let one = Upstream::start("one");
    let objects = [upstream("one", &one), service_with("options", "*", ROUTES, "")];
    let site = Site::start(&objects).await;
    status::until_report(&site.biplane, "VirtualService gloo-system/options", "first").await;
    site.files.write("first.yaml", &options("RouteOption", "first", "prefixRewrite: /late"));
    let is_late =
        |answer: &biplane_testkit::Response| answer.json().is_ok_and(|told| told["path"] == "/late");
    site.until(&Request::get(HOST, "/refs"), is_late).await;
}
