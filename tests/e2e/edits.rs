//! Edits of files while Envoy serves: each is live at once, a bad one changes nothing.

use std::fmt::Write as _;

use biplane_testkit::{Request, Response, Upstream};
use serde_json::Value;

use crate::harness::resources::{documents, route_answering, service, service_at, service_to, upstream};
use crate::harness::{HOST, Site, status};

/// Counts the publishes of the process.
async fn generation(site: &Site) -> u64 {
    let status = status::fetch(&site.biplane).await.expect("a status");
    status::fleet(&status, "gateway-proxy")["generation"].as_u64().expect("a number")
}

fn answering(body: &str) -> String {
    service("main", &route_answering("/", body))
}

#[tokio::test]
async fn edit_is_live_however_it_is_saved() {
    let site = Site::start(&[answering("first")]).await;
    assert_eq!(site.get("/").await.text(), "first");
    site.files.write("resources.yaml", &answering("renamed into place"));
    site.until_body("/", "renamed into place").await;
    site.files.overwrite("resources.yaml", &answering("written over"));
    site.until_body("/", "written over").await;
}

#[tokio::test]
async fn added_and_deleted_files_are_live() {
    let site = Site::start(&[answering("main")]).await;
    let request = Request::get("new.example.com", "/");
    assert_eq!(site.ask(&request).await.text(), "main");
    let new = service_at("new", "new.example.com", &route_answering("/", "new"));
    site.files.write("a/new/folder/new.yaml", &new);
    site.until(&request, |answer| answer.text() == "new").await;
    site.files.remove("a");
    site.until(&request, |answer| answer.text() == "main").await;
}

#[tokio::test]
async fn routes_change_without_a_change_of_listener_or_cluster() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let before = site.counts().await;
    let routes = "- { matchers: [{ prefix: /only }], routeAction: { single: { upstream: { name: one } } } }";
    site.replace(&[upstream("one", &one), service("one", routes)]);
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 404).await;
    assert_eq!(site.get("/only").await.status, 200);
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn bad_edit_changes_nothing_and_status_says_file_and_line() {
    let site = Site::start(&[answering("good")]).await;
    let load = site.load();
    let bad = "# a comment\n".to_owned()
        + &answering("good").replace("directResponseAction", "directResponseActoin");
    site.replace(&[bad]);
    let report =
        status::until_report(&site.biplane, "VirtualService gloo-system/main", "directResponseAction").await;
    assert_eq!(report["severity"], "error", "{report}");
    assert_eq!(report["path"], "virtualHost.routes[0].directResponseActoin");
    assert!(report["location"].as_str().is_some_and(|place| place.ends_with("resources.yaml:8")), "{report}");
    assert_eq!(site.get("/").await.text(), "good");
    load.stop().assert_clean();

    site.replace(&[answering("better")]);
    site.until_body("/", "better").await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn bad_object_at_the_first_start_costs_only_itself() {
    let bad = service_at("bad", "bad.example.com", "- { matchers: [{ regex: '(' }], routeAction: {} }");
    let site = Site::start(&[bad, answering("good")]).await;
    assert_eq!(site.get("/").await.text(), "good");
    status::until_report(&site.biplane, "VirtualService gloo-system/bad", "regex").await;
    let admin = site.biplane.admin().to_string();
    assert_eq!(biplane_testkit::biplane::run(["status", "--admin", &admin]).code, 1, "something is wrong");
    site.replace(&[answering("good")]);
    status::until_clean(&site.biplane).await;
    assert_eq!(biplane_testkit::biplane::run(["status", "--admin", &admin]).code, 0, "all is well");
}

#[tokio::test]
async fn text_that_is_no_yaml_costs_its_file_only_and_removes_nothing() {
    let site = Site::start(&[answering("good")]).await;
    site.replace(&["kind: VirtualService\nmetadata: { name: main\nspec: }\n".to_owned()]);
    let is_told = |status: &Value| status["reports"].to_string().contains("resources.yaml:");
    status::until(&site.biplane, "a report about the file", is_told).await;
    assert_eq!(site.get("/").await.text(), "good");
    let other = service_at("other", "other.example.com", &route_answering("/", "other"));
    site.files.write("other.yaml", &other);
    site.until(&Request::get("other.example.com", "/"), |answer| answer.text() == "other").await;
    assert_eq!(site.get("/").await.text(), "good");
}

#[tokio::test]
async fn renaming_a_file_changes_nothing_but_the_place_in_reports() {
    // A warning shows when the rename has arrived.
    let one = Upstream::start("one");
    let routes = "- { routeAction: { single: { upstream: { name: one } } } }\n\
                  - { matchers: [{ prefix: /gone }], routeAction: { single: { upstream: { name: gone } } } }";
    let site = Site::start(&[upstream("one", &one), service("main", routes)]).await;
    let place = |wanted: &'static str| {
        move |status: &Value| {
            status::reports(status, "VirtualService gloo-system/main")
                .iter()
                .any(|report| report["location"].as_str().is_some_and(|place| place.contains(wanted)))
        }
    };
    status::until(&site.biplane, "the first place", place("resources.yaml")).await;
    let (counts, publishes) = (site.counts().await, generation(&site).await);
    let load = site.load();
    site.files.rename("resources.yaml", "moved/elsewhere.yaml");
    status::until(&site.biplane, "the new place", place("moved/elsewhere.yaml")).await;
    load.stop().assert_clean();
    assert_eq!((site.counts().await, generation(&site).await), (counts, publishes));
}

