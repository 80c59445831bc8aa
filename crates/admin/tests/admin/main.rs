//! The server as callers see it, asked by a client that sends bytes and reads bytes.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use biplane_admin::{Source, serve};
use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_admin_api::{Client, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A control plane that is in the state that a test gives it.
struct Fixed {
    ready: Result<(), String>,
    live: Result<(), String>,
    status: Status,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { ready: Ok(()), live: Ok(()), status: Status::default() }
    }
}

impl Source for Fixed {
    fn status(&self) -> Status {
        self.status.clone()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }

    fn live(&self) -> Result<(), String> {
        self.live.clone()
    }

    fn metrics(&self) -> String {
        "# TYPE biplane_up gauge\nbiplane_up 1\n# EOF\n".to_owned()
    }
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(source: Fixed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound above");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, Arc::new(source), shutdown.clone()));
        Self { address, shutdown, task }
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
            .await
    }

    /// Sends bytes, reads until the server closes, and gives what it said, the `date` header left out.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        // The server may have answered and closed before it read all of a request that it refuses.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let reading = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
        let _ = reading.await.expect("the server answers and closes");
        let text = String::from_utf8(answer).expect("text");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("date:")).collect();
        if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
    }
}

#[tokio::test]
async fn probes_answer_200_when_all_is_well() {
    let server = Server::start(Fixed::default()).await;
    for (path, word) in [("/ready", "ready"), ("/live", "live")] {
        let answer = server.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
        assert!(answer.ends_with(&format!("\n\n{word}\n")), "{answer}");
    }
}

#[tokio::test]
async fn probes_answer_503_with_the_reason_on_one_line() {
    let reason = "waiting for\nfile:///etc/biplane".to_owned();
    let server =
        Server::start(Fixed { ready: Err(reason.clone()), live: Err(reason), ..Fixed::default() }).await;
    for path in ["/ready", "/live"] {
        let answer = server.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("\n\nwaiting for file:///etc/biplane\n"), "{answer}");
    }
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let server = Server::start(Fixed::default()).await;
    let answer = server.get("/metrics").await;
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.lines().any(|line| line == kind), "{answer}");
    assert!(answer.ends_with("\n# EOF\n"), "{answer}");
}

#[tokio::test]
async fn status_is_what_the_client_reads() {
    let report =
        ObjectReport { message: "<script>".into(), severity: Severity::Error, ..ObjectReport::default() };
    let status = Status { version: "0.1.0".into(), reports: vec![report], ..Status::default() };
    let server = Server::start(Fixed { status: status.clone(), ..Fixed::default() }).await;
    assert_eq!(Client::new(server.address).status().await.expect("a status"), status);
    let answer = server.get("/v1/status").await;
    assert!(answer.lines().any(|line| line == "content-type: application/json"), "{answer}");
    let body = answer.lines().last().expect("a body");
    serde_json::from_str::<serde_json::Value>(body).expect("JSON");
}

#[tokio::test]
async fn the_page_asks_for_nothing_from_elsewhere_and_the_browser_is_held_to_it() {
    let server = Server::start(Fixed::default()).await;
    for (path, kind) in
        [("/", "text/html"), ("/page/status.js", "text/javascript"), ("/page/style.css", "text/css")]
    {
        let answer = server.get(path).await;
        assert!(answer.contains(&format!("content-type: {kind}; charset=utf-8\n")), "{answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
        assert!(!answer.contains("http://") && !answer.contains("https://"), "{path} names another place");
        assert!(!answer.contains("innerHTML"), "{path} makes markup of values");
    }
}

#[tokio::test]
async fn answers_are_never_kept() {
    let server = Server::start(Fixed::default()).await;
    for path in ["/", "/ready", "/v1/status", "/nothing"] {
        let answer = server.get(path).await;
        assert!(answer.contains("cache-control: no-store\n"), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff\n"), "{answer}");
    }
}

#[tokio::test]
async fn nothing_can_be_written_and_unknown_paths_are_404() {
    let server = Server::start(Fixed::default()).await;
    let post = server.send("POST /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert!(server.get("/v1/config_dump").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_request_with_a_body_is_refused() {
    let server = Server::start(Fixed::default()).await;
    let request =
        "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    let answer = server.send(request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_request_for_a_name_of_somebody_else_is_refused() {
    let server = Server::start(Fixed::default()).await;
    let request = "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = server.send(request).await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert!(!answer.contains("startedAt"), "{answer}");
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_size() {
    let server = Server::start(Fixed::default()).await;
    let many = "x-same: y\r\n".repeat(100);
    let large = format!("x: {}\r\n", "y".repeat(200_000));
    for headers in [many, large] {
        let answer = server.send(&format!("GET /ready HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert!(server.get("/ready").await.starts_with("HTTP/1.1 200 OK\n"));
}

#[tokio::test]
async fn another_address_than_loopback_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a free port");
    let error = serve(listener, Arc::new(Fixed::default()), CancellationToken::new())
        .await
        .expect_err("everybody could ask");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let server = Server::start(Fixed::default()).await;
    let mut idle = TcpStream::connect(server.address).await.expect("the server listens");
    idle.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("open");
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    server.shutdown.cancel();
    let ended = timeout(Duration::from_secs(10), server.task).await.expect("ends by itself");
    ended.expect("no panic").expect("no error");
}
