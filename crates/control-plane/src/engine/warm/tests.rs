//! When what is made of services is carried out.

use biplane_core::resources::Endpoint;
use biplane_source::Listing;
use biplane_store::{Identity, Listing as Reading, Revision, SourceEvent};
use biplane_xds::Fleets;
use serde_json::{Value, json};

use super::*;
use crate::catalog::Made;
use crate::discovery::{Discovery, DiscoverySource, Told};
use crate::engine::MadeState;
use crate::hold::Holds;

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "tags", name)
}

fn upstream(name: &str) -> MadeObject {
    let asked = json!({"serviceName": name, "source": "nomad"});
    let metadata = json!({"name": name, "namespace": "tags", "labels": {MADE_BY: "tags"}});
    let value = json!({"metadata": metadata, "nomad": asked});
    MadeObject { key: key(Kind::Upstream, name), value }
}

fn service(upstream: &str) -> MadeObject {
    let action = json!({"single": {"upstream": {"name": upstream, "namespace": "tags"}}});
    let routes = json!([{"matchers": [{"prefix": "/"}], "routeAction": action}]);
    let host = json!({"domains": ["a.example.com"], "routes": routes});
    let metadata = json!({"name": "a", "namespace": "tags"});
    let value: Value = json!({"metadata": metadata, "virtualHost": host});
    MadeObject { key: key(Kind::VirtualService, "a"), value }
}

/// An engine to which a service was made that goes to the upstream `old`, whose endpoints are not known.
fn engine() -> Engine {
    let nomad = DiscoverySource { name: "nomad".into(), kind: "nomad", required: false };
    let engine = Engine::new(Fleets::new(), Holds::new(Duration::from_secs(30)), Vec::new());
    let engine = engine.with_discovery(Discovery::new(vec![nomad], Vec::new()));
    let mut engine = engine.with_made(MadeState::waiting(["nomad".into()]));
    let reading = Reading {
        identity: Identity::new("test"),
        revision: Revision(1),
        items: Vec::new(),
        faults: Vec::new(),
    };
    engine.on_event(SourceEvent::Complete(reading), Instant::now());
    engine.on_made(Made { puts: vec![upstream("old"), service("old")], ..Made::default() }, Instant::now());
    engine
}

fn goes_to(engine: &Engine, upstream: &str) -> bool {
    let object = engine.ingest.in_use(&key(Kind::VirtualService, "a")).expect("it was made");
    String::from_utf8_lossy(&object.value).contains(&format!("{upstream:?}"))
}

fn moved() -> Made {
    Made {
        puts: vec![upstream("new"), service("new")],
        deletions: vec![key(Kind::Upstream, "old")],
        ..Made::default()
    }
}

fn tell(engine: &mut Engine, listing: Listing<Vec<Endpoint>>) {
    let question = engine.discovery.wanted().keys().next().expect("the new one is asked for");
    let told = Told { question: question.clone(), listing };
    engine.on_endpoints(vec![told], Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_route_moves_to_a_new_upstream_when_the_endpoints_of_that_are_known() {
    let mut engine = engine();
    engine.on_made(moved(), Instant::now());
    assert!(goes_to(&engine, "old") && !goes_to(&engine, "new"));
    tell(&mut engine, Listing::Complete(Vec::new()));
    assert!(goes_to(&engine, "new"), "that it has none is known too");
    assert_eq!(engine.warm_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_route_moves_though_the_source_cannot_tell_or_takes_its_time() {
    let mut failing = engine();
    failing.on_made(moved(), Instant::now());
    tell(&mut failing, Listing::Failed(biplane_source::SourceError::new("away")));
    assert!(goes_to(&failing, "new"));

    let mut slow = engine();
    slow.on_made(moved(), Instant::now());
    tokio::time::advance(WARM_UP).await;
    slow.on_deadline(Instant::now());
    assert!(goes_to(&slow, "new"));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_while_others_wait_goes_with_them() {
    let mut engine = engine();
    engine.on_made(moved(), Instant::now());
    engine.on_made(Made { puts: vec![service("old")], ..Made::default() }, Instant::now());
    tell(&mut engine, Listing::Complete(Vec::new()));
    assert!(goes_to(&engine, "old"), "the last word counts");
}
