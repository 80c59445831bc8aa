//! Everyday changes under traffic: each is live soon, and none costs a request.

use biplane_testkit::load::Rate;
use biplane_testkit::{Load, Request, Upstream};

use crate::harness::resources::{
    documents, gateway_with, route_answering, route_to, secret_with, service, service_at, service_to,
    upstream, upstream_with,
};
use crate::harness::{HOST, Site};

/// Envoy waits 15 s for a cluster that cannot warm: whatever waits with it takes longer than this.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);

async fn soon(site: &Site, what: &str, stat: &str, wanted: u64) {
    biplane_testkit::eventually(what, SOON, async || {
        let value = site.envoy.stat(stat).await?;
        anyhow::ensure!(value == wanted, "{stat} is {value}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn settings_of_an_upstream_change_without_a_lost_request() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let load = site.load();
    let settings = [
        "circuitBreakers: { maxConnections: 2000 }",
        "connectionConfig: { connectTimeout: 1s }",
        "useHttp2: true",
        "loadBalancerConfig: { leastRequest: {} }",
        "",
    ];
    for (changes, fields) in (1..).zip(settings) {
        site.replace(&[upstream_with("one", &[&one], fields), service_to("one")]);
        soon(&site, fields, "cluster_manager.cluster_modified", changes).await;
        soon(&site, "a warm cluster", "cluster_manager.warming_clusters", 0).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn addresses_that_become_names_and_names_that_become_addresses_cost_no_request() {
    let one = Upstream::start("one");
    let by_name = upstream("one", &one).replace("127.0.0.1", "localhost");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let load = site.load();
    for (changes, object) in (1..).zip([by_name.clone(), upstream("one", &one), by_name]) {
        site.replace(&[object, service_to("one")]);
        soon(&site, "another kind of cluster", "cluster_manager.cluster_modified", changes).await;
        soon(&site, "a warm cluster", "cluster_manager.warming_clusters", 0).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn options_of_a_gateway_change_without_a_lost_request() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_to("one")]).await;
    let load = site.load();
    for (changes, name) in (1..).zip(["first", "second", "third"]) {
        let settings = format!(
            "httpGateway: {{ options: {{ httpConnectionManagerSettings: {{ serverName: {name} }} }} }}"
        );
        site.files.write("gateway.yaml", &gateway_with("web", site.port, &settings));
        soon(&site, name, "listener_manager.listener_modified", changes).await;
        site.until(&Request::get(HOST, "/"), |answer| answer.header("server") == Some(name)).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn upstream_whose_secret_is_missing_holds_back_nobody_else() {
    let servers = ["one", "two"].map(Upstream::start);
    let site = Site::start(&[upstream("one", &servers[0]), service_to("one")]).await;
    let stuck = upstream_with("stuck", &[&servers[0]], "sslConfig: { secretRef: { name: missing } }");
    let to_stuck = service_at("stuck", "stuck.example.com", &route_to("/", "stuck"));
    site.files.write("stuck.yaml", &documents(&[stuck, to_stuck]));
    crate::harness::status::until_report(&site.biplane, "Upstream gloo-system/stuck", "does not exist").await;

    let started = std::time::Instant::now();
    site.replace(&[upstream("two", &servers[1]), service("one", &route_to("/", "two"))]);
    site.until_upstream("two").await;
    let later = service_at("later", "later.example.com", &route_answering("/", "later"));
    site.files.write("later.yaml", &later);
    site.until(&Request::get("later.example.com", "/"), |answer| answer.text() == "later").await;
    assert!(started.elapsed() < SOON, "others waited for {:?}", started.elapsed());

    let root = biplane_testkit::Authority::new("Ours");
    site.files.write("secret.yaml", &secret_with("missing", None, Some(root.certificate())));
    crate::harness::status::until_clean(&site.biplane).await;
    site.in_sync().await;
}

#[tokio::test]
async fn file_that_is_written_over_in_place_is_never_read_half() {
    let site = Site::start(&[service("main", &route_answering("/", "main"))]).await;
    let all = |version: u32| {
        let answer = |number: u32| {
            let domain = format!("host-{number}.example.com");
            service_at(&format!("service-{number}"), &domain, &route_answering("/", &version.to_string()))
        };
        documents(&(0..300).map(answer).collect::<Vec<_>>())
    };
    site.files.overwrite("all.yaml", &all(0));
    let last = Request::get("host-299.example.com", "/");
    site.until(&last, |answer| answer.text() == "0").await;
    let load = Load::start(site.port, vec![last.clone()], Rate::default());
    for version in 1..=5 {
        site.files.overwrite("all.yaml", &all(version));
        site.until(&last, |answer| answer.text() == version.to_string()).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn of_many_quick_edits_the_last_one_stays() {
    let site = Site::start(&[service("main", &route_answering("/", "0"))]).await;
    let load = site.load();
    for edit in 1..=100 {
        site.replace(&[service("main", &route_answering("/", &edit.to_string()))]);
    }
    site.until_body("/", "100").await;
    biplane_testkit::throughout("the last edit", crate::harness::CALM, async || {
        let answer = Request::get(HOST, "/").send(site.port).await?;
        anyhow::ensure!(answer.text() == "100", "{}", answer.text());
        Ok(())
    })
    .await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn restart_with_many_services_and_upstreams_costs_no_request() {
    let servers = ["one", "two", "three"].map(Upstream::start);
    let mut objects = Vec::new();
    for number in 0..150 {
        let name = format!("number-{number}");
        objects.push(upstream(&name, &servers[number % servers.len()]));
        objects.push(service_at(&name, &format!("{name}.example.com"), &route_to("/", &name)));
    }
    let mut site = Site::start(&objects).await;
    site.in_sync().await;
    let counts = site.counts().await;
    let requests =
        (0..150).map(|number| Request::get(&format!("number-{number}.example.com"), "/")).collect();
    let load = Load::start(site.port, requests, Rate { per_second: 300, connections: 4 });
    site.biplane.restart().await;
    site.in_sync().await;
    site.biplane.kill();
    site.biplane.start_again().await;
    site.in_sync().await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
}
