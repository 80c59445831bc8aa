//! Where endpoints are: IP addresses, DNS names, Unix sockets; and their comings and goings.

use biplane_testkit::upstream::Options;
use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service_to, upstream, upstream_with};
use crate::harness::{CALM, HOST, Site, Tree};

#[tokio::test]
async fn dns_name_is_resolved_by_envoy() {
    let one = Upstream::start("one");
    let hosts = format!("static: {{ hosts: [{{ addr: localhost, port: {} }}] }}", one.port());
    let site = Site::start(&[object("Upstream", "one", &hosts), service_to("one")]).await;
    site.until_upstream("one").await;
}

#[tokio::test]
async fn unix_socket_is_an_endpoint() {
    let tree = Tree::new();
    let socket = tree.directory.join("one.sock");
    let _one = Upstream::start_with("one", Options { socket: Some(socket.clone()), ..Options::default() });
    let pipe = object("Upstream", "one", &format!("pipe: {{ path: {} }}", socket.display()));
    tree.files.write("gateway.yaml", &crate::harness::resources::gateway(tree.port));
    tree.files.write("resources.yaml", &crate::harness::resources::documents(&[pipe, service_to("one")]));
    assert_eq!(tree.site().await.get("/").await.upstream(), Some("one"));
}

#[tokio::test]
async fn endpoint_that_moves_touches_no_cluster_and_costs_no_request() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let site = Site::start(&[upstream("backend", &one), service_to("backend")]).await;
    let before = site.counts().await;
    let load = site.load();
    site.replace(&[upstream_with("backend", &[&one, &two], ""), service_to("backend")]);
    site.until_upstream("two").await;
    site.replace(&[upstream("backend", &two), service_to("backend")]);
    site.until_stat("cluster.backend_gloo-system.membership_total", |total| total == 1).await;
    load.stop().assert_clean();
    biplane_testkit::throughout("answers of the new endpoint only", CALM, async || {
        let answer = Request::get(HOST, "/").send(site.port).await?;
        anyhow::ensure!(answer.upstream() == Some("two"), "{:?} answered", answer.upstream());
        Ok(())
    })
    .await;
    assert_eq!(site.counts().await, before, "endpoints go by EDS");
}

#[tokio::test]
async fn upstream_without_endpoints_answers_503() {
    let site = Site::start(&[object("Upstream", "none", "static: { hosts: [] }"), service_to("none")]).await;
    assert_eq!(site.get("/").await.status, 503);
    let one = Upstream::start("one");
    site.replace(&[upstream("none", &one), service_to("none")]);
    site.until_upstream("one").await;
}