#[tokio::test]
async fn object_that_moves_from_file_to_file_costs_no_request() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let (counts, publishes) = (site.counts().await, generation(&site).await);
    let load = site.load();
    site.files.write("z-copy.yaml", &upstream("one", &one));
    // Until the first is gone there are two, and the user is told of both.
    status::until(&site.biplane, "a word about the copy", |status| {
        status["reports"].to_string().contains("z-copy.yaml")
    })
    .await;
    site.replace(&[service_to("one")]);
    status::until_clean(&site.biplane).await;
    load.stop().assert_clean();
    assert_eq!((site.counts().await, generation(&site).await), (counts, publishes));
}

#[tokio::test]
async fn file_with_200_services_is_few_publishes() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let before = generation(&site).await;
    let services: Vec<_> = (0..200).map(numbered).collect();
    site.files.write("many.yaml", &documents(&services));
    site.until(&Request::get("host-199.example.com", "/"), |answer| answer.text() == "199").await;
    for number in [0, 57, 198] {
        let answer = site.ask(&Request::get(&format!("host-{number}.example.com"), "/")).await;
        assert_eq!(answer.text(), number.to_string());
    }
    let publishes = generation(&site).await - before;
    assert!((1..=2).contains(&publishes), "{publishes} publishes");
}

#[tokio::test]
async fn folder_that_moves_in_with_200_files_is_few_publishes() {
    let site = Site::start(&[answering("main")]).await;
    let before = generation(&site).await;
    let outside = biplane_testkit::Files::new(site.directory.join("outside"));
    for number in 0..200 {
        outside.write(format!("{number}.yaml"), &numbered(number));
    }
    std::fs::rename(outside.root(), site.files.path("inside")).expect("on one file system");
    let is_there = |answer: &Response| answer.text() == "199";
    site.until(&Request::get("host-199.example.com", "/"), is_there).await;
    site.until(&Request::get("host-0.example.com", "/"), |answer| answer.text() == "0").await;
    let publishes = generation(&site).await - before;
    assert!((1..=3).contains(&publishes), "{publishes} publishes");
}

fn numbered(number: u32) -> String {
    let mut domain = String::new();
    let _ = write!(domain, "host-{number}.example.com");
    service_at(&format!("service-{number}"), &domain, &route_answering("/", &number.to_string()))
}
