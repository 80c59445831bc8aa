//! Who is let in, for how long, and to what, as a doorkeeper says it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use biplane_xds::wire::{self, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use biplane_xds::{Caller, Doorkeeper, Membership, NodeIdentity, Pass, ProvedBy, Refusal, ServerOptions};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic::Code;

use crate::harness::*;
use crate::socket::{Server, first};

/// Says what a test has it say.
#[derive(Debug)]
pub(crate) struct Porter {
    answer: Mutex<Result<Pass, Refusal>>,
    changes: watch::Sender<u64>,
}

impl Porter {
    pub(crate) fn new(answer: Result<Pass, Refusal>) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), changes: watch::Sender::new(0) })
    }

    pub(crate) fn set(&self, answer: Result<Pass, Refusal>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Doorkeeper for Porter {
    fn admit(&self, _: Arc<Caller>) -> BoxFuture<'static, Result<Pass, Refusal>> {
        ready(self.answer.lock().unwrap().clone()).boxed()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

pub(crate) fn pass(fleet: &str) -> Pass {
    let membership = Membership::Proven { fleet: fleet.to_owned(), checked: true };
    Pass { who: "somebody".into(), by: ProvedBy::Token, membership, node: None, until: None }
}

fn refusal(may_come_again: bool) -> Refusal {
    Refusal { reason: "not you".into(), may_come_again }
}

async fn served(porter: &Arc<Porter>) -> Server {
    let server =
        Server::start(ServerOptions { doorkeeper: porter.clone(), ..ServerOptions::default() }).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    server.fleets.publish("other", upserts([cluster("b", "1"), resource("sds/theirs", "1", &[])]));
    server.fleets.open();
    server
}

fn named(kind: biplane_xds::ResourceType, id: &str, fleet: &str) -> DeltaDiscoveryRequest {
    let node = Node { id: id.into(), cluster: fleet.into(), ..Node::default() };
    DeltaDiscoveryRequest { node: Some(node), ..first(kind) }
}

#[tokio::test]
async fn whoever_is_not_let_in_gets_no_stream() {
    let porter = Porter::new(Err(refusal(false)));
    let server = served(&porter).await;
    for (may_come_again, code) in [(false, Code::PermissionDenied), (true, Code::Unavailable)] {
        porter.set(Err(refusal(may_come_again)));
        let opened = server.open::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(wire::DELTA_ADS).await;
        assert_eq!(opened.map(drop).unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn fleet_that_was_proved_is_the_fleet_whatever_a_node_leaves_out() {
    let server = served(&Porter::new(Ok(pass(FLEET)))).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", "")).await;
    assert_eq!(client.response().await.resources[0].name, "a");
    assert_eq!(server.fleets.nodes()[0].fleet, FLEET);
}

#[tokio::test]
async fn node_that_says_it_belongs_to_another_fleet_gets_nothing_unless_it_may_say_anything() {
    let porter = Porter::new(Ok(pass(FLEET)));
    let server = served(&porter).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", "other")).await;
    assert_eq!(client.next().await.unwrap_err().code(), Code::PermissionDenied);
    let membership = Membership::Proven { fleet: FLEET.into(), checked: false };
    porter.set(Ok(Pass { membership, ..pass(FLEET) }));
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", "other")).await;
    assert_eq!(client.response().await.resources[0].name, "a");
}

#[tokio::test]
async fn node_must_have_the_id_that_it_has_proved() {
    let server = served(&Porter::new(Ok(Pass { node: Some("n".into()), ..pass(FLEET) }))).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "m", FLEET)).await;
    assert_eq!(client.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn stream_ends_when_its_caller_is_nobody_any_more_and_before_anything_else_is_sent() {
    let porter = Porter::new(Ok(pass(FLEET)));
    let server = served(&porter).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", FLEET)).await;
    client.response().await;
    // Judged again, and still welcome.
    porter.tell();
    server.fleets.publish(FLEET, upserts([cluster("c", "1")]));
    assert_eq!(client.response().await.resources[0].name, "c");
    porter.set(Err(refusal(false)));
    porter.tell();
    server.fleets.publish(FLEET, upserts([cluster("d", "1")]));
    assert_eq!(client.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn stream_of_a_node_that_belongs_elsewhere_now_ends_so_that_it_comes_again() {
    let porter = Porter::new(Ok(pass(FLEET)));
    let server = served(&porter).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", "")).await;
    client.response().await;
    porter.set(Ok(pass("other")));
    porter.tell();
    assert_eq!(client.next().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn pass_that_ends_is_looked_at_again_then() {
    let until = Some(SystemTime::now() + Duration::from_millis(100));
    let porter = Porter::new(Ok(Pass { until, ..pass(FLEET) }));
    let server = served(&porter).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", "")).await;
    client.response().await;
    porter.set(Err(refusal(false)));
    assert_eq!(client.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn node_is_listed_with_who_it_has_proved_to_be_and_until_when_as_it_was_judged_last() {
    let until =
        |minutes: u64| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000 + minutes * 60));
    let porter = Porter::new(Ok(Pass { until: until(1), ..pass(FLEET) }));
    let server = served(&porter).await;
    let mut client = server.delta().await;
    client.ask(named(CDS, "n", FLEET)).await;
    client.response().await;
    let identity = || server.fleets.nodes()[0].identity.clone();
    let known = NodeIdentity { by: ProvedBy::Token, who: "somebody".into(), until: until(1) };
    assert_eq!(identity(), known);
    porter.set(Ok(Pass { until: until(2), ..pass(FLEET) }));
    porter.tell();
    server.fleets.publish(FLEET, upserts([cluster("c", "1")]));
    client.response().await;
    assert_eq!(identity(), NodeIdentity { until: until(2), ..known });
}

#[tokio::test]
async fn secret_of_another_fleet_is_none_and_asking_for_it_is_counted_once() {
    let porter = Porter::new(Ok(pass(FLEET)));
    let options = ServerOptions { doorkeeper: porter.clone(), ..ServerOptions::default() };
    let mut registry = Registry::default();
    options.metrics.register(&mut registry);
    let server = Server::start(options).await;
    server.fleets.publish(FLEET, upserts([cluster("a", "1")]));
    server.fleets.publish("other", upserts([resource("sds/theirs", "1", &[])]));
    server.fleets.open();
    let mut client = server.delta().await;
    for _ in 0..2 {
        let names = vec!["theirs".into(), "nobodys".into()];
        let request = DeltaDiscoveryRequest { resource_names_subscribe: names, ..named(SDS, "n", FLEET) };
        client.ask(request).await;
    }
    // Nobody can tell the one from the other.
    let mut answer = client.response().await;
    answer.removed_resources.sort();
    assert_eq!((answer.resources.len(), answer.removed_resources), (0, owned(&["nobodys", "theirs"])));
    // What comes behind it on the same stream has been read after both.
    client.ask(named(CDS, "n", FLEET)).await;
    assert_eq!(client.response().await.resources[0].name, "a");
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("xds_refused_total{attempt=\"secret\"} 1"), "{text}");
}
