//! What a caller can cost.

use biplane_admin_api::wire::LARGEST_REQUEST;
use biplane_core::key::Kind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::server::Server;
use crate::shelf::document;

#[tokio::test]
async fn a_request_that_takes_no_body_is_refused_with_one() {
    let server = Server::open().await;
    for (method, path) in
        [("GET", "/ready"), ("GET", "/v1/resources"), ("DELETE", "/v1/resources/us/default/a")]
    {
        let answer = server.ask(method, path, &[], "hello").await;
        assert_eq!((answer.status, answer.kind().as_str()), (413, "tooLarge"), "{method} {path}");
    }
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_size() {
    let server = Server::open().await;
    let many = "x-same: y\r\n".repeat(100);
    let large = format!("x: {}\r\n", "y".repeat(200_000));
    for headers in [many, large] {
        let answer = server.send(&format!("GET /ready HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 431), "{answer:?}");
    }
    assert_eq!(server.get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::open().await;
    for (method, path, limit) in [
        ("POST", "/v1/apply", LARGEST_REQUEST),
        ("PUT", "/v1/resources/us/default/a", 1024 * 1024),
        ("POST", "/v1/resources/us/default/a/rollback", 64 * 1024),
    ] {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            limit + 1
        );
        let answer = server.send(&request).await.expect("an answer");
        assert_eq!((answer.status, answer.kind().as_str()), (413, "tooLarge"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_say_how_large_it_is_is_read_no_further_than_the_limit() {
    let server = Server::open().await;
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let head =
        "PUT /v1/resources/us/default/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("open");
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    let mut sent = 0;
    // Endless, until the server has had enough.
    let answer = timeout(Duration::from_secs(30), async {
        let mut answer = [0; 12];
        loop {
            tokio::select! {
                biased;
                read = stream.read_exact(&mut answer) => break read.map(|_| answer),
                written = async { sent += 1; sent < 10_000 } => assert!(written, "the server reads for ever"),
            }
            if stream.write_all(chunk.as_bytes()).await.is_err() {
                break stream.read_exact(&mut answer).await.map(|_| answer);
            }
        }
    });
    let answer = answer.await.expect("an end");
    assert!(answer.is_err() || answer.is_ok_and(|answer| &answer == b"HTTP/1.1 413"), "after {sent} chunks");
    assert_eq!(server.shelf.revision(), 0);
}

#[tokio::test]
async fn a_request_of_the_largest_size_is_taken() {
    let server = Server::open().await;
    let text = document(Kind::Upstream, "a", &"x".repeat(1024 * 1024 - 200));
    let answer = server.ask("PUT", "/v1/resources/us/default/a", &[], &text).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn json_that_nests_without_end_is_refused() {
    let server = Server::open().await;
    let body = format!("{{\"changes\":{}", "[".repeat(1_000_000));
    let answer = server.ask("POST", "/v1/apply", &[], &body).await;
    assert_eq!((answer.status, answer.kind().as_str()), (400, "badRequest"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_has_a_deadline() {
    let server = Server::open().await;
    let began = Instant::now();
    let request =
        "POST /v1/apply HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    let answer = server.send(request).await.expect("an answer");
    assert_eq!((answer.status, answer.kind().as_str()), (408, "badRequest"));
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_end_have_a_deadline() {
    let server = Server::open().await;
    let began = Instant::now();
    server.send("GET /live HTTP/1.1\r\nHost: localhost\r\n").await;
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_and_are_served_when_others_go() {
    let server = Server::open().await;
    let mut idle = Vec::new();
    for _ in 0..128 {
        let mut stream = TcpStream::connect(server.address).await.expect("a backlog");
        stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("open");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        idle.push(stream);
    }
    let mut waiting = std::pin::pin!(server.get("/live"));
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "the bound holds");
    drop(idle);
    assert_eq!(waiting.await.status, 200);
}
