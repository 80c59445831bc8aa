//! A prefix so large that it is watched in parts: what a small one promises holds there too.

use biplane_testkit::{Request, Upstream};

use super::served::{Guarded, POLICY, Served, init, policy};
use crate::etcd::served::{ROOT, metric};
use crate::etcd::world::service;
use crate::harness::resources::{object_with, upstream};
use crate::harness::status;

/// Beyond 256 KiB.
const HOSTS: usize = 900;

/// A store that Biplane watches in parts by now.
async fn large() -> Served {
    let mut served = Served::start(HOSTS).await;
    assert!(served.site.biplane.process().log().contains("watched in parts"), "it is not large");
    served
}

async fn nothing_was_lost(served: &Served) {
    let drift = metric(&served.site.biplane, "biplane_store_resync_drift_total").await;
    assert_eq!(drift.expect("a metric"), 0);
    served.until_state("complete").await;
}

#[tokio::test]
async fn edits_additions_deletions_and_new_folders_are_followed() {
    let mut served = large().await;
    let removed = served.world.remove([HOSTS - 1]);
    let witness = served.witness().await;
    let edits = served.world.edit([1, 17, 400, HOSTS + 1]);
    served.write(&edits).await;
    served.consul.kv_delete(&removed[0]).await.expect("Consul takes deletions");
    served.live().await;
    served.edit([2]).await;
    // A namespace that nobody has seen yet, and a kind.
    let routes = "virtualHost:\n  domains: [\"another.example.com\"]\n  routes:\n  - matchers: [{ prefix: / }]\n    directResponseAction: { status: 200, body: \"another\" }";
    let another = object_with("VirtualService", "name: another, namespace: team", routes);
    let key = format!("{ROOT}/config/VirtualService/team/another");
    served.consul.kv_put(&key, another).await.expect("Consul takes writes");
    let request = Request::get("another.example.com", "/");
    served.site.until(&request, |answer| answer.text() == "another").await;
    let table = object_with("RouteTable", "name: table, namespace: team", "routes: []");
    let key = format!("{ROOT}/config/RouteTable/team/table");
    served.consul.kv_put(&key, table).await.expect("Consul takes writes");
    status::until(&served.site.biplane, "a route table", |status| status["objects"]["RouteTable"] == 1).await;
    nothing_was_lost(&served).await;
    witness.has_seen_nothing(&served).await;
}

/// What Envoy has removed or refused, the cluster included that is new.
async fn losses(served: &Served) -> u64 {
    served.site.envoy.losses().await.expect("statistics").values().sum()
}

#[tokio::test]
async fn batch_over_several_kinds_costs_no_request() {
    let mut served = large().await;
    let three = Upstream::start("three");
    let load = served.world.load(served.site.port);
    let before = losses(&served).await;
    served.world.edit(0..100);
    let moved = (0..100).map(|number| service(number, 2).replace("name: two }", "name: three }"));
    let objects: Vec<_> = moved.chain([upstream("three", &three)]).collect();
    let file = served.site.directory.join("move.yaml");
    std::fs::write(&file, objects.join("---\n")).expect("the test's directory is writable");
    let output = served.straight(&["apply", "-f", file.to_str().expect("UTF-8")]).await;
    assert_eq!(output.code, 0, "{output:?}");
    served.live().await;
    served
        .site
        .until(&Request::get("host-1.example.com", "/"), |answer| answer.upstream() == Some("three"))
        .await;
    nothing_was_lost(&served).await;
    load.stop().assert_clean();
    assert_eq!(losses(&served).await, before);
}

#[tokio::test]
async fn deleted_kind_is_held_and_a_wiped_store_stays_in_use() {
    let mut served = large().await;
    let witness = served.witness().await;
    let kind = format!("{ROOT}/config/VirtualService/");
    served.consul.kv_delete_prefix(&kind).await.expect("Consul takes deletions");
    let source = served.until_held(HOSTS).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    served.stays().await;
    served.write(&served.world.entries()).await;
    served.until_held(0).await;
    served.until_state("complete").await;

    served.consul.kv_delete_prefix(&format!("{ROOT}/")).await.expect("Consul takes deletions");
    served.until_state("unmarked").await;
    served.stays().await;
    served.write_everything().await;
    init(&served.url).await;
    served.until_state("complete").await;
    served.edit([3, 5]).await;
    nothing_was_lost(&served).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn rights_that_go_cost_nothing() {
    let mut guarded = Guarded::start(HOSTS).await;
    let witness = guarded.served.witness().await;
    let narrowed = format!(
        "key_prefix \"{ROOT}/config/VirtualService/gloo-system/host-1\" {{\n  policy = \"deny\"\n}}\n{}",
        policy(POLICY)
    );
    let served = &mut guarded.served;
    served.consul.acl_policy(POLICY, &narrowed).await.expect("Consul takes policies");
    let source = served.until_state("denied").await;
    assert!(
        source["lastError"].as_str().is_some_and(|error| error.contains("leaves out keys")),
        "{source:#}"
    );
    served.stays().await;
    served.consul.acl_policy(POLICY, &policy(POLICY)).await.expect("Consul takes policies");
    served.until_state("complete").await;
    served.edit([1, 2, 3]).await;
    witness.has_seen_nothing(served).await;
}
