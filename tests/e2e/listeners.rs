//! Options of a gateway: what its listener does besides routing.

use anyhow::{Context, Result};
use biplane_testkit::{Request, Upstream, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::resources::{gateway_with, route_answering, service_at, service_to, upstream};
use crate::harness::{PATIENCE, Site, Tree};

async fn site(gateway: &str, objects: &[String]) -> Site {
    let tree = Tree::with(objects);
    tree.files.write("gateway.yaml", &gateway_with("web", tree.port, gateway));
    tree.site().await
}

#[tokio::test]
async fn settings_of_the_connection_manager_are_envoys() {
    let settings = r"
httpGateway:
  options:
    httpConnectionManagerSettings:
      serverName: biplane-test
      stripAnyHostPort: true
      mergeSlashes: true
      via: our-proxy
";
    let one = Upstream::start("one");
    let by_host = service_at("host", "a.example.com", &route_answering("/a/b", "merged"));
    let site = site(settings, &[upstream("one", &one), service_to("one"), by_host]).await;
    let answer = site.ask(&Request::get("a.example.com:8080", "/a//b")).await;
    assert_eq!((answer.text().as_str(), answer.header("server")), ("merged", Some("biplane-test")));
    let told = site.told(&Request::get("b.example.com", "/")).await;
    assert_eq!(told["headers"]["via"], "our-proxy");
}

#[tokio::test]
async fn proxy_protocol_tells_the_clients_address() {
    let one = Upstream::start("one");
    let objects = [upstream("one", &one), service_to("one")];
    let site = site("httpGateway: {}\nuseProxyProto: true", &objects).await;
    let answer = eventually("an answer", PATIENCE, async || behind_a_proxy(site.port).await).await;
    assert!(answer.contains(r#""x-forwarded-for":"192.0.2.7""#), "{answer}");
}

/// What a request gets that comes through a proxy in front.
async fn behind_a_proxy(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n").await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("no answer")?;
    Ok(answer)
}

#[tokio::test]
async fn direct_responses_that_are_long_need_room_in_the_gateway() {
    let body = "x".repeat(8_000);
    let routes = route_answering("/", &body);
    let site = site(
        "httpGateway: {}\nrouteOptions: { maxDirectResponseBodySizeBytes: 10000 }",
        &[service_at("long", "*", &routes)],
    )
    .await;
    assert_eq!(site.get("/").await.text(), body);
}
