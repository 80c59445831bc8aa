//! Upstream and client against each other.

use super::*;
use crate::{Authority, Client, ClientTls, Request, TempDir};

#[tokio::test]
async fn an_upstream_tells_what_reached_it() {
    let upstream = Upstream::start("one");
    let request = Request::post("example.com", "/a?b=c", "hello").header("x-test", "1").header("x-test", "2");
    let answer = request.send(upstream.port()).await.expect("an answer");
    let told = answer.json().expect("JSON");
    assert_eq!((answer.status, answer.upstream()), (200, Some("one")));
    assert_eq!(told["method"], "POST");
    assert_eq!(told["path"], "/a?b=c");
    assert_eq!(told["host"], "example.com");
    assert_eq!(told["headers"]["x-test"], "1, 2");
    assert_eq!(told["body"], "hello");
    assert_eq!(upstream.requests(), 1);
    assert_eq!(upstream.seen(), [told]);
}

#[tokio::test]
async fn a_client_keeps_its_connection_until_the_server_breaks_it() {
    let upstream = Upstream::start("moody");
    let (mut client, request) = (Client::new(upstream.port()), Request::get("example.com", "/"));
    for _ in 0..3 {
        assert_eq!(client.send(&request).await.expect("an answer").status, 200);
    }
    assert_eq!(client.reconnects(), 0);
    upstream.behave(|behaviour| behaviour.reset = true);
    assert!(client.send(&request).await.is_err(), "a request that was on its way is not sent again");
    upstream.behave(|behaviour| behaviour.reset = false);
    assert_eq!(client.send(&request).await.expect("an answer").status, 200);
    assert_eq!((client.reconnects(), upstream.requests()), (1, 5));
}

#[tokio::test]
async fn http2_and_grpc_work_without_tls() {
    let upstream = Upstream::start("two");
    let plain = Request::get("example.com", "/").http2().send(upstream.port()).await.expect("an answer");
    assert_eq!(plain.json().expect("JSON")["protocol"], "HTTP/2.0");
    let call = Request::grpc("example.com", "/service/Method", &b"\0\0\0\0\0"[..]);
    let echoed = call.send(upstream.port()).await.expect("an answer");
    assert_eq!(&echoed.body[..], b"\0\0\0\0\0");
    assert_eq!(echoed.trailer("grpc-status"), Some("0"));
}

#[tokio::test]
async fn behaviour_changes_while_it_runs() {
    let upstream = Upstream::start("moody");
    let ask = async |path: &str| {
        Request::get("example.com", path).send(upstream.port()).await.map(|answer| answer.status)
    };
    upstream.behave(|behaviour| behaviour.fail_first = 1);
    assert_eq!(ask("/").await.expect("an answer"), 503);
    assert_eq!(ask("/").await.expect("an answer"), 200);
    upstream.behave(|behaviour| {
        behaviour.status = 404;
        behaviour.paths.insert("/health".into(), 204);
    });
    assert_eq!(ask("/").await.expect("an answer"), 404);
    assert_eq!(ask("/health").await.expect("an answer"), 204);
    upstream.behave(|behaviour| behaviour.reset = true);
    assert!(ask("/").await.is_err());
}

#[tokio::test]
async fn tls_shows_the_right_certificate_and_asks_for_one() {
    let authority = Authority::new("Test CA");
    let server = authority.issue(&["secure.example.com"]);
    let tls = ServerTls { identity: server.clone(), client_authority: Some(authority.certificate().into()) };
    let upstream = Upstream::start_with("secure", Options { tls: Some(tls), ..Options::default() });
    let mut trust = ClientTls::trusting(authority.certificate());

    let stranger = Request::get("secure.example.com", "/").tls(trust.clone()).send(upstream.port()).await;
    assert!(stranger.is_err(), "a client without a certificate is refused");

    trust.identity = Some(authority.issue(&["spiffe://example.com/client"]));
    let known = Request::get("secure.example.com", "/").http2().tls(trust);
    let answer = known.send(upstream.port()).await.expect("an answer");
    let told = answer.json().expect("JSON");
    assert_eq!(told["tls"]["server_name"], "secure.example.com");
    assert_eq!(told["tls"]["client_certificate"], true);
    assert_eq!(answer.certificate, Some(server.der()));
}

#[tokio::test]
async fn another_authoritys_certificate_is_refused_by_the_client() {
    let upstream = Upstream::start_tls("secure", &Authority::new("One").issue(&["secure.example.com"]));
    let trust = ClientTls::trusting(Authority::new("Another").certificate());
    assert!(Request::get("secure.example.com", "/").tls(trust).send(upstream.port()).await.is_err());
}

#[test]
fn an_upstream_listens_on_a_unix_socket() {
    let directory = TempDir::new("socket");
    let socket = directory.join("upstream.sock");
    let _upstream =
        Upstream::start_with("pipe", Options { socket: Some(socket.clone()), ..Options::default() });
    assert!(std::os::unix::net::UnixStream::connect(socket).is_ok());
}
