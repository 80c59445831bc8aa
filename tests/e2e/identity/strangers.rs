//! What nobody gets: another fleet's configuration, in whatever way it is asked for.

use anyhow::Result;
use biplane_testkit::xds::{Delta, Node, Proof, Sotw, path, type_url};
use biplane_testkit::{Authority, ClientTls, Request, throughout};

use super::world::{CANARY, SECRET, SOON, World};
use crate::harness::{CALM, HOST};

/// A path of a stream, and whether it is one of deltas.
const STREAMS: [(&str, bool, &str); 6] = [
    (path::DELTA_ADS, true, type_url::LISTENER),
    (path::SOTW_ADS, false, type_url::LISTENER),
    ("/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners", true, type_url::LISTENER),
    ("/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes", false, type_url::ROUTE),
    ("/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets", true, type_url::SECRET),
    ("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", false, type_url::SECRET),
];

/// What comes first on a stream of somebody who asks for everything of a type.
async fn first(world: &World, stream: (&str, bool, &str), node: Node, proof: &Proof) -> Result<usize> {
    let (address, names) = (world.biplane.xds(), if stream.2 == type_url::SECRET { [SECRET] } else { ["*"] });
    if stream.1 {
        let mut client = Delta::connect_with(address, stream.0, node, proof).await?;
        client.subscribe(stream.2, &names);
        client.next(SOON).await.map(|answer| answer.size)
    } else {
        let mut client = Sotw::connect_with(address, stream.0, node, proof).await?;
        client.subscribe(stream.2, &names);
        client.next(SOON).await.map(|answer| answer.size)
    }
}

fn refusal(outcome: Result<usize>) -> String {
    format!("{:#}", outcome.expect_err("not a byte"))
}

#[tokio::test]
async fn node_with_a_certificate_gets_its_own_fleet_and_no_byte_of_another_however_it_asks() {
    let mut world = World::with_certificates().await;
    let mut edge = world.envoy("edge", &world.bootstrap("edge", "edge")).await;
    edge.ready().await;
    let mut inside = world.envoy("inside", &world.bootstrap("inside", "inside")).await;
    inside.ready().await;
    world.until_answer(world.tree.port, "edge").await;
    world.until_answer(world.inside_port, CANARY).await;
    let (proof, own) = (world.proof("edge"), world.proof("inside"));
    assert!(!edge.config_dump().await.expect("a dump").to_string().contains(CANARY));

    // Says that it belongs to another fleet, on every kind of stream.
    for stream in STREAMS {
        let told = refusal(first(&world, stream, Node::new("thief", "inside"), &proof).await);
        assert!(told.contains("status 7"), "{stream:?}: {told}");
    }
    let role = Node { role: Some("gloo-system~inside".to_owned()), ..Node::new("thief", "edge") };
    assert!(refusal(first(&world, STREAMS[0], role, &proof).await).contains("status 7"));
    world.audited(&["spiffe://biplane/fleet/edge", "xds fleet", "inside", "refused"]).await;

    // Says nothing of a fleet, and gets its own.
    world.gets("edge", Node::new("modest", ""), &proof).await.expect("its own");
    world.gets("inside", Node::new("modest", ""), &own).await.expect("its own");

    // Is somebody else in the middle of a stream.
    let mut client = world.ask(Node::new("one", "edge"), &proof).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");
    client.rename(Node::new("two", "edge"));
    client.subscribe(type_url::ROUTE, &["*"]);
    assert!(format!("{:#}", client.next(SOON).await.expect_err("the end")).contains("status 7"));
    world.audited(&["xds node", "two"]).await;

    // Belongs to another fleet in the middle of a stream.
    let mut client = world.ask(Node::new("one", "edge"), &proof).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");
    client.rename(Node::new("one", "inside"));
    client.subscribe(type_url::ROUTE, &["*"]);
    assert!(format!("{:#}", client.next(SOON).await.expect_err("the end")).contains("status 7"));

    // Asks for a secret of another fleet by its name: it is told that there is none.
    let mut client = world.ask(Node::new("curious", "edge"), &proof).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");
    client.subscribe(type_url::SECRET, &[SECRET]);
    let answer = client.next(SOON).await.expect("an answer");
    assert_eq!((answer.resources.len(), answer.removed), (0, vec![SECRET.to_owned()]));
    world.audited(&["xds secret", SECRET, "curious"]).await;
    let stream = STREAMS[4];
    assert!(first(&world, stream, Node::new("owner", "inside"), &own).await.expect("its own secret") > 500);

    // Asks without a stream.
    let fetch = "/envoy.service.listener.v3.ListenerDiscoveryService/FetchListeners";
    let told =
        refusal(first(&world, (fetch, false, type_url::LISTENER), Node::new("n", "edge"), &proof).await);
    assert!(told.contains("status 12"), "{told}");
    world.audited(&["xds method", "FetchListeners"]).await;

    let metrics = world.biplane.get("/metrics").await.expect("a page").text();
    for attempt in ["fleet", "node", "secret", "method"] {
        let line = format!("biplane_xds_refused_total{{attempt=\"{attempt}\"}}");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn whoever_shows_no_certificate_of_the_authority_gets_no_byte() {
    let mut world = World::with_certificates().await;
    let node = || Node::new("edge-1", "edge");
    world.gets("edge", node(), &world.proof("edge")).await.expect("a member");

    let nothing = Proof { tls: Some(world.trusting()), token: None };
    assert!(world.gets("edge", node(), &nothing).await.is_err(), "no certificate");
    let foreign = Authority::new("Others").issue(&["spiffe://biplane/fleet/edge"]);
    let foreign = Proof { tls: Some(ClientTls { identity: Some(foreign), ..world.trusting() }), token: None };
    assert!(world.gets("edge", node(), &foreign).await.is_err(), "of another authority");
    assert!(world.gets("edge", node(), &Proof::default()).await.is_err(), "in the clear");
    world.audited(&["xds handshake", "refused"]).await;

    // An Envoy that says one thing and proves another: it listens nowhere.
    let thief = world.envoy("thief", &world.bootstrap("edge", "inside")).await;
    world.audited(&["xds fleet", "inside"]).await;
    throughout("an Envoy with nothing", CALM, async || {
        let clusters = thief.ask("/config_dump").await?.text();
        anyhow::ensure!(!clusters.contains(CANARY), "{clusters}");
        anyhow::ensure!(Request::get(HOST, "/").send(world.inside_port).await.is_err(), "it listens");
        Ok(())
    })
    .await;
}
