//! The testkit's own servers against a real Envoy: what every other end-to-end test relies on.

use std::time::Duration;

use biplane_testkit::load::Rate;
use biplane_testkit::{Envoy, Load, Request, TempDir, Upstream, envoy, eventually, free_port};

const PATIENCE: Duration = Duration::from_secs(10);

/// One listener that forwards everything to one endpoint.
fn bootstrap(listener: u16, upstream: u16) -> String {
    format!(
        r#"
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }} }}
static_resources:
  listeners:
  - name: main
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {listener} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - {{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, route: {{ cluster: one }} }}] }}
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: one
    load_assignment:
      cluster_name: one
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream} }} }} }}
"#
    )
}

#[tokio::test]
async fn a_request_goes_through_envoy_to_the_upstream() {
    let (directory, upstream, port) = (TempDir::new("envoy"), Upstream::start("one"), free_port());
    let mut envoy = Envoy::start(&bootstrap(port, upstream.port()), &directory).await;
    envoy.ready().await;

    let answer = envoy.get(port, "example.com", "/path").await.expect("an answer");
    assert_eq!((answer.status, answer.upstream()), (200, Some("one")));
    assert_eq!(answer.json().expect("JSON")["path"], "/path");

    eventually("the request in the statistics", PATIENCE, async || {
        let count = envoy.stat("cluster.one.upstream_rq_total").await?;
        anyhow::ensure!(count == 1, "it counts {count}");
        Ok(())
    })
    .await;
    assert!(envoy.stats("cluster.one.").await.expect("statistics").len() > 10);
    assert!(envoy.stat("cluster.two.upstream_rq_total").await.is_err(), "an unknown name is no zero");
    assert!(envoy.losses().await.expect("statistics").contains_key("listener_manager.listener_removed"));
    let dump = envoy.config_dump().await.expect("JSON");
    assert!(dump["configs"].as_array().is_some_and(|configs| configs.len() > 3));
}

#[tokio::test]
async fn an_envoy_that_was_killed_comes_back_on_its_ports() {
    let (directory, upstream, port) = (TempDir::new("envoy"), Upstream::start("one"), free_port());
    let mut envoy = Envoy::start(&bootstrap(port, upstream.port()), &directory).await;
    envoy.kill();
    assert!(envoy.get(port, "example.com", "/").await.is_err());
    envoy.start_again().await;
    envoy.ready().await;
    assert_eq!(envoy.get(port, "example.com", "/").await.expect("an answer").status, 200);
    assert!(envoy.stop().await.success(), "it ends in order");
}

#[tokio::test]
async fn load_accounts_for_every_answer() {
    let (directory, upstream, port) = (TempDir::new("load"), Upstream::start("one"), free_port());
    let mut envoy = Envoy::start(&bootstrap(port, upstream.port()), &directory).await;
    envoy.ready().await;

    let load =
        Load::start(port, vec![Request::get("example.com", "/")], Rate { per_second: 400, connections: 4 });
    eventually("some traffic", PATIENCE, async || {
        anyhow::ensure!(load.sent() > 100, "only {} so far", load.sent());
        Ok(())
    })
    .await;
    let report = load.stop();
    report.assert_clean();
    assert_eq!(report.sent(), upstream.requests());
    assert!(report.p50 <= report.p99 && report.p99 <= report.max);

    upstream.behave(|behaviour| behaviour.status = 500);
    let rate = Rate { per_second: 100, connections: 2 };
    let report =
        Load::run(port, vec![Request::get("example.com", "/")], rate, Duration::from_millis(200)).await;
    assert_eq!(report.failed(), report.statuses[&500], "{report}");
    assert!(!report.samples.is_empty());
}

#[test]
fn validate_accepts_a_good_bootstrap_and_rejects_nonsense() {
    envoy::validate(&bootstrap(10_000, 10_001)).expect("a good bootstrap");
    let error = envoy::validate("static_resources: { listeners: [{ nonsense: 1 }] }").expect_err("nonsense");
    assert!(error.to_string().contains("nonsense"), "Envoy says which field: {error}");
    assert!(envoy::validate(r#"{"static_resources": "#).is_err());
}

#[test]
fn an_envoy_that_does_not_start_fails_with_its_log() {
    let directory = TempDir::new("broken");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let start = || runtime.block_on(Envoy::start("admin: { nonsense: 1 }", &directory));
    // On a thread of its own, so that the panic does not keep this test's directory.
    let panic =
        std::thread::scope(|scope| scope.spawn(|| drop(start())).join()).expect_err("it cannot start");
    let words = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(words.contains("nonsense") && words.contains("the end of"), "{words}");
}
