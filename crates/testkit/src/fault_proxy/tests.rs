//! Each fault by itself, against an echo server; HTTP mode against an upstream.

use std::io::ErrorKind;

use anyhow::{Result, ensure};
use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use crate::{Request, Upstream, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to believe that nothing comes.
const SILENCE: Duration = Duration::from_millis(100);

/// A server that says everything back.
async fn echo() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    address
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.expect("it accepts")
}

/// Says something and hears as many bytes, both at the same time.
async fn say(stream: &mut TcpStream, words: &[u8]) -> Result<Vec<u8>> {
    let (mut from, mut to) = stream.split();
    let mut heard = vec![0; words.len()];
    let both = async { tokio::try_join!(to.write_all(words), from.read_exact(&mut heard)).map(drop) };
    timeout(PATIENCE, both).await??;
    Ok(heard)
}

/// What comes until the end of the connection.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut heard = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end");
    (heard, end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn bytes_and_ends_pass_and_are_counted() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    let words = vec![7; 300_000];
    assert!(say(&mut stream, &words).await.expect("an echo") == words);
    stream.shutdown().await.expect("it is open");
    assert_eq!(rest(&mut stream).await, (vec![], None));
    drop(stream);
    eventually("the connection's end", PATIENCE, async || {
        ensure!(proxy.connections() == 0, "{}", proxy.connections());
        Ok(())
    })
    .await;
    let counters = proxy.counters();
    assert_eq!((counters.to_server, counters.to_client, counters.accepted), (300_000, 300_000, 1));
}

#[tokio::test]
async fn cut_closes_connections_and_refuses_new_ones_until_it_heals() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"hello").await.expect("an echo");
    proxy.cut();
    assert_eq!(proxy.connections(), 0);
    assert_eq!(rest(&mut stream).await, (vec![], Some(ErrorKind::ConnectionReset)));
    let refused = TcpStream::connect(proxy.address()).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.heal();
    assert_eq!(say(&mut connect(&proxy).await, b"again").await.expect("an echo"), b"again");
}

#[tokio::test]
async fn reset_closes_connections_and_takes_new_ones() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"hello").await.expect("an echo");
    proxy.reset();
    assert_eq!(rest(&mut stream).await.1, Some(ErrorKind::ConnectionReset));
    say(&mut connect(&proxy).await, b"again").await.expect("an echo");
}

#[tokio::test]
async fn refuse_new_leaves_open_connections_alone() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"hello").await.expect("an echo");
    proxy.refuse_new();
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    say(&mut stream, b"still here").await.expect("an echo");
}

#[tokio::test]
async fn a_blackhole_is_silent_and_what_lost_bytes_is_closed_when_it_heals() {
    let proxy = FaultProxy::start(echo().await);
    let (mut talks, mut listens) = (connect(&proxy).await, connect(&proxy).await);
    say(&mut talks, b"hello").await.expect("an echo");
    say(&mut listens, b"hello").await.expect("an echo");
    proxy.blackhole();
    let mut new = connect(&proxy).await;
    for stream in [&mut talks, &mut new] {
        stream.write_all(b"anybody there?").await.expect("it takes everything");
        let silent = timeout(SILENCE, stream.read_u8()).await;
        assert!(silent.is_err(), "neither an answer nor an end: {silent:?}");
    }
    proxy.heal();
    assert_eq!(rest(&mut talks).await.1, Some(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut new).await.1, Some(ErrorKind::ConnectionReset));
    say(&mut listens, b"nothing was lost here").await.expect("an echo");
}

#[tokio::test]
async fn a_servers_end_does_not_come_through_a_blackhole() {
    let upstream = Upstream::start("gone");
    let proxy = FaultProxy::start(upstream.address());
    let mut stream = connect(&proxy).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("it takes everything");
    stream.read_u8().await.expect("an answer begins");
    proxy.blackhole();
    drop(upstream);
    let mut buffer = [0; 4096];
    // What was on its way already may still come; the end does not.
    while let Ok(read) = timeout(SILENCE, stream.read(&mut buffer)).await {
        assert!(read.expect("no reset") > 0, "no end");
    }
}

#[tokio::test]
async fn a_delay_holds_each_way_and_not_the_throughput() {
    let proxy = FaultProxy::start(echo().await);
    proxy.delay(Duration::from_millis(50));
    let mut stream = connect(&proxy).await;
    let started = Instant::now();
    // Two hundred chunks: one after the other they would take ten seconds.
    say(&mut stream, &vec![1; 200 * (16 << 10)]).await.expect("an echo");
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_throttled_link_takes_its_time() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    proxy.throttle(100_000);
    let started = Instant::now();
    say(&mut stream, &vec![1; 20_000]).await.expect("an echo");
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    proxy.heal();
    // Throttled, these would take twenty seconds.
    say(&mut stream, &vec![1; 2_000_000]).await.expect("an echo within the patience");
}

