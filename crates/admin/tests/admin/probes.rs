//! Probes, metrics, status and the page.

use biplane_admin::AccessOptions;
use biplane_admin_api::Status;
use biplane_admin_api::status::{ObjectReport, Severity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use crate::plane::Plane;
use crate::server::Server;

async fn server(plane: Plane) -> Server {
    Server::start(plane, &AccessOptions::default()).await
}

#[tokio::test]
async fn probes_answer_200_when_all_is_well() {
    let server = server(Plane::default()).await;
    for (path, word) in [("/ready", "ready\n"), ("/live", "live\n")] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, word));
    }
}

#[tokio::test]
async fn probes_answer_503_with_the_reason_on_one_line() {
    let reason = "waiting for\nfile:///etc/biplane".to_owned();
    let server = server(Plane { ready: Err(reason.clone()), live: Err(reason), ..Plane::default() }).await;
    for path in ["/ready", "/live"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (503, "waiting for file:///etc/biplane\n"));
    }
    assert_eq!(
        server.client().ready().await.expect("an answer"),
        Err("waiting for file:///etc/biplane".to_owned())
    );
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let answer = server(Plane::default()).await.get("/metrics").await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
}

#[tokio::test]
async fn status_is_what_the_client_reads() {
    let report =
        ObjectReport { message: "<script>".into(), severity: Severity::Error, ..ObjectReport::default() };
    let status = Status { version: "0.1.0".into(), reports: vec![report], ..Status::default() };
    let server = server(Plane { status: status.clone(), ..Plane::default() }).await;
    assert_eq!(server.client().status().await.expect("a status"), status);
    assert_eq!(server.get("/v1/status").await.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_page_asks_for_nothing_from_elsewhere_and_the_browser_is_held_to_it() {
    let server = server(Plane::default()).await;
    for (path, kind) in
        [("/", "text/html"), ("/page/status.js", "text/javascript"), ("/page/style.css", "text/css")]
    {
        let answer = server.get(path).await;
        assert_eq!(answer.header("content-type"), Some(format!("{kind}; charset=utf-8").as_str()));
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let body = answer.body;
        assert!(!body.contains("http://") && !body.contains("https://"), "{path} names another place");
        assert!(!body.contains("innerHTML"), "{path} makes markup of values");
    }
}

#[tokio::test]
async fn answers_are_never_kept() {
    let server = server(Plane::default()).await;
    for path in ["/", "/ready", "/v1/status", "/v1/resources", "/nothing"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn unknown_paths_are_404_and_unknown_methods_405() {
    let server = server(Plane::default()).await;
    let answer = server.get("/v1/config_dump").await;
    assert_eq!((answer.status, answer.kind().as_str()), (404, "notFound"));
    let answer = server.ask("POST", "/v1/status", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let server = server(Plane::default()).await;
    let mut idle = TcpStream::connect(server.address).await.expect("the server listens");
    idle.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("open");
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    server.shutdown.cancel();
    let ended = timeout(Duration::from_secs(10), server.task).await.expect("ends by itself");
    ended.expect("no panic").expect("no error");
}

#[tokio::test]
async fn services_are_what_the_client_reads() {
    let server = server(Plane::default()).await;
    let services = server.client().services().await.expect("services");
    assert_eq!(services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["web"]);
}
