//! HTTP CONNECT: a tunnel through Envoy, terminated there.

use anyhow::{Context, Result, ensure};
use biplane_testkit::{Upstream, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::resources::{service, upstream};
use crate::harness::{PATIENCE, Site};

const ROUTES: &str = r"
- matchers: [{ connectMatcher: {} }]
  routeAction: { single: { upstream: { name: one } } }
  options: { upgrades: [{ connectTerminate: {} }] }
- directResponseAction: { status: 200, body: plain }
";

#[tokio::test]
async fn connect_matcher_takes_connect_requests_and_their_payload_reaches_the_upstream() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service("tunnel", ROUTES)]).await;
    assert_eq!(site.get("/").await.text(), "plain", "no other request is taken");
    // The listener that allows CONNECT may come a moment behind the route that wants it.
    let inside = eventually("an answer through the tunnel", PATIENCE, async || tunnel(site.port).await).await;
    assert!(inside.contains("x-upstream: one") && inside.contains("/inside"), "{inside}");
}

/// What the server behind the tunnel answers.
async fn tunnel(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"CONNECT one.example.com:80 HTTP/1.1\r\nhost: one.example.com:80\r\n\r\n").await?;
    let head = read_head(&mut stream).await?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    stream
        .write_all(b"GET /inside HTTP/1.1\r\nhost: inside.example.com\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("the answer inside the tunnel")?;
    Ok(answer)
}

async fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.context("the answer to CONNECT")?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
