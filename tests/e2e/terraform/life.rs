//! A configuration from its first plan to its end.

use serde_json::Value;

use super::workbench::Workbench;
use crate::harness::{Bootstrap, Site, status};

const SERVICE: &str = "biplane/config/VirtualService/default/pets";

#[tokio::test]
async fn a_configuration_lives_from_its_first_plan_to_its_end() {
    let bench = Workbench::start().await;
    bench.wants(&bench.site("/", "5s"));
    bench.tofu.works(&["validate"]).await;
    let plan = bench.tofu.works(&["plan"]).await;
    assert!(plan.contains("3 to add, 0 to change, 0 to destroy"), "{plan}");
    bench.apply().await;
    bench.is_done().await;

    a_bad_change_fails_in_the_plan_at_its_attribute(&bench).await;
    bench.tofu.works(&["apply", "-auto-approve", "-replace=biplane_virtual_service.pets"]).await;
    what_others_change_is_shown_and_not_overwritten_unseen(&bench).await;
    what_there_is_can_be_taken_over(&bench).await;

    let Workbench { etcd, biplane, tofu, upstream: _upstream, tree } = bench;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    assert_eq!(site.get("/").await.upstream(), Some("one"));
    tofu.works(&["destroy", "-auto-approve"]).await;
    its_end_is_no_accident(&site).await;
    assert_eq!(etcd.keys("biplane/config/VirtualService/").await.expect("etcd answers"), [""; 0]);
    // Its data is in the site's directory.
    drop(etcd);
}

async fn a_bad_change_fails_in_the_plan_at_its_attribute(bench: &Workbench) {
    bench.wants(&bench.site("/", "5 parsecs"));
    let plan = bench.tofu.run(&["plan"]).await;
    assert_eq!(plan.code, 1, "{plan:?}");
    for words in [
        "VirtualService default/pets: virtual_host.routes[0].options.timeout",
        "main.tf line",
        "virtual_host = {",
    ] {
        assert!(plan.stderr.contains(words), "{words}: {}", plan.stderr);
    }
    bench.wants(&bench.site("/", "5s"));
    bench.is_done().await;
}

async fn what_others_change_is_shown_and_not_overwritten_unseen(bench: &Workbench) {
    let text = bench.etcd.get(SERVICE).await.expect("etcd answers").expect("it was applied");
    // The same in other words is no change.
    let other = text.replace("\"apiVersion\": \"gateway.solo.io/v1\",", "\"status\": {},");
    bench.etcd.put(SERVICE, &other).await.expect("etcd takes writes");
    bench.is_done().await;

    bench.etcd.put(SERVICE, &text.replace("5s", "7s")).await.expect("etcd takes writes");
    let plan = bench.tofu.works(&["plan", "-out=seen"]).await;
    assert!(plan.contains("\"7s\" -> \"5s\"") && plan.contains("1 to change"), "{plan}");
    bench.etcd.put(SERVICE, &text.replace("5s", "9s")).await.expect("etcd takes writes");
    let apply = bench.tofu.run(&["apply", "seen"]).await;
    assert_eq!(apply.code, 1, "{apply:?}");
    assert!(apply.stderr.contains("was changed by somebody else since the plan"), "{}", apply.stderr);
    let kept = bench.etcd.get(SERVICE).await.expect("etcd answers").expect("it is there");
    assert!(kept.contains("9s"), "{kept}");
    bench.apply().await;
    bench.is_done().await;
}

async fn what_there_is_can_be_taken_over(bench: &Workbench) {
    bench.tofu.works(&["state", "rm", "biplane_virtual_service.pets", "biplane_gateway.web"]).await;
    let plan = bench.tofu.run(&["plan"]).await;
    assert!(plan.code == 1 && plan.stderr.contains("VirtualService default/pets exists already"), "{plan:?}");
    bench.tofu.works(&["import", "biplane_virtual_service.pets", "default/pets"]).await;
    bench.tofu.works(&["import", "biplane_gateway.web", "web"]).await;
    bench.is_done().await;
}

/// The guard lets everything go at once.
async fn its_end_is_no_accident(site: &Site) {
    let gone = |status: &Value| {
        let counts = status["objects"].as_object();
        counts.is_some_and(|counts| counts.values().all(|count| *count == 0))
    };
    let status = status::until(&site.biplane, "no objects", gone).await;
    assert_eq!(status["sources"][0]["state"], "complete", "{status:#}");
}
