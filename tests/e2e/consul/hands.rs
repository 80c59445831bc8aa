//! Edits by hand: with `consul kv put`, as the web UI makes them, by another client; a typo; keys that go, and a
//! snapshot that is put back.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::{Consul, FaultProxy, eventually, throughout};
use hyper::Method;
use tokio::time::sleep;

use super::served::{Served, url};
use crate::etcd::served::{metric, options};
use crate::etcd::world::{key, service};
use crate::harness::{PATIENCE, Tree, status};

/// How soon a typo is shown.
const TOLD: Duration = Duration::from_secs(1);

/// How soon an edit must be live after Consul's index went back.
const SOON: Duration = Duration::from_secs(2);

/// How long requests are counted, and how many there may be: two a second.
const COUNTED: Duration = Duration::from_secs(5);
const FEW: u64 = 10;

/// Nobody asks Consul in a hot loop: once status and history of what was edited are written, there is nothing to ask.
async fn few_requests(link: &FaultProxy) {
    eventually("a second without much to ask", PATIENCE, async || {
        let before = link.requests();
        sleep(Duration::from_secs(1)).await;
        let asked = link.requests() - before;
        ensure!(asked <= 2, "{asked} requests in a second");
        Ok(())
    })
    .await;
    let before = link.requests();
    throughout("two requests a second at most", COUNTED, async || {
        let asked = link.requests() - before;
        ensure!(asked < FEW, "{asked} requests: {:#?}", link.seen().split_off(usize::try_from(before)?));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn typo_is_told_within_a_second_with_key_line_and_field_and_nothing_else_changes() {
    let mut served = Served::start(20).await;
    let witness = served.witness().await;
    let broken = service(3, 2).replacen("prefix:", "prefx:", 1);
    let line = 1 + broken.lines().position(|line| line.contains("prefx")).expect("put there above");
    served.consul.kv_put(&key(3), broken).await.expect("Consul takes writes");
    let report = eventually("a report about it", TOLD, async || {
        let status = status::fetch(&served.site.biplane).await?;
        let mut reports = status::reports(&status, "VirtualService gloo-system/host-3");
        ensure!(!reports.is_empty(), "none yet");
        Ok(reports.remove(0))
    })
    .await;
    assert_eq!(report["path"], "virtualHost.routes[0].matchers[0].prefx", "{report:#}");
    let (place, line) = (format!("{}@", key(3)), format!("line {line} "));
    assert!(report["location"].as_str().is_some_and(|at| at.starts_with(&place)), "{report:#}");
    assert!(report["message"].as_str().is_some_and(|message| message.contains(&line)), "{report:#}");
    let check = served.command(&["check"]).await;
    assert_eq!(check.code, 1, "{check:?}");
    for word in [&place, &line, "VirtualService gloo-system/host-3", ".prefx", "did you mean \"prefix\""] {
        assert!(check.stdout.contains(word), "{word}: {check:?}");
    }
    served.stays().await;
    // Others are edited as if nothing was; and the typo is mended.
    served.edit([4, 5]).await;
    served.edit([3]).await;
    status::until_clean(&served.site.biplane).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn what_the_web_ui_saves_is_live() {
    let mut served = Served::start(5).await;
    let witness = served.witness().await;
    for (key, value) in served.world.edit([2]) {
        let path = format!("/v1/kv/{key}?dc=dc1");
        let saved = served.consul.call(Method::PUT, &path, value).await.expect("Consul takes writes");
        assert_eq!(saved.text().trim(), "true");
    }
    served.live().await;
    // Its Create button makes folders too: keys that end with a slash and have no value.
    let folder = "/v1/kv/biplane/config/VirtualService/another-team/?dc=dc1";
    served.consul.call(Method::PUT, folder, "").await.expect("Consul takes folders");
    served.edit([1, 7]).await;
    status::until_clean(&served.site.biplane).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn what_an_independent_client_writes_and_deletes_is_live() {
    let mut served = Served::start(5).await;
    let removed = served.world.remove([4]);
    let witness = served.witness().await;
    for (key, value) in served.world.edit([2, 9]) {
        let output = served.consul.consulrs("put", &[&key], &value).await;
        assert_eq!(output.code, 0, "{output:?}");
    }
    for key in removed {
        let output = served.consul.consulrs("delete", &[&key], "").await;
        assert_eq!(output.code, 0, "{output:?}");
    }
    served.live().await;
    served.until_state("complete").await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn deleted_key_of_the_highest_index_is_followed_at_once_and_with_few_requests() {
    let (link, mut served) = Served::behind_a_link(20).await;
    // Each key that is written last is the one that goes.
    for number in [19, 18, 17] {
        served.edit([number]).await;
        let removed = served.world.remove([number]);
        let witness = served.witness().await;
        served.consul.kv_delete(&removed[0]).await.expect("Consul takes deletions");
        served.world.live(&[served.site.port], SOON).await;
        let edits = served.world.edit([number - 3]);
        served.write(&edits).await;
        served.world.live(&[served.site.port], SOON).await;
        witness.has_seen_nothing(&served).await;
    }
    few_requests(&link).await;
    assert_eq!(metric(&served.site.biplane, "biplane_store_resync_drift_total").await.expect("a metric"), 0);
}

#[tokio::test]
async fn snapshot_that_is_put_back_takes_nothing_back_before_it_is_accepted() {
    let tree = Tree::new();
    let consul = Consul::builder().server_with_data(true).start(&tree.directory).await;
    let link = FaultProxy::http(consul.address());
    let mut served = Served::on(tree, consul, &options(&url(link.address())), 20).await;
    let snapshot = served.consul.snapshot_save().await.expect("Consul gives snapshots");
    let then = served.world.remember();
    served.edit((0..5).chain(20..23)).await;
    let witness = served.witness().await;

    served.consul.snapshot_restore(&snapshot).await.expect("it is Consul's own");
    served.consul.ready().await;
    let source = served.until_held(8).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("backup")), "{source:#}");
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("biplane source accept")), "{source:#}");
    served.stays().await;
    let edits = served.world.edit([4, 30]);
    served.write(&edits).await;
    served.world.live(&[served.site.port], SOON).await;
    served.until_held(7).await;
    few_requests(&link).await;
    witness.has_seen_nothing(&served).await;

    served.accept().await;
    let mut wanted = then;
    wanted.extend(served.world.remember().into_iter().filter(|(number, _)| [4, 30].contains(number)));
    served.world.go_back(wanted);
    served.live().await;
    served.until_state("complete").await;
    served.edit([6]).await;
}

#[tokio::test]
async fn unchanged_store_is_asked_little() {
    let (link, mut served) = Served::behind_a_link(20).await;
    few_requests(&link).await;
    // Nor do edits, status and history of them leave anything behind that asks on.
    served.edit(0..10).await;
    eventually("history of the last edit", PATIENCE, async || {
        let keys = served.consul.kv_keys("biplane/history/VirtualService/gloo-system/host-9/").await?;
        ensure!(keys.len() == 2, "{keys:?}");
        Ok(())
    })
    .await;
    few_requests(&link).await;
}
