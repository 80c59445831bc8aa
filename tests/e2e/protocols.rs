//! Delta and state of the world: the same configuration either way, and a client that comes back gets no byte twice.

use std::collections::BTreeMap;

use biplane_testkit::xds::{Delta, Node, Sotw, type_url};
use biplane_testkit::{Biplane, Request, Upstream, biplane};

use crate::harness::resources::{documents, route_answering, route_to, service, service_to, upstream};
use crate::harness::{Bootstrap, CALM, HOST, PATIENCE, Site, Tree, status};

async fn site(objects: &[String], sotw: bool) -> Site {
    let tree = Tree::with(objects);
    let biplane = tree.biplane().await;
    tree.site_on(biplane, Bootstrap { sotw, ..Bootstrap::default() }).await
}

#[tokio::test]
async fn both_protocols_follow_edits_additions_and_deletions() {
    for (sotw, protocol) in [(false, "delta"), (true, "state")] {
        let servers = ["one", "two"].map(Upstream::start);
        let site = site(&[upstream("one", &servers[0]), service_to("one")], sotw).await;
        site.until_upstream("one").await;
        let asked = status::command(&site.biplane)["nodes"][0]["protocol"].clone();
        assert!(asked.as_str().is_some_and(|asked| asked.starts_with(protocol)), "{asked}");
        let load = site.load();
        site.replace(&[upstream("two", &servers[1]), service("one", &route_to("/", "two"))]);
        site.until_upstream("two").await;
        site.replace(&[upstream("two", &servers[0]), service("one", &route_to("/", "two"))]);
        site.until_upstream("one").await;
        site.until_stat("cluster_manager.cluster_removed", |removed| removed == 1).await;
        load.stop().assert_clean();
        site.files.remove("resources.yaml");
        site.until(&Request::get(HOST, "/"), |answer| answer.status == 404).await;
        site.in_sync().await;
        let refused = site.envoy.stats_matching("update_rejected$").await.expect("statistics");
        assert!(refused.values().all(|count| *count == 0), "{refused:?}");
    }
}

#[tokio::test]
async fn restart_of_biplane_costs_a_state_of_the_world_envoy_no_request() {
    let one = Upstream::start("one");
    let mut site = site(&[upstream("one", &one), service_to("one")], true).await;
    let losses = site.envoy.losses().await.expect("statistics");
    let load = site.load();
    site.biplane.restart().await;
    site.in_sync().await;
    load.stop().assert_clean();
    assert_eq!(site.envoy.losses().await.expect("statistics"), losses);
    site.replace(&[service("one", &route_answering("/", "after"))]);
    site.until_body("/", "after").await;
}

/// Versions by name, by type.
type Held = Vec<(&'static str, Vec<String>, BTreeMap<String, String>)>;

/// Takes everything as Envoy does, and says what it holds then.
async fn take_all(biplane: &Biplane, names: &[(&'static str, Vec<String>)]) -> Held {
    let mut client =
        Delta::connect(biplane.xds(), Node::new("probe", "gateway-proxy")).await.expect("a stream");
    let mut held = Held::new();
    for (type_url, names) in names {
        let asked: Vec<_> = names.iter().map(String::as_str).collect();
        client.subscribe(type_url, &asked);
        let response = client.next(PATIENCE).await.expect("a response");
        client.ack(&response);
        assert_eq!(&response.type_url, type_url);
        let versions = response.resources.iter().map(|got| (got.name.clone(), got.version.clone())).collect();
        held.push((type_url, names.clone(), versions));
    }
    held
}

/// What an Envoy asks for that has one upstream and one listener.
fn names(port: u16) -> [(&'static str, Vec<String>); 4] {
    [
        (type_url::CLUSTER, vec!["*".to_owned()]),
        (type_url::ENDPOINT, vec!["one_gloo-system".to_owned()]),
        (type_url::LISTENER, vec!["*".to_owned()]),
        (type_url::ROUTE, vec![format!("listener-127.0.0.1-{port}-routes")]),
    ]
}

/// Comes back with what it holds, and says what it is sent and what it is to remove.
async fn resume(biplane: &Biplane, held: &Held) -> (Vec<String>, Vec<String>) {
    let mut client =
        Delta::connect(biplane.xds(), Node::new("probe", "gateway-proxy")).await.expect("a stream");
    for (type_url, names, versions) in held {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        client.resume(type_url, &names, versions.clone());
    }
    let (mut sent, mut removed) = (Vec::new(), Vec::new());
    while let Ok(response) = client.next(CALM).await {
        sent.extend(response.resources.iter().map(|resource| resource.name.clone()));
        removed.extend(response.removed.clone());
        client.ack(&response);
    }
    (sent, removed)
}

#[tokio::test]
async fn client_that_comes_back_is_sent_what_has_changed_and_nothing_else() {
    let one = Upstream::start("one");
    let tree = Tree::with(&[upstream("one", &one), service_to("one")]);
    let mut biplane = tree.biplane().await;
    let names = names(tree.port);
    let held = take_all(&biplane, &names).await;
    assert!(held.iter().all(|(_, _, versions)| versions.len() == 1), "{held:?}");
    biplane.restart().await;
    assert_eq!(take_all(&biplane, &names).await, held, "versions are hashes of the content");

    assert_eq!(resume(&biplane, &held).await, (vec![], vec![]));
    let changed = documents(&[upstream("one", &one), service("one", &route_to("/changed", "one"))]);
    tree.files.write("resources.yaml", &changed);
    let generation =
        |status: &serde_json::Value| status::fleet(status, "gateway-proxy")["generation"].as_u64();
    status::until(&biplane, "the change", |status| generation(status) > Some(1)).await;
    assert_eq!(resume(&biplane, &held).await, (names[3].1.clone(), vec![]));
}

#[tokio::test]
async fn replica_that_reads_the_same_files_sends_nothing_again() {
    let one = Upstream::start("one");
    let tree = Tree::with(&[upstream("one", &one), service_to("one")]);
    let first = tree.biplane().await;
    let options = biplane::Options { name: "second".into(), ..biplane::Options::files(tree.files.root()) };
    let second = Biplane::start_with(options, &tree.directory).await;
    let names = names(tree.port);
    let held = take_all(&first, &names).await;
    assert_eq!(resume(&second, &held).await, (vec![], vec![]));
}

#[tokio::test]
async fn each_type_has_streams_of_its_own() {
    let one = Upstream::start("one");
    let tree = Tree::with(&[upstream("one", &one), service_to("one")]);
    let biplane = tree.biplane().await;
    let node = Node::new("probe", "gateway-proxy");
    let path = "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters";
    let mut delta = Delta::connect_to(biplane.xds(), path, node.clone()).await.expect("a stream");
    delta.subscribe(type_url::CLUSTER, &["*"]);
    let response = delta.next(PATIENCE).await.expect("a response");
    assert_eq!(response.names(), ["one_gloo-system"]);
    let path = "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes";
    let mut sotw = Sotw::connect_to(biplane.xds(), path, node).await.expect("a stream");
    let routes = format!("listener-127.0.0.1-{}-routes", tree.port);
    sotw.subscribe(type_url::ROUTE, &[&routes]);
    let response = sotw.next(PATIENCE).await.expect("a response");
    assert_eq!((response.type_url.as_str(), response.resources.len()), (type_url::ROUTE, 1));
}
