//! Biplane itself is killed while Consul is away or nobody answers: it comes back with what it had.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::{Biplane, eventually};

use super::served::Served;
use crate::harness::{PATIENCE, ports_open};

/// How soon the last good configuration is served.
const SOON: Duration = Duration::from_secs(2);

/// Waits until what was read is on disk.
async fn kept_on_disk(biplane: &Biplane) {
    eventually("an edition on disk", PATIENCE, async || {
        let entries = std::fs::read_dir(biplane.state())?.filter_map(Result::ok);
        let editions = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"));
        ensure!(editions.count() > 0, "none yet");
        Ok(())
    })
    .await;
}

/// Kills and starts it, with an Envoy that has nothing; everything is there in no time.
async fn comes_back_with_everything(served: &mut Served) {
    served.site.biplane.kill();
    served.site.envoy.stop().await;
    served.site.biplane.start_again().await;
    eventually("the gate", SOON, async || {
        let ready = served.site.biplane.get("/ready").await?;
        ensure!(ready.status == 200, "{}", ready.text());
        Ok(())
    })
    .await;
    served.site.envoy.start_again().await;
    served.site.envoy.ready().await;
    ports_open(&[served.site.port]).await;
    served.live().await;
}

#[tokio::test]
async fn killed_while_consul_is_down_it_serves_the_last_good_configuration_at_once() {
    let mut served = Served::start(20).await;
    kept_on_disk(&served.site.biplane).await;
    served.consul.kill();
    comes_back_with_everything(&mut served).await;
    served.until_state("restored").await;
    // And a development agent that starts empty is not believed for that.
    served.consul.start_again().await;
    let witness = served.witness().await;
    super::served::init(&served.url).await;
    served.until_held(23).await;
    served.stays().await;
    served.write_everything().await;
    served.until_state("complete").await;
    served.edit(0..5).await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn killed_while_consul_stands_still_it_serves_the_last_good_configuration_at_once() {
    let mut served = Served::start(20).await;
    kept_on_disk(&served.site.biplane).await;
    served.consul.pause().await;
    comes_back_with_everything(&mut served).await;
    served.consul.resume();
    served.edit(0..5).await;
    served.until_state("complete").await;
}
