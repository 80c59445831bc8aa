//! Timeouts of a route: of the whole request, of an idle stream, of a stream's life.

use std::time::Duration;

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{service, upstream};
use crate::harness::{HOST, Site};

/// Far beyond the timeouts below, and no time that a test waits for.
const TOO_LONG: Duration = Duration::from_secs(8);

async fn site(slow: &Upstream, options: &str) -> Site {
    slow.behave(|behaviour| behaviour.delay = TOO_LONG);
    let routes = format!(
        "- {{ routeAction: {{ single: {{ upstream: {{ name: slow }} }} }}, options: {{ {options} }} }}"
    );
    Site::start(&[upstream("slow", slow), service("slow", &routes)]).await
}

/// The counter of the listener's own HTTP statistics.
async fn counted(site: &Site, counter: &str) -> u64 {
    site.envoy.stat(&format!("http.listener-127.0.0.1-{}.{counter}", site.port)).await.expect("a counter")
}

#[tokio::test]
async fn request_that_takes_longer_than_the_timeout_is_a_504() {
    let slow = Upstream::start("slow");
    let site = site(&slow, "timeout: 200ms").await;
    assert_eq!(site.get("/").await.status, 504);
    assert_eq!(counted(&site, "downstream_rq_idle_timeout").await, 0);
    slow.behave(|behaviour| behaviour.delay = Duration::ZERO);
    assert_eq!(site.get("/").await.status, 200);
}

#[tokio::test]
async fn stream_that_is_idle_for_longer_than_the_idle_timeout_is_a_504() {
    let slow = Upstream::start("slow");
    let site = site(&slow, "timeout: 0s, idleTimeout: 0.2s").await;
    assert_eq!(site.get("/").await.status, 504);
    assert_eq!(counted(&site, "downstream_rq_idle_timeout").await, 1);
}

#[tokio::test]
async fn stream_ends_with_its_longest_life() {
    let slow = Upstream::start("slow");
    let site = site(&slow, "timeout: 0s, maxStreamDuration: { maxStreamDuration: 200ms }").await;
    let answer = site.ask(&Request::get(HOST, "/")).await;
    assert!(matches!(answer.status, 408 | 504), "{} {}", answer.status, answer.text());
    assert_eq!(counted(&site, "downstream_rq_max_duration_reached").await, 1);
}
