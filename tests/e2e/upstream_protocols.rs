//! What is spoken with upstreams and with clients: HTTP/1.1, HTTP/2, gRPC.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{service, service_to, upstream, upstream_with};
use crate::harness::{HOST, Site};

#[tokio::test]
async fn upstream_speaks_http_2_where_it_says_so() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let routes = r"
- { matchers: [{ prefix: /one }], routeAction: { single: { upstream: { name: one } } } }
- { matchers: [{ prefix: /two }], routeAction: { single: { upstream: { name: two } } } }
";
    let http2 = "useHttp2: true\nmaxConcurrentStreams: 100\ninitialStreamWindowSize: 65536";
    let objects = [upstream("one", &one), upstream_with("two", &[&two], http2), service("protocols", routes)];
    let site = Site::start(&objects).await;
    for request in [Request::get(HOST, "/one"), Request::get(HOST, "/one").http2()] {
        assert_eq!(site.told(&request).await["protocol"], "HTTP/1.1");
    }
    for request in [Request::get(HOST, "/two"), Request::get(HOST, "/two").http2()] {
        assert_eq!(site.told(&request).await["protocol"], "HTTP/2.0");
    }
}

#[tokio::test]
async fn grpc_calls_pass_with_their_trailers() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream_with("one", &[&one], "useHttp2: true"), service_to("one")]).await;
    let message = &b"\0\0\0\0\x05hello"[..];
    let call = Request::grpc(HOST, "/helloworld.Greeter/SayHello", message);
    let answer = site.ask(&call).await;
    assert_eq!((answer.status, answer.trailer("grpc-status")), (200, Some("0")));
    assert_eq!(&answer.body[..], message);
    one.behave(|behaviour| behaviour.status = 503);
    assert_eq!(site.ask(&call).await.trailer("grpc-status"), Some("14"), "unavailable");
}

#[tokio::test]
async fn grpc_call_to_nowhere_fails_in_grpcs_own_way() {
    let site = Site::start(&[service_to("missing")]).await;
    let answer = site.ask(&Request::grpc(HOST, "/a.B/C", &b"\0\0\0\0\0"[..])).await;
    assert_eq!((answer.status, answer.trailer("grpc-status")), (200, Some("14")));
}
