//! A watch: how it lives, and how it ends.

use biplane_admin::AccessOptions;
use biplane_admin_api::resources::{Filter, ResourceEvent};
use biplane_admin_api::{ProblemKind, Resources};
use biplane_core::key::Kind;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::contract::Contract;
use crate::plane::Plane;
use crate::raw;
use crate::server::{Server, eventually};

async fn server() -> Server {
    Server::start(Plane::default(), &AccessOptions::default()).await
}

#[tokio::test]
async fn a_problem_is_the_last_thing_that_a_watch_says() {
    let server = server().await;
    let mut events = server.client().watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Listed { revision: 0 })));
    server.shelf.break_watches();
    let problem = events.next().await.expect("said").expect_err("broken");
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::Unavailable, "the store is away"));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn lines_are_what_the_document_says() {
    let server = server().await;
    server.shelf.put(Kind::Secret, "s", "canary").await;
    let task = tokio::spawn({
        let stream = TcpStream::connect(server.address).await.expect("the server listens");
        async move { raw::exchange(stream, &raw::request("GET", "/v1/watch", &[], "")).await }
    });
    eventually("somebody watches", || server.shelf.watchers() == 1).await;
    server.shelf.put(Kind::Upstream, "a", "1").await;
    server.shelf.break_watches();
    let answer = task.await.expect("no panic").expect("an answer");
    Contract::of_server().check("GET", "/v1/watch", &answer);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let events: Vec<_> = answer.body.lines().map(|line| line.split('"').nth(3).unwrap_or_default()).collect();
    assert_eq!(events, ["put", "listed", "put", "kind"], "{}", answer.body);
    assert!(!answer.body.contains("canary"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_says_that_it_is_alive_and_outlives_other_connections() {
    let server = server().await;
    let mut events = server.client().watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Listed { revision: 0 })));
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(20) {
        assert_eq!(events.next().await, Some(Ok(ResourceEvent::Alive)));
    }
    server.shelf.put(Kind::Upstream, "a", "1").await;
    assert!(matches!(events.next().await, Some(Ok(ResourceEvent::Put { .. }))));
}

#[tokio::test]
async fn a_watch_ends_with_the_server() {
    let server = server().await;
    let mut events = server.client().watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Listed { revision: 0 })));
    server.shutdown.cancel();
    let problem = events.next().await.expect("said").expect_err("ended");
    assert_eq!(problem.kind, ProblemKind::Unavailable);
    let ended = timeout(Duration::from_secs(1), server.task).await.expect("waits for no watch");
    ended.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_watch_ends_with_its_client() {
    let server = server().await;
    let mut events = server.client().watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Listed { revision: 0 })));
    drop(events);
    eventually("nobody watches", || server.shelf.watchers() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_off_and_nothing_is_kept_for_it() {
    let server = server().await;
    // More than sockets hold.
    for index in 0..64 {
        server.shelf.put(Kind::Upstream, &format!("large-{index}"), &"x".repeat(256 * 1024)).await;
    }
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(raw::request("GET", "/v1/watch", &[], "").as_bytes()).await.expect("open");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    eventually("somebody watches", || server.shelf.watchers() == 1).await;
    // Other callers are served meanwhile.
    assert_eq!(server.get("/live").await.status, 200);
    while server.shelf.watchers() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(20), "it is still served");
    }
    assert!(began.elapsed() >= Duration::from_secs(14), "{:?}", began.elapsed());
}

#[tokio::test]
async fn watches_are_bounded_and_a_seat_is_free_again_when_one_ends() {
    let server = server().await;
    let client = server.client();
    let mut watches = Vec::new();
    for _ in 0..64 {
        watches.push(client.watch(&Filter::default()).await.expect("a seat"));
    }
    let problem = client.watch(&Filter::default()).await.map(|_| ()).expect_err("full");
    assert_eq!(problem.kind, ProblemKind::Unavailable);
    watches.pop();
    eventually("a seat is free", || server.shelf.watchers() < 64).await;
    drop(client.watch(&Filter::default()).await.expect("a seat"));
}
