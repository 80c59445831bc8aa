//! Endpoints that are ill: active health checks and outlier detection.

use std::collections::BTreeSet;

use anyhow::ensure;
use biplane_testkit::{Upstream, eventually};

use crate::harness::resources::{service_to, upstream_with};
use crate::harness::{PATIENCE, Site};

const CHECKS: &str = r"
healthChecks:
- timeout: 1s
  interval: 50ms
  noTrafficInterval: 50ms
  unhealthyThreshold: 1
  healthyThreshold: 1
  httpHealthCheck: { path: /healthy }
";

/// Who answers 20 requests, all of them with 200.
async fn answering(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let answer = site.get("/").await;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        seen.extend(answer.upstream().map(str::to_owned));
    }
    Ok(seen)
}

async fn until_answering(site: &Site, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|&name| name.to_owned()).collect();
    eventually(&format!("answers of {wanted:?} only"), PATIENCE, async || {
        let seen = answering(site).await?;
        ensure!(seen == wanted, "{seen:?} answer");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn endpoint_that_fails_its_health_check_leaves_and_comes_back() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let site = Site::start(&[upstream_with("all", &[&one, &two], CHECKS), service_to("all")]).await;
    until_answering(&site, &["one", "two"]).await;
    two.behave(|behaviour| {
        behaviour.paths.insert("/healthy".into(), 503);
    });
    until_answering(&site, &["one"]).await;
    two.behave(|behaviour| behaviour.paths.clear());
    until_answering(&site, &["one", "two"]).await;
}

#[tokio::test]
async fn tcp_health_check_notices_a_server_that_is_gone() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let checks = CHECKS.replace("httpHealthCheck: { path: /healthy }", "tcpHealthCheck: {}");
    let site = Site::start(&[upstream_with("all", &[&one, &two], &checks), service_to("all")]).await;
    until_answering(&site, &["one", "two"]).await;
    drop(two);
    site.until_stat("cluster.all_gloo-system.membership_healthy", |healthy| healthy == 1).await;
    until_answering(&site, &["one"]).await;
}

#[tokio::test]
async fn endpoint_that_answers_with_errors_is_ejected() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let outliers = r"
outlierDetection: { consecutive5xx: 3, baseEjectionTime: 300s, maxEjectionPercent: 50, interval: 1s }
";
    let site = Site::start(&[upstream_with("all", &[&one, &two], outliers), service_to("all")]).await;
    two.behave(|behaviour| behaviour.status = 500);
    eventually("an ejection", PATIENCE, async || {
        site.get("/").await;
        let ejected = site.envoy.stat("cluster.all_gloo-system.outlier_detection.ejections_active").await?;
        ensure!(ejected == 1, "{ejected} are ejected");
        Ok(())
    })
    .await;
    assert_eq!(answering(&site).await.expect("200 only"), BTreeSet::from(["one".to_owned()]));
}
