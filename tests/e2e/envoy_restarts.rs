//! Restarts of Envoy: a new one gets everything, and an Envoy that comes first waits.

use anyhow::ensure;
use biplane_testkit::{Request, Upstream, eventually};

use crate::harness::resources::{service_to, upstream};
use crate::harness::{HOST, PATIENCE, Site, ports_open, status};

#[tokio::test]
async fn envoy_that_starts_again_gets_everything() {
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    for _ in 0..2 {
        site.envoy.restart().await;
        site.envoy.ready().await;
        ports_open(&[site.port]).await;
        assert_eq!(site.get("/").await.upstream(), Some("one"));
    }
    site.in_sync().await;
    status::until(&site.biplane, "one node", |status| status::list(status, "nodes").len() == 1).await;
}

#[tokio::test]
async fn envoy_that_is_killed_leaves_the_status_and_comes_back() {
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    site.in_sync().await;
    site.envoy.kill();
    status::until(&site.biplane, "no node", |status| status::list(status, "nodes").is_empty()).await;
    site.envoy.start_again().await;
    site.envoy.ready().await;
    ports_open(&[site.port]).await;
    assert_eq!(site.get("/").await.upstream(), Some("one"));
}

#[tokio::test]
async fn envoy_that_starts_before_biplane_waits_for_it() {
    let one = Upstream::start("one");
    let mut site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    site.envoy.stop().await;
    site.biplane.stop().await;
    site.envoy.start_again().await;
    assert!(Request::get(HOST, "/").send(site.port).await.is_err());
    site.biplane.start_again().await;
    eventually("an answer", PATIENCE, async || {
        let answer = Request::get(HOST, "/").send(site.port).await?;
        ensure!(answer.upstream() == Some("one"), "{}", answer.status);
        Ok(())
    })
    .await;
}
