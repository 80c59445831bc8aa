//! Services without a connection of their own: every kind of change is found, and an agent's limits are kept.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use biplane_consul_catalog::CatalogOptions;
use biplane_source::{Endpoint, Listing, Watch};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher, Seen};
use biplane_testkit::{Consul, FaultProxy, TempDir, eventually};
use serde_json::json;

use crate::harness::{
    Instance, PATIENCE, connect, counter, follow, fresh, has_counted, options, put, shared, until,
    until_failed, until_places,
};

async fn until_one(watch: &mut Watch<Vec<Endpoint>>, what: &str, fits: impl Fn(&Endpoint) -> bool) {
    until(watch, what, |told| match told {
        Listing::Complete(told) => told.len() == 1 && fits(&told[0]),
        Listing::Failed(_) => false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_is_found() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("hinted"));
    let mut options = options(consul.address());
    options.max_watches = 0;
    options.tuning.sweep = Duration::from_secs(1);
    let source = connect(options);
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &[]).await;
    let one = Instance::new(&name, 1);
    one.clone().status("critical").register(consul).await;
    until_one(&mut watch, "a new one that is critical", |endpoint| !endpoint.health.is_usable()).await;
    one.register(consul).await;
    until_one(&mut watch, "it passes", |endpoint| endpoint.health.is_usable()).await;
    one.clone().more(json!({ "Weights": { "Passing": 5, "Warning": 1 } })).register(consul).await;
    until_one(&mut watch, "another weight, which no check shows", |endpoint| endpoint.weight.get() == 5)
        .await;
    let node = json!({
        "Node": one.node, "Address": "127.0.0.1",
        "Check": { "CheckID": "_node_maintenance", "Name": "maintenance", "Status": "critical" },
    });
    put(consul, "/v1/catalog/register", &node).await;
    until_one(&mut watch, "its node is in maintenance", |endpoint| !endpoint.health.is_usable()).await;
    put(consul, "/v1/catalog/deregister", &json!({ "Node": one.node, "CheckID": "_node_maintenance" })).await;
    until_one(&mut watch, "no longer", |endpoint| endpoint.health.is_usable()).await;
    let unchecked = Instance { status: None, ..Instance::new(&name, 2) };
    unchecked.register(consul).await;
    until_places(&mut watch, &[one.at(), unchecked.at()]).await;
    unchecked.deregister(consul).await;
    until_places(&mut watch, &[one.at()]).await;
    put(consul, "/v1/catalog/deregister", &json!({ "Node": one.node })).await;
    until_places(&mut watch, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_turns_costs_the_read_of_its_service_only() {
    // Of its own: what other tests do to their nodes has more read.
    let directory = TempDir::new("catalog-hints");
    let consul = &Consul::start(&directory).await;
    let prefix = fresh("many");
    let names: Vec<_> = (0..40).map(|number| format!("{prefix}-{number}")).collect();
    for name in &names {
        Instance::new(name, 1).register(consul).await;
    }
    let source = connect(CatalogOptions { max_watches: 0, ..options(consul.address()) });
    let mut watches: Vec<_> = names.iter().map(|name| follow(&source, name)).collect();
    for watch in &mut watches {
        until_one(watch, "it passes", |endpoint| endpoint.health.is_usable()).await;
    }
    // The first look at the whole has every service asked once.
    eventually("the hints have begun", PATIENCE, async || has_counted(&source, "probes", 40)).await;
    let before = counter(&source, "reads");
    for (name, watch) in names.iter().zip(&mut watches).take(5) {
        Instance::new(name, 1).status("critical").register(consul).await;
        until_one(watch, "it is critical", |endpoint| !endpoint.health.is_usable()).await;
    }
    assert_eq!(counter(&source, "reads") - before, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_limit_of_connections_is_kept_to() {
    let server = shared().await;
    let (consul, prefix) = (&server.consul, fresh("limit"));
    let proxy = FaultProxy::start(consul.address());
    let options = CatalogOptions { max_watches: 10, ..options(proxy.address()) };
    // Beside those that wait and those that read there are hints, probes and questions about the catalog itself. And a
    // client goes on opening a connection when another one has become free meanwhile: one more each, at most.
    let questions = options.max_watches + options.tuning.reads + 12;
    let most = 2 * u64::try_from(questions).expect("a small number");
    assert!(most < 100, "a connection for each service would not be noticed");
    let source = connect(options);
    let mut watches = Vec::new();
    for number in 0..100 {
        watches.push(follow(&source, &format!("{prefix}-{number}")));
    }
    for watch in &mut watches {
        until_places(watch, &[]).await;
        assert!(proxy.connections() <= most, "{} connections", proxy.connections());
    }
    // A connection that has become free is taken by another one.
    watches.drain(..10);
    let instance = Instance::new(&format!("{prefix}-99"), 1);
    instance.register(consul).await;
    until_places(watches.last_mut().expect("there are some"), &[instance.at()]).await;
    assert!(proxy.connections() <= most, "{} connections", proxy.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_cannot_be_had_are_told_and_are_no_reason_to_believe_anything() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("blind"));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let proxy = FaultProxy::http(consul.address());
    let mut options = options(proxy.address());
    options.max_watches = 0;
    options.wait = Duration::from_millis(500);
    let source = connect(options);
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &[instance.at()]).await;
    proxy.answer(Matcher::path("/v1/health/state"), Answer::status(500).body("No cluster leader"), ALWAYS);
    let error = until_failed(&mut watch, &[instance.at()]).await;
    assert!(error.message.contains("leader"), "{error:?}");
    proxy.heal();
    instance.deregister(consul).await;
    until_places(&mut watch, &[]).await;
}

/// A server that shuts down lets go of the queries that wait; the next one counts from the beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_were_let_go_by_one_server_do_not_wait_in_the_next_one_for_an_index_of_the_first() {
    let directory = TempDir::new("catalog-let-go");
    let mut consul = Consul::start(&directory).await;
    let instance = Instance::new("web", 1);
    instance.register(&consul).await;
    // However many indexes the next server uses for itself, it does not come this far.
    for number in 1..=50 {
        Instance::new("other", number).register(&consul).await;
    }
    let proxy = FaultProxy::http(consul.address());
    let mut options = options(proxy.address());
    options.max_watches = 0;
    options.tuning.settle = Duration::from_millis(100);
    let source = connect(options);
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &[instance.at()]).await;
    for path in ["/v1/catalog/services", "/v1/health/state/critical", "/v1/health/state/warning"] {
        let answer = consul.get(path).await.expect("what is asked");
        let index = answer.header("x-consul-index").expect("an index");
        let in_vain = Answer::status(200).header("x-consul-index", index).body(&answer.text());
        proxy.answer(Matcher::path(path).query("index="), in_vain, ALWAYS);
    }
    // Queries that wait already are let go by an end of their connections.
    proxy.reset();
    eventually("they are let go", PATIENCE, async || {
        anyhow::ensure!(proxy.counters().answered >= 3);
        Ok(())
    })
    .await;
    consul.restart().await;
    eventually("it is not believed", PATIENCE, async || has_counted(&source, "held", 1)).await;
    proxy.heal();
    let healed = Instant::now();
    eventually("hints are waited for again", PATIENCE, async || {
        let is_one = |seen: &Seen| seen.at > healed && seen.target.contains("index=");
        let waiting: BTreeSet<_> = proxy.seen().into_iter().filter(is_one).map(|seen| seen.target).collect();
        anyhow::ensure!(waiting.len() >= 3, "{waiting:?}");
        Ok(())
    })
    .await;
    // More than once: the first change may be seen by somebody who is still reading because of the restart.
    for _ in 0..3 {
        instance.register(&consul).await;
        until_places(&mut watch, &[instance.at()]).await;
        instance.deregister(&consul).await;
        until_places(&mut watch, &[]).await;
    }
}
