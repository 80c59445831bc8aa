//! A catalog of 1,000 services with 10 instances each, most of which nobody asks for.

use biplane_testkit::{Consul, FaultProxy, TempDir, Upstream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{Instance, register};
use crate::harness::resources::{object, service_to};
use crate::harness::{Bootstrap, Tree};

const SERVICES: usize = 1_000;
const INSTANCES: usize = 10;

/// What Consul takes in one transaction is limited to 128 operations.
const OPERATIONS: usize = 120;

/// The service that an upstream asks for.
const WATCHED: &str = "service-500";

/// How often its check turns critical, and passes again.
const ROUNDS: usize = 10;

async fn fill(consul: &Consul) {
    let node = json!([{ "Node": { "Verb": "set", "Node": { "Node": "crowd", "Address": "127.0.0.1" } } }]);
    consul.txn(&node).await.expect("taken");
    let all: Vec<_> = (0..SERVICES * INSTANCES).map(instance).collect();
    for some in all.chunks(OPERATIONS) {
        consul.txn(&Value::from(some)).await.expect("taken");
    }
}

fn instance(number: usize) -> Value {
    let (name, port) = (format!("service-{}", number / INSTANCES), 20_000 + number);
    let id = format!("{name}-{}", number % INSTANCES);
    let service = json!({ "ID": id, "Service": name, "Address": "127.0.0.1", "Port": port });
    json!({ "Service": { "Verb": "set", "Node": "crowd", "Service": service } })
}

#[tokio::test]
async fn long_a_change_of_one_service_among_1000_costs_one_read() {
    let directory = TempDir::new("catalog-crowd");
    let consul = Consul::builder().start(&directory).await;
    fill(&consul).await;
    let link = FaultProxy::http(consul.address());
    let tree = Tree::with(&[
        object("Upstream", "web", &format!("consul: {{ serviceName: {WATCHED} }}")),
        service_to("web"),
    ]);
    let biplane = tree.biplane_with(&["--discovery", &format!("consul://{}", link.address())]).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    let members = async |wanted: u64| {
        site.until_stat("cluster.web_gloo-system.membership_total", |members| members == wanted).await
    };
    let one = Upstream::start("one");
    let healthy = Instance::of("one", &one);
    register(&consul, WATCHED, &healthy).await;
    members(11).await;

    let (before, began) = (link.requests(), Instant::now());
    for (status, wanted) in [("critical", 10), ("passing", 11)].repeat(ROUNDS) {
        register(&consul, WATCHED, &healthy.status(status)).await;
        members(wanted).await;
    }
    let asked = link.requests() - before;
    eprintln!("{ROUNDS} rounds among {SERVICES} services: {asked} reads, {:?}", began.elapsed());
    assert!(asked <= 2 * ROUNDS as u64, "{:?}", link.seen());
}