#[tokio::test]
async fn corruption_begins_where_it_was_ordered() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"unharmed").await.expect("an echo");
    proxy.corrupt(2);
    assert_eq!(say(&mut stream, b"abcd").await.expect("an echo"), [b'a', b'b', !b'c', !b'd']);
    assert_eq!(say(&mut connect(&proxy).await, b"abc").await.expect("an echo"), [b'a', b'b', !b'c']);
    proxy.heal();
    assert_eq!(say(&mut stream, b"abcd").await.expect("an echo"), b"abcd");
}

#[tokio::test]
async fn a_connection_is_cut_in_the_middle_of_an_answer() {
    let proxy = FaultProxy::start(echo().await);
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"unharmed").await.expect("an echo");
    proxy.cut_after(3);
    stream.write_all(b"abcdef").await.expect("it takes everything");
    assert_eq!(rest(&mut stream).await.0, b"abc");
}

#[tokio::test]
async fn chosen_requests_are_answered_by_the_proxy_and_others_pass() {
    let upstream = Upstream::start("one");
    let proxy = FaultProxy::http(upstream.address());
    let limited = Answer::status(429).header("retry-after", "1").body("slow down");
    proxy.answer(Matcher::path("/v1/kv/").method(Method::GET).query("index="), limited, 2);

    let get = async |path: &str| Request::get("localhost", path).send_to(proxy.address()).await;
    for _ in 0..2 {
        let answer = get("/v1/kv/a?recurse&index=3").await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (429, "slow down"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    for path in ["/v1/kv/a?recurse", "/v1/status/leader?index=1", "/v1/kv/a?recurse&index=3"] {
        let answer = get(path).await.expect("an answer");
        assert_eq!((answer.status, answer.upstream()), (200, Some("one")), "{path}");
        assert_eq!(answer.json().expect("JSON")["path"], path);
    }
    let post = Request::post("localhost", "/v1/kv/a?index=", "body").send_to(proxy.address()).await;
    assert_eq!(post.expect("an answer").json().expect("JSON")["body"], "body");
    assert_eq!((proxy.requests(), proxy.counters().answered, upstream.requests()), (6, 2, 4));
    assert_eq!(proxy.seen().iter().filter(|seen| seen.answered).count(), 2);

    proxy.answer(Matcher::any(), Answer::status(500), ALWAYS);
    assert_eq!(get("/").await.expect("an answer").status, 500);
    proxy.heal();
    assert_eq!(get("/").await.expect("an answer").status, 200);
}

#[tokio::test]
async fn requests_are_chosen_by_what_their_bodies_say_and_others_pass_whole() {
    let upstream = Upstream::start("one");
    let proxy = FaultProxy::http(upstream.address());
    let page = Matcher::path("/").body("Action=List").body("Page=2");
    proxy.answer(page, Answer::status(503), 1);
    proxy.answer(Matcher::any().body("Action=Count").body_without("Page="), Answer::status(429), 1);
    let post =
        async |body: &'static str| Request::post("localhost", "/", body).send_to(proxy.address()).await;
    for (body, status) in [
        ("Action=List&Page=1", 200),
        ("Action=List&Page=2", 503),
        ("Action=List&Page=2", 200),
        ("Action=Count&Page=2", 200),
        ("Action=Count", 429),
    ] {
        let answer = post(body).await.expect("an answer");
        assert_eq!(answer.status, status, "{body}");
        assert!(status != 200 || answer.json().expect("JSON")["body"] == body, "{}", answer.text());
    }
}

#[tokio::test]
async fn http2_and_its_trailers_pass() {
    let upstream = Upstream::start("grpc");
    let proxy = FaultProxy::http(upstream.address());
    let call = Request::grpc("localhost", "/a.Service/Call", "frame");
    let answer = call.send_to(proxy.address()).await.expect("an answer");
    assert_eq!((answer.text().as_str(), answer.trailer("grpc-status")), ("frame", Some("0")));
}

#[tokio::test]
async fn faults_of_the_link_befall_http_too() {
    let upstream = Upstream::start("one");
    let proxy = FaultProxy::http(upstream.address());
    proxy.cut_after(20);
    let get = async || Request::get("localhost", "/").send_to(proxy.address()).await;
    assert!(get().await.is_err());
    proxy.heal();
    assert_eq!(get().await.expect("an answer").status, 200);

    upstream.behave(|behaviour| behaviour.delay = Duration::from_mins(1));
    let cut = async {
        eventually("the request at the server", PATIENCE, async || {
            ensure!(upstream.requests() == 3, "{}", upstream.requests());
            Ok(())
        })
        .await;
        proxy.cut();
    };
    let (answer, ()) = tokio::join!(get(), cut);
    assert!(answer.is_err(), "a request that waits for its answer is cut off too");
}
