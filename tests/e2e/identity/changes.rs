//! Certificates and rules that change while streams are open.

use std::fs;

use anyhow::ensure;
use biplane_testkit::xds::Node;
use biplane_testkit::{Envoy, eventually};

use super::world::{SOON, World, init};
use crate::harness::{PATIENCE, Tree};

/// A gauge or counter of Envoy's view of the control plane.
async fn stat(envoy: &Envoy, name: &str) -> u64 {
    envoy.stat(name).await.expect("a statistic")
}

#[tokio::test]
async fn certificates_are_replaced_on_both_sides_and_the_stream_lives_on() {
    let world = World::with_certificates().await;
    let mut envoy = world.envoy("edge", &world.bootstrap("edge", "edge")).await;
    envoy.ready().await;
    world.until_answer(world.tree.port, "edge").await;
    let connections = stat(&envoy, "cluster.xds_cluster.upstream_cx_total").await;

    // The server's: who connects from now on sees the new one, whoever is there notices nothing.
    world.issue(&["--server", "--name", "127.0.0.1", "--name", "new.example.com", "--replace"]);
    let renamed = || {
        let mut proof = world.proof("edge");
        if let Some(tls) = &mut proof.tls {
            tls.server_name = Some("new.example.com".to_owned());
        }
        proof
    };
    eventually("the new certificate", PATIENCE, async || {
        world.gets("edge", Node::new("late", "edge"), &renamed()).await
    })
    .await;
    world.change_edge("after the server's");
    world.until_answer(world.tree.port, "after the server's").await;

    // Envoy's own: it takes the new one by itself.
    let shown = async || envoy.ask("/certs").await.map(|page| page.text());
    let before = shown().await.expect("a page");
    world.issue(&["--fleet", "edge", "--replace"]);
    eventually("Envoy's new certificate", PATIENCE, async || {
        ensure!(shown().await? != before, "the certificates are {before}");
        Ok(())
    })
    .await;
    world.change_edge("after both");
    world.until_answer(world.tree.port, "after both").await;
    assert_eq!(stat(&envoy, "control_plane.connected_state").await, 1);
    assert_eq!(
        stat(&envoy, "cluster.xds_cluster.upstream_cx_total").await,
        connections,
        "one stream all the time"
    );
}

#[tokio::test]
async fn node_whose_rule_goes_away_loses_its_stream_and_keeps_what_it_has() {
    let tree = Tree::new();
    let settings = init(&tree);
    let rules = tree.directory.join("rules.yaml");
    let of = |fleet: &str| {
        format!("rules:\n- certificate: {{ uri: spiffe://biplane/fleet/{fleet} }}\n  fleet: {fleet}\n")
    };
    fs::write(&rules, of("edge")).expect("writable");
    let mut world = World::serve(tree, &settings, &["--identity", rules.to_str().expect("text")]).await;
    let mut envoy = world.envoy("edge", &world.bootstrap("edge", "edge")).await;
    envoy.ready().await;
    world.until_answer(world.tree.port, "edge").await;
    let proof = world.proof("edge");
    let mut client = world.ask(Node::new("client", "edge"), &proof).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");

    // A file that is wrong changes nothing.
    fs::write(&rules, "rules: [{ certificate: {}, fleet: edge }]").expect("writable");
    let process = world.biplane.process();
    eventually("a word about the rules", PATIENCE, async || {
        ensure!(process.log().contains("new rules of identity are not used"), "none yet");
        Ok(())
    })
    .await;
    world.change_edge("still served");
    world.until_answer(world.tree.port, "still served").await;

    fs::write(&rules, of("inside")).expect("writable");
    let end = loop {
        // What was sent before comes first.
        match client.next(SOON).await {
            Ok(_) => {}
            Err(end) => break format!("{end:#}"),
        }
    };
    assert!(end.contains("status 7"), "{end}");
    world.audited(&["spiffe://biplane/fleet/edge", "xds stream", "refused"]).await;
    eventually("an Envoy without its stream", PATIENCE, async || {
        ensure!(envoy.stat("control_plane.connected_state").await? == 0, "it is connected");
        Ok(())
    })
    .await;
    world.change_edge("not served");
    world.until_answer(world.tree.port, "still served").await;

    fs::write(&rules, of("edge")).expect("writable");
    world.until_answer(world.tree.port, "not served").await;
}
