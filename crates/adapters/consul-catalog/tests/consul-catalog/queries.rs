//! Prepared queries: asked every so often, since Consul cannot tell when they change.

use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{Cause, EndpointSource as _};
use serde_json::json;

use crate::harness::{Instance, connect, fresh, options, request, shared, until_failed, until_places};

fn prepared(query: &str) -> ConsulUpstream {
    ConsulUpstream { prepared_query: Some(query.to_owned()), ..ConsulUpstream::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_query_is_followed_by_name() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("query"));
    let instances: Vec<_> = (1..=2).map(|number| Instance::new(&name, number)).collect();
    for instance in &instances {
        instance.register(consul).await;
    }
    let query = json!({ "Name": format!("of-{name}"), "Service": { "Service": name, "OnlyPassing": true } });
    consul.call(http::Method::POST, "/v1/query", query.to_string()).await.expect("a query");
    let source = connect(options(consul.address()));
    let mut watch = source.watch(&request(prepared(&format!("of-{name}"))));
    until_places(&mut watch, &[instances[0].at(), instances[1].at()]).await;
    instances[0].clone().status("critical").register(consul).await;
    until_places(&mut watch, &[instances[1].at()]).await;
    instances[1].deregister(consul).await;
    until_places(&mut watch, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_is_not_there_is_told_as_a_fault_and_works_once_it_is() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("late"));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let source = connect(options(consul.address()));
    let mut watch = source.watch(&request(prepared(&format!("of-{name}"))));
    let error = until_failed(&mut watch, &[]).await;
    assert_eq!(error.cause, Cause::Invalid);
    assert!(error.message.contains(&format!("of-{name}")), "{error:?}");
    let query = json!({ "Name": format!("of-{name}"), "Service": { "Service": name } });
    put_query(consul, &query).await;
    until_places(&mut watch, &[instance.at()]).await;
}

async fn put_query(consul: &biplane_testkit::Consul, query: &serde_json::Value) {
    consul.call(http::Method::POST, "/v1/query", query.to_string()).await.expect("a query");
}
