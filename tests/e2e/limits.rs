//! Circuit breakers: what is too much for an upstream is refused at once.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::{Request, Upstream, eventually};

use crate::harness::resources::{service_to, upstream_with};
use crate::harness::{HOST, PATIENCE, Site};

#[tokio::test]
async fn requests_beyond_the_circuit_breaker_are_refused_at_once() {
    let one = Upstream::start("one");
    let limits = "circuitBreakers: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1 }";
    let site = Site::start(&[upstream_with("one", &[&one], limits), service_to("one")]).await;
    one.behave(|behaviour| behaviour.delay = Duration::from_millis(600));
    let first = async || site.get("/first").await;
    // While the first is with the upstream and one waits, there is no room.
    let refused = async || {
        eventually("the first request at the upstream", PATIENCE, async || {
            ensure!(one.requests() == 1, "{} have come", one.requests());
            Ok(())
        })
        .await;
        tokio::join!(site.get("/"), site.get("/"), site.get("/"))
    };
    let (first, others) = tokio::join!(first(), refused());
    assert_eq!(first.status, 200);
    let others = [others.0, others.1, others.2];
    let refused: Vec<_> =
        others.iter().filter(|answer| answer.header("x-envoy-overloaded").is_some()).collect();
    assert!(refused.len() >= 2 && refused.iter().all(|answer| answer.status == 503), "{others:?}");
    one.behave(|behaviour| behaviour.delay = Duration::ZERO);
    assert_eq!(site.ask(&Request::get(HOST, "/")).await.status, 200, "room again");
}
