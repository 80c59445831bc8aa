//! Fleets: each Envoy gets the configuration of its own fleet, and no byte of another's.

use anyhow::ensure;
use biplane_testkit::{Biplane, Envoy, Request, Upstream, eventually, free_port, throughout};

use crate::harness::resources::{documents, gateway_with, route_answering, route_to, service_at, upstream};
use crate::harness::{Bootstrap, CALM, HOST, PATIENCE, Tree, envoy, ports_open, status};

/// A gateway of a fleet that serves the service of the fleet's name.
fn gateway_of(fleet: &str, port: u16) -> String {
    let fields = format!("proxyNames: [{fleet}]\nhttpGateway: {{ virtualServices: [{{ name: {fleet} }}] }}");
    gateway_with(fleet, port, &fields)
}

fn service_of(fleet: &str) -> String {
    service_at(fleet, "*", &route_to("/", fleet))
}

async fn clusters(envoy: &Envoy) -> String {
    envoy.ask("/clusters").await.expect("a page").text()
}

async fn until_upstream(port: u16, name: &str) {
    eventually(&format!("{name} on port {port}"), PATIENCE, async || {
        let answer = Request::get(HOST, "/").send(port).await?;
        ensure!(answer.upstream() == Some(name), "{} {:?}", answer.status, answer.upstream());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_fleets_get_their_own_listeners_and_clusters() {
    let servers = ["edge", "inside"].map(Upstream::start);
    let tree = Tree::new();
    let inside_port = free_port();
    tree.files.write(
        "edge.yaml",
        &documents(&[gateway_of("edge", tree.port), service_of("edge"), upstream("edge", &servers[0])]),
    );
    tree.files.write(
        "inside.yaml",
        &documents(&[
            gateway_of("inside", inside_port),
            service_of("inside"),
            upstream("inside", &servers[1]),
        ]),
    );
    let biplane = tree.biplane().await;
    let edge = envoy(&biplane, &Bootstrap::fleet("edge"), &tree.directory).await;
    ports_open(&[tree.port]).await;
    assert!(Request::get(HOST, "/").send(inside_port).await.is_err(), "nobody serves the other fleet yet");
    let inside = envoy(&biplane, &Bootstrap::fleet("inside"), &tree.directory).await;
    until_upstream(tree.port, "edge").await;
    until_upstream(inside_port, "inside").await;
    assert!(!clusters(&edge).await.contains("inside_gloo-system"));
    assert!(!clusters(&inside).await.contains("edge_gloo-system"));

    let generation =
        async |fleet: &str| status::fleet(&status::command(&biplane), fleet)["generation"].clone();
    let (edges, insides) = (generation("edge").await, generation("inside").await);
    let answer = service_at("edge", "*", &route_answering("/", "changed"));
    tree.files.write(
        "edge.yaml",
        &documents(&[gateway_of("edge", tree.port), answer, upstream("edge", &servers[0])]),
    );
    eventually("the change", PATIENCE, async || {
        let answer = Request::get(HOST, "/").send(tree.port).await?;
        ensure!(answer.text() == "changed", "{}", answer.text());
        Ok(())
    })
    .await;
    assert_ne!(generation("edge").await, edges);
    assert_eq!(generation("inside").await, insides, "the other fleet is sent nothing");
}

#[tokio::test]
async fn envoys_of_gloo_find_their_fleet_by_their_role() {
    let server = Upstream::start("main");
    let tree = Tree::with(&[service_of("main"), upstream("main", &server)]);
    let biplane = tree.biplane().await;
    let bootstrap = Bootstrap {
        fleet: "gateway".into(),
        role: Some("gloo-system~gateway-proxy".into()),
        ..Bootstrap::default()
    };
    let _envoy = envoy(&biplane, &bootstrap, &tree.directory).await;
    until_upstream(tree.port, "main").await;
    let status = status::command(&biplane);
    assert_eq!(status["nodes"][0]["fleet"], "gateway-proxy", "{status:#}");
}

#[tokio::test]
async fn fleet_that_nobody_configured_gets_nothing_until_a_gateway_names_it() {
    let server = Upstream::start("late");
    let tree = Tree::with(&[service_of("late"), upstream("late", &server)]);
    let biplane: Biplane = tree.biplane().await;
    let late = envoy(&biplane, &Bootstrap::fleet("late"), &tree.directory).await;
    throughout("an Envoy without listeners", CALM, async || {
        let listeners = late.stat("listener_manager.total_listeners_active").await?;
        ensure!(listeners == 0, "{listeners} listeners");
        Ok(())
    })
    .await;
    let port = free_port();
    tree.files.write("late.yaml", &gateway_of("late", port));
    until_upstream(port, "late").await;
}

#[tokio::test]
async fn envoys_of_one_fleet_all_follow() {
    let servers = ["one", "two"].map(Upstream::start);
    let tree = Tree::with(&[upstream("main", &servers[0]), service_of("main")]);
    let biplane = tree.biplane().await;
    let mut envoys = Vec::new();
    for number in 0..3 {
        let bootstrap =
            Bootstrap { id: format!("envoy-{number}"), sotw: number == 2, ..Bootstrap::default() };
        envoys.push(envoy(&biplane, &bootstrap, &tree.directory).await);
    }
    let status =
        status::until(&biplane, "three nodes", |status| status::list(status, "nodes").len() == 3).await;
    assert_eq!(status::fleet(&status, "gateway-proxy")["nodes"], 3);
    tree.files.write("resources.yaml", &documents(&[upstream("main", &servers[1]), service_of("main")]));
    for envoy in &envoys {
        let host = format!("127.0.0.1:{}", servers[1].port());
        eventually("the new endpoint", PATIENCE, async || {
            let clusters = clusters(envoy).await;
            ensure!(clusters.contains(&host), "{clusters}");
            Ok(())
        })
        .await;
    }
}
