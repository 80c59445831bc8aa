//! etcd is full: it can be read, and takes deletions, but no writes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use biplane_testkit::{Etcd, eventually};
use serde_json::Value;

use super::served::{Served, metric, options, url_of};
use super::world::service;
use crate::harness::{PATIENCE, Tree, status};

/// A quota that is full soon.
const QUOTA: u64 = 16 * 1024 * 1024;

/// A writer that is refused waits longer and longer.
const LATER: Duration = Duration::from_secs(45);

async fn fill(etcd: &Etcd) {
    let value = "x".repeat(1024 * 1024);
    for number in 0..=2 * QUOTA / (1024 * 1024) {
        if let Err(error) = etcd.put(&format!("filler/{number}"), &value).await {
            assert!(error.to_string().contains("space exceeded"), "{error:#}");
            return;
        }
    }
    panic!("etcd takes more than its quota");
}

async fn summary(etcd: &Etcd) -> Result<Value> {
    let text = etcd.get("biplane/status/_summary").await?.context("no summary")?;
    Ok(serde_json::from_str(&text)?)
}

#[tokio::test]
async fn full_etcd_is_served_from_and_written_again_when_it_has_room() {
    let tree = Tree::new();
    let etcd = Etcd::builder().quota_bytes(QUOTA).start(&tree.directory).await;
    let url = url_of(&etcd);
    let mut served = Served::on(tree, etcd, &options(&url), 20).await;
    served.leads().await;
    let traffic = served.traffic().await;

    fill(&served.etcd).await;
    let alarms = served.etcd.alarm_list().await.expect("etcd answers");
    assert!(alarms.iter().any(|alarm| alarm.contains("NOSPACE")), "{alarms:?}");
    // Deletions are taken, and are live; that there is one host less cannot be written down.
    let removed = served.world.remove([19]);
    served.etcd.delete(&removed[0]).await.expect("a full etcd takes deletions");
    served.live().await;
    status::until(&served.site.biplane, "an alarm about the full store", |status| {
        let reports = status::list(status, "reports");
        reports.iter().any(|report| {
            report["message"].as_str().is_some_and(|text| text.contains("NOSPACE"))
                && report["hint"].as_str().is_some_and(|hint| hint.contains("alarm disarm"))
        })
    })
    .await;
    assert!(metric(&served.site.biplane, "biplane_status_write_failures_total").await.expect("a metric") > 0);
    served.until_state("complete").await;

    let file = served.site.directory.join("later.yaml");
    std::fs::write(&file, service(30, 1)).expect("the test's directory is writable");
    let file = file.to_str().expect("UTF-8").to_owned();
    let apply = served.command(&["apply", "-f", &file]).await;
    assert_ne!(apply.code, 0, "{apply:?}");
    assert!(apply.stderr.contains("NOSPACE") && apply.stderr.contains("alarm disarm"), "{apply:?}");

    served.unharmed(traffic).await;
    served.site.envoy.restart().await;
    served.site.envoy.ready().await;
    crate::harness::ports_open(&[served.site.port]).await;
    served.live().await;

    let traffic = served.traffic().await;
    served.etcd.delete_prefix("filler/").await.expect("a full etcd takes deletions");
    served.etcd.compact_to_head().await.expect("a full etcd forgets");
    served.etcd.defragment().await.expect("a full etcd is defragmented");
    served.etcd.alarm_disarm().await.expect("there is room");
    let apply = served.command(&["apply", "-f", &file]).await;
    assert_eq!(apply.code, 0, "{apply:?}");
    served.world.edit([30]);
    served.live().await;
    eventually("status in the store again", LATER, async || {
        let summary = summary(&served.etcd).await?;
        ensure!(summary["objects"]["VirtualService"] == 20, "{summary:#}");
        Ok(())
    })
    .await;
    eventually("no alarm any more", PATIENCE, async || {
        let status = status::fetch(&served.site.biplane).await?;
        ensure!(!status.to_string().contains("NOSPACE"), "{status:#}");
        Ok(())
    })
    .await;
    served.unharmed(traffic).await;
}
