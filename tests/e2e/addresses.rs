//! Gateways: which services they serve, and two that want one address.

use biplane_testkit::{Request, free_port};

use crate::harness::resources::{gateway_with, object_with, route_answering, service};
use crate::harness::{HOST, Site, Tree, ports_open, status};

fn aged_gateway(name: &str, created: &str, port: u16, service: &str) -> String {
    let metadata = format!("name: {name}, creationTimestamp: '{created}'");
    let fields = format!(
        "bindAddress: 127.0.0.1\nbindPort: {port}\nhttpGateway: {{ virtualServices: [{{ name: {service} }}] }}"
    );
    object_with("Gateway", &metadata, &fields)
}

#[tokio::test]
async fn of_two_gateways_on_one_address_the_older_listens_and_both_are_told() {
    let tree =
        Tree::with(&[service("a", &route_answering("/", "a")), service("b", &route_answering("/", "b"))]);
    let old = aged_gateway("z-old", "2026-01-01T00:00:00Z", tree.port, "a");
    let young = aged_gateway("a-young", "2026-02-01T00:00:00Z", tree.port, "b");
    tree.files.write("gateway.yaml", &old);
    tree.files.write("young.yaml", &young);
    let site = tree.site().await;
    assert_eq!(site.get("/").await.text(), "a");
    let lost = status::until_report(&site.biplane, "Gateway gloo-system/a-young", "z-old").await;
    assert_eq!(lost["severity"], "error", "{lost}");
    status::until_report(&site.biplane, "Gateway gloo-system/z-old", "a-young").await;
    assert_eq!(site.envoy.stat("listener_manager.lds.update_rejected").await.expect("a counter"), 0);
    site.files.remove("gateway.yaml");
    site.until_body("/", "b").await;
}

#[tokio::test]
async fn renaming_a_gateway_moves_no_listener() {
    let site = Site::start(&[service("a", &route_answering("/", "a"))]).await;
    let before = site.counts().await;
    let load = site.load();
    site.files.write("gateway.yaml", &gateway_with("renamed", site.port, "httpGateway: {}"));
    status::until(&site.biplane, "the new name's route", |status| status["objects"]["Gateway"] == 1).await;
    // A change behind the rename: when it is there, the rename is done.
    site.files.write("later.yaml", &service("later", &route_answering("/later", "later")));
    site.until_body("/later", "later").await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn gateway_serves_the_services_that_it_selects() {
    let labelled = |name: &str, tier: &str, namespace: &str| {
        let metadata = format!("name: {name}, namespace: {namespace}, labels: {{ tier: {tier} }}");
        let host = format!("virtualHost:\n  domains: [{name}]\n  routes:\n  {}", route_answering("/", name));
        object_with("VirtualService", &metadata, &host)
    };
    let tree = Tree::with(&[
        labelled("gold", "gold", "gloo-system"),
        labelled("iron", "iron", "gloo-system"),
        labelled("far", "gold", "other"),
    ]);
    let selectors = [
        ("by-name", "virtualServices: [{ name: iron, namespace: gloo-system }]", vec!["iron"]),
        ("by-labels", "virtualServiceSelector: { tier: gold }", vec!["gold", "far"]),
        (
            "by-expression",
            "virtualServiceExpressions: { expressions: [{ key: tier, operator: NotIn, values: [gold] }] }",
            vec!["iron"],
        ),
        ("by-namespace", "virtualServiceNamespaces: [other]", vec!["far"]),
    ];
    let selectors = selectors.map(|(name, selector, served)| (name, selector, served, free_port()));
    for (name, selector, _, port) in &selectors {
        let fields = format!("httpGateway: {{ {selector} }}");
        tree.files.write(format!("{name}.yaml"), &gateway_with(name, *port, &fields));
    }
    let _site = tree.site().await;
    for (name, _, served, port) in selectors {
        ports_open(&[port]).await;
        for host in ["gold", "iron", "far"] {
            let answer = Request::get(host, "/").send(port).await.expect("an answer");
            assert_eq!(answer.status == 200, served.contains(&host), "{host} at {name}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn gateway_without_services_answers_404() {
    let site = Site::start(&[]).await;
    assert_eq!(site.ask(&Request::get(HOST, "/")).await.status, 404);
}

#[tokio::test]
async fn gateway_that_goes_takes_its_listener_along_and_no_other() {
    let tree = Tree::with(&[service("a", &route_answering("/", "a"))]);
    let second = free_port();
    tree.files.write("second.yaml", &gateway_with("second", second, "httpGateway: {}"));
    let site = tree.site().await;
    ports_open(&[second]).await;
    let load = site.load();
    site.files.remove("second.yaml");
    let gone = async || {
        anyhow::ensure!(Request::get(HOST, "/").send(second).await.is_err(), "it answers");
        Ok(())
    };
    biplane_testkit::eventually("no listener", crate::harness::PATIENCE, gone).await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn gateway_without_an_address_listens_on_all_of_them() {
    let tree = Tree::with(&[service("a", &route_answering("/", "a"))]);
    let fields = format!("bindPort: {}\nhttpGateway: {{}}", tree.port);
    tree.files.write("gateway.yaml", &crate::harness::resources::object("Gateway", "web", &fields));
    assert_eq!(tree.site().await.get("/").await.text(), "a");
}
