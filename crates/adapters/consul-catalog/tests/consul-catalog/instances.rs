//! What an instance says about itself: health, maintenance, weights, tags, addresses, locality; and what it costs to know.

use std::net::SocketAddr;

use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{
    Cause, Endpoint, EndpointSource as _, Health, Listing, Locality, ServiceName, ServiceSource as _, Watch,
};
use biplane_testkit::eventually;
use serde_json::json;

use crate::harness::{
    Instance, PATIENCE, connect, counter, follow, fresh, has_counted, next, options, put, request, shared,
    until, until_failed, until_places, upstream,
};

fn only(told: &Listing<Vec<Endpoint>>) -> Option<&Endpoint> {
    match told {
        Listing::Complete(told) if told.len() == 1 => told.first(),
        _ => None,
    }
}

/// Waits until the only endpoint is so.
async fn until_only(
    watch: &mut Watch<Vec<Endpoint>>,
    what: &str,
    fits: impl Fn(&Endpoint) -> bool,
) -> Endpoint {
    let told = until(watch, what, |told| only(told).is_some_and(&fits)).await;
    only(&told).expect("it was looked at").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_maintenance_and_warnings_are_told_as_health() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("health"));
    let source = connect(options(consul.address()));
    let instance = Instance::new(&name, 1).more(json!({ "Weights": { "Passing": 2, "Warning": 1 } }));
    instance.register(consul).await;
    let mut watch = follow(&source, &name);
    let strict = ConsulUpstream { warning_is_healthy: Some(false), ..upstream(&name) };
    let mut strict = source.watch(&request(strict));
    for (status, lenient_health, strict_health, weight) in [
        ("warning", Health::Healthy, Health::Unhealthy, 1),
        ("critical", Health::Unhealthy, Health::Unhealthy, 2),
        ("passing", Health::Healthy, Health::Healthy, 2),
    ] {
        instance.clone().status(status).register(consul).await;
        let is_so =
            |endpoint: &Endpoint, health| endpoint.health == health && endpoint.weight.get() == weight;
        until_only(&mut watch, status, |endpoint| is_so(endpoint, lenient_health)).await;
        until_only(&mut strict, status, |endpoint| is_so(endpoint, strict_health)).await;
    }
    // What an agent registers for `consul maint`.
    let maintenance = json!({
        "Node": instance.node, "Address": "127.0.0.1",
        "Check": { "CheckID": "_node_maintenance", "Name": "Node Maintenance Mode", "Status": "critical" },
    });
    put(consul, "/v1/catalog/register", &maintenance).await;
    until_only(&mut watch, "maintenance", |endpoint| endpoint.health == Health::Unhealthy).await;
    let over = json!({ "Node": instance.node, "CheckID": "_node_maintenance" });
    put(consul, "/v1/catalog/deregister", &over).await;
    until_only(&mut watch, "its end", |endpoint| endpoint.health == Health::Healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_own_maintenance_mode_takes_an_instance_out() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("maintained"));
    let service = json!({ "Name": name, "Port": 10_001, "Check": { "TTL": "1h", "Status": "passing" } });
    put(consul, "/v1/agent/service/register", &service).await;
    let source = connect(options(consul.address()));
    let mut watch = follow(&source, &name);
    until_only(&mut watch, "healthy", |endpoint| endpoint.health == Health::Healthy).await;
    put(consul, &format!("/v1/agent/service/maintenance/{name}?enable=true&reason=test"), &json!({})).await;
    until_only(&mut watch, "in maintenance", |endpoint| endpoint.health == Health::Unhealthy).await;
    put(consul, &format!("/v1/agent/service/maintenance/{name}?enable=false"), &json!({})).await;
    until_only(&mut watch, "back", |endpoint| endpoint.health == Health::Healthy).await;
    put(consul, &format!("/v1/agent/service/deregister/{name}"), &json!({})).await;
    until_places(&mut watch, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_localities_and_tagged_addresses_are_carried() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("place"));
    let source = connect(options(consul.address()));
    let instance = Instance::new(&name, 1).more(json!({
        "Weights": { "Passing": 7, "Warning": 3 },
        "Locality": { "Region": "eu", "Zone": "eu-a" },
        "TaggedAddresses": { "wan": { "Address": "127.0.0.9", "Port": 443 } },
    }));
    instance.register(consul).await;
    let mut watch = follow(&source, &name);
    let endpoint = until_only(&mut watch, "an endpoint", |_| true).await;
    assert_eq!(endpoint.weight.get(), 7);
    assert_eq!(endpoint.locality, Locality { region: "eu".to_owned(), zone: "eu-a".to_owned() });
    assert_eq!(endpoint.id, format!("{}/{}", instance.node, instance.id));
    assert_eq!(endpoint.place(), instance.at());
    instance.clone().status("warning").register(consul).await;
    until_only(&mut watch, "the share of warnings", |endpoint| endpoint.weight.get() == 3).await;
    let wan = ConsulUpstream { tagged_address: Some("wan".to_owned()), ..upstream(&name) };
    let mut watch = source.watch(&request(wan.clone()));
    let endpoint = until_only(&mut watch, "an endpoint", |_| true).await;
    assert_eq!(endpoint.place(), SocketAddr::from(([127, 0, 0, 9], 443)));
    let mut watch = source.watch(&request(ConsulUpstream { port: Some(8443), ..wan }));
    let endpoint = until_only(&mut watch, "an endpoint", |_| true).await;
    assert_eq!(endpoint.place(), SocketAddr::from(([127, 0, 0, 9], 8443)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_looked_up_and_one_that_means_nothing_costs_only_itself() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("named"));
    let source = connect(options(consul.address()));
    let nowhere = Instance::new(&name, 1).more(json!({ "Address": "no.such.name.invalid" }));
    nowhere.register(consul).await;
    let mut watch = follow(&source, &name);
    let error = until_failed(&mut watch, &[]).await;
    assert!(error.message.contains("no.such.name.invalid"), "{error:?}");
    Instance::new(&name, 2).more(json!({ "Address": "localhost" })).register(consul).await;
    let told = until(&mut watch, "the other one", |told| matches!(told, Listing::Complete(_))).await;
    let Listing::Complete(told) = told else { unreachable!("it was looked at") };
    assert!(!told.is_empty());
    assert!(
        told.iter().all(|endpoint| endpoint.address.is_loopback() && endpoint.port.get() == 10_002),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_without_a_port_are_a_fault_that_is_told() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("portless"));
    let source = connect(options(consul.address()));
    Instance { port: 0, ..Instance::new(&name, 1) }.register(consul).await;
    let mut watch = follow(&source, &name);
    let error = until_failed(&mut watch, &[]).await;
    assert_eq!(error.cause, Cause::Invalid);
    assert!(error.hint.is_some_and(|hint| hint.contains("port:")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_choose_instances_and_are_told_as_metadata() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("tagged"));
    let source = connect(options(consul.address()));
    let blue = Instance::new(&name, 1).tags(&["blue", "v1"]);
    let green = Instance::new(&name, 2).tags(&["green", "v1"]);
    for instance in [&blue, &green] {
        instance.register(consul).await;
    }
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let mut all = source.watch(&request(ConsulUpstream { service_tags: tags(&["blue"]), ..upstream(&name) }));
    let told = until_places(&mut all, &[blue.at(), green.at()]).await;
    let values: Vec<_> = told.iter().map(|endpoint| endpoint.metadata["tag_blue"].as_str()).collect();
    assert_eq!(values, ["1", "0"]);
    let chosen = ConsulUpstream { instance_tags: tags(&["v1", "blue"]), ..upstream(&name) };
    until_places(&mut source.watch(&request(chosen)), &[blue.at()]).await;
    let others = ConsulUpstream { instance_blacklist_tags: tags(&["blue"]), ..upstream(&name) };
    let mut others = source.watch(&request(others));
    until_places(&mut others, &[green.at()]).await;
    // Another tag of an instance is a change like any other.
    green.clone().tags(&["blue"]).register(consul).await;
    until_places(&mut others, &[]).await;
    let mut instances = source.instances(&ServiceName::new(&*name));
    let Listing::Complete(told) = next(&mut instances).await else { panic!("they are known") };
    let told: Vec<_> = told.iter().map(|instance| (instance.node.as_str(), &*instance.tags)).collect();
    assert_eq!(told, [(&*blue.node, &*tags(&["blue", "v1"])), (&*green.node, &*tags(&["blue"]))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_costs_one_read_however_many_watch() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("shared"));
    let source = connect(options(consul.address()));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let mut watches = Vec::new();
    for number in 1..=20_u32 {
        let upstream = ConsulUpstream { port: Some(number), ..upstream(&name) };
        watches.push(source.watch(&request(upstream)));
    }
    for watch in &mut watches {
        until_only(watch, "healthy", |endpoint| endpoint.health == Health::Healthy).await;
    }
    let before = counter(&source, "reads");
    instance.clone().status("critical").register(consul).await;
    for watch in &mut watches {
        until_only(watch, "unhealthy", |endpoint| endpoint.health == Health::Unhealthy).await;
    }
    assert_eq!(counter(&source, "reads") - before, 1);
    source.refresh();
    eventually("all is read again", PATIENCE, async || has_counted(&source, "reads", before + 2)).await;
}
