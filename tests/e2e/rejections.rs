//! What an Envoy refuses: reported with the object that it was made from, and no harm to anything else.

use std::net::TcpListener;

use biplane_testkit::{biplane, free_port};
use serde_json::Value;

use crate::harness::resources::{gateway_with, route_answering, service};
use crate::harness::{Site, ports_open, status};

fn rejections(status: &Value) -> Vec<Value> {
    let nodes = status::list(status, "nodes");
    nodes.iter().flat_map(|node| node["rejected"].as_array().cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn listener_that_envoy_cannot_bind_is_blamed_on_its_gateway_and_costs_only_itself() {
    let site = Site::start(&[service("main", &route_answering("/", "main"))]).await;
    let taken = free_port();
    let squatter = TcpListener::bind(("127.0.0.1", taken)).expect("the port is free");
    let load = site.load();
    let (good, bad) = (free_port(), |port| gateway_with("bad", port, "httpGateway: {}"));
    site.files.write("bad.yaml", &bad(taken));
    let status = status::until(&site.biplane, "a refusal", |status| !rejections(status).is_empty()).await;
    let refused = &rejections(&status)[0];
    assert_eq!(refused["origins"], serde_json::json!(["Gateway gloo-system/bad"]), "{refused:#}");
    assert!(
        refused["resource"].as_str().is_some_and(|name| name.contains(&taken.to_string())),
        "{refused:#}"
    );
    assert!(refused["error"].as_str().is_some_and(|why| why.contains("in use")), "{refused:#}");
    let admin = site.biplane.admin().to_string();
    let table = biplane::run(["status", "--admin", &admin]);
    assert_eq!(table.code, 1, "something is wrong");
    assert!(table.stdout.contains("Gateway gloo-system/bad"), "{}", table.stdout);

    // Others go on: a gateway that comes now, and an edit of routes.
    site.files.write("good.yaml", &gateway_with("good", good, "httpGateway: {}"));
    ports_open(&[good]).await;
    site.replace(&[service("main", &route_answering("/", "changed"))]);
    site.until_body("/", "changed").await;

    site.files.write("bad.yaml", &bad(free_port()));
    status::until(&site.biplane, "no refusal", |status| rejections(status).is_empty()).await;
    site.in_sync().await;
    load.stop().assert_clean();
    drop(squatter);
}
