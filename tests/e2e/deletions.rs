//! Deleting what others still refer to: held for a bounded time, reported, and released when the last one lets go.

use biplane_testkit::{Request, Upstream, throughout};
use serde_json::json;

use crate::harness::resources::{
    documents, route_answering, secret, service, service_to, tls_service, upstream,
};
use crate::harness::{Bootstrap, CALM, HOST, Site, Tree, status};

/// A site whose upstream and service are in files of their own.
async fn site(server: &Upstream, arguments: &[&str]) -> Site {
    let tree = Tree::with(&[]);
    tree.files.write("service.yaml", &service_to("one"));
    tree.files.write("upstream.yaml", &upstream("one", server));
    let biplane = tree.biplane_with(arguments).await;
    tree.site_on(biplane, Bootstrap::default()).await
}

async fn until_held(site: &Site) -> serde_json::Value {
    let status = status::until(&site.biplane, "a deletion that waits", |status| {
        !status::list(status, "held").is_empty()
    });
    status.await["held"][0].clone()
}

async fn assert_answers(site: &Site, wanted: u16) {
    throughout(&format!("answers with {wanted}"), CALM, async || {
        let answer = Request::get(HOST, "/").send(site.port).await?;
        anyhow::ensure!(answer.status == wanted, "{} {}", answer.status, answer.text());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn upstream_that_a_route_names_is_held_and_reported_and_goes_with_the_route() {
    let one = Upstream::start("one");
    let site = site(&one, &[]).await;
    let load = site.load();
    site.files.remove("upstream.yaml");
    let held = until_held(&site).await;
    assert_eq!(held["object"], "Upstream gloo-system/one");
    assert_eq!(held["referencedBy"], json!(["VirtualService gloo-system/one"]));
    assert_answers(&site, 200).await;
    load.stop().assert_clean();

    site.files.write("service.yaml", &service("one", &route_answering("/", "alone")));
    site.until_body("/", "alone").await;
    status::until(&site.biplane, "nothing held", |status| status::list(status, "held").is_empty()).await;
    site.until_stat("cluster_manager.cluster_removed", |removed| removed == 1).await;
    status::until(&site.biplane, "no upstream", |status| {
        status["objects"]["Upstream"].as_u64().unwrap_or(0) == 0
    })
    .await;
}

#[tokio::test]
async fn upstream_that_comes_back_is_held_no_longer_and_nothing_happened() {
    let one = Upstream::start("one");
    let site = site(&one, &[]).await;
    let before = site.counts().await;
    site.files.remove("upstream.yaml");
    until_held(&site).await;
    site.files.write("upstream.yaml", &upstream("one", &one));
    status::until(&site.biplane, "nothing held", |status| status::list(status, "held").is_empty()).await;
    assert_answers(&site, 200).await;
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn upstream_that_comes_back_broken_stays_as_it_was() {
    let one = Upstream::start("one");
    let site = site(&one, &["--hold-deletions", "1s"]).await;
    site.files.remove("upstream.yaml");
    until_held(&site).await;
    site.files.write("upstream.yaml", &upstream("one", &one).replace("static:", "statik:"));
    status::until_report(&site.biplane, "Upstream gloo-system/one", "statik").await;
    status::until(&site.biplane, "nothing held", |status| status::list(status, "held").is_empty()).await;
    assert_answers(&site, 200).await;
}

#[tokio::test]
async fn deletion_is_carried_out_when_its_time_is_up() {
    let one = Upstream::start("one");
    let site = site(&one, &["--hold-deletions", "700ms"]).await;
    site.files.remove("upstream.yaml");
    until_held(&site).await;
    site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
    status::until(&site.biplane, "nothing held", |status| status::list(status, "held").is_empty()).await;
    status::until_report(&site.biplane, "VirtualService gloo-system/one", "does not exist").await;
}

#[tokio::test]
async fn secret_that_a_service_names_is_held() {
    let authority = biplane_testkit::Authority::new("Ours");
    let identity = authority.issue(&[HOST]);
    let service = tls_service("a", HOST, "secretRef: { name: a }", &route_answering("/", "a"));
    let tree = Tree::with_tls(&[service]);
    tree.files.write("secret.yaml", &documents(&[secret("a", &identity)]));
    let site = tree.site().await;
    let request = Request::get(HOST, "/").tls(biplane_testkit::ClientTls::trusting(authority.certificate()));
    site.until(&request, |answer| answer.status == 200).await;
    site.files.remove("secret.yaml");
    assert_eq!(until_held(&site).await["object"], "Secret gloo-system/a");
    assert_eq!(site.ask(&request).await.text(), "a");
}
