//! Virtual services that share a domain: merged, and where they cannot be, the older one wins and both are told.

use biplane_testkit::Request;

use crate::harness::resources::{object_with, route_answering};
use crate::harness::{Site, status};

const DOMAIN: &str = "shop.example.com";

/// A service of a certain age.
fn aged(name: &str, created: &str, routes: &[String], options: &str) -> String {
    let metadata = format!("name: {name}, creationTimestamp: '{created}'");
    let routes: String = routes.iter().fold(String::new(), |all, route| all + "\n  " + route);
    let host = format!("virtualHost:\n  domains: [{DOMAIN}]\n  routes:{routes}\n  {options}");
    object_with("VirtualService", &metadata, &host)
}

async fn assert_answers(site: &Site, cases: &[(&str, &str)]) {
    for (path, body) in cases {
        assert_eq!(site.ask(&Request::get(DOMAIN, path)).await.text(), *body, "{path}");
    }
}

#[tokio::test]
async fn services_of_one_domain_are_merged_and_the_more_specific_route_comes_first() {
    let old = aged(
        "old",
        "2026-01-01T00:00:00Z",
        &[route_answering("/", "old"), route_answering("/a", "old-a")],
        "",
    );
    let young = aged("young", "2026-02-01T00:00:00Z", &[route_answering("/b/c", "young-b-c")], "");
    let other = aged("other", "2026-03-01T00:00:00Z", &[route_answering("/b", "other-b")], "");
    let site = Site::start(&[young, other, old]).await;
    assert_answers(&site, &[("/b/c", "young-b-c"), ("/b", "other-b"), ("/x", "old")]).await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn of_identical_matchers_the_older_object_wins_and_both_owners_are_told() {
    // The names are against the ages, so that the ages must decide.
    let old = aged("z-old", "2026-01-01T00:00:00Z", &[route_answering("/a", "old")], "");
    let young = aged(
        "a-young",
        "2026-02-01T00:00:00Z",
        &[route_answering("/a", "young"), route_answering("/b", "young")],
        "",
    );
    let site = Site::start(&[young, old]).await;
    assert_answers(&site, &[("/a", "old"), ("/b", "young")]).await;
    let status = status::command(&site.biplane);
    let lost = &status::reports(&status, "VirtualService gloo-system/a-young")[0];
    assert_eq!(lost["severity"], "error");
    assert!(lost["message"].as_str().is_some_and(|text| text.contains("z-old")), "{lost}");
    let kept = &status::reports(&status, "VirtualService gloo-system/z-old")[0];
    assert_eq!(kept["severity"], "warning");
    assert!(kept["message"].as_str().is_some_and(|text| text.contains("a-young")), "{kept}");
}

#[tokio::test]
async fn options_of_a_shared_domain_hold_for_their_own_services_routes() {
    let header = |value: &str| {
        format!(
            "options: {{ headerManipulation: {{ responseHeadersToAdd: [{{ header: {{ key: x-{value}, value: '1' }} }}] }} }}"
        )
    };
    let old = aged("old", "2026-01-01T00:00:00Z", &[route_answering("/old", "old")], &header("old"));
    let young =
        aged("young", "2026-02-01T00:00:00Z", &[route_answering("/young", "young")], &header("young"));
    let site = Site::start(&[old, young]).await;
    for (name, other) in [("old", "young"), ("young", "old")] {
        let answer = site.ask(&Request::get(DOMAIN, &format!("/{name}"))).await;
        assert_eq!(answer.header(&format!("x-{name}")), Some("1"));
        assert_eq!(answer.header(&format!("x-{other}")), None);
    }
}

#[tokio::test]
async fn loser_takes_over_when_the_winner_goes() {
    let old = aged("old", "2026-01-01T00:00:00Z", &[route_answering("/a", "old")], "");
    let young = aged("young", "2026-02-01T00:00:00Z", &[route_answering("/a", "young")], "");
    let site = Site::start(&[old, young.clone()]).await;
    assert_answers(&site, &[("/a", "old")]).await;
    site.replace(&[young]);
    site.until(&Request::get(DOMAIN, "/a"), |answer| answer.text() == "young").await;
    status::until_clean(&site.biplane).await;
}
