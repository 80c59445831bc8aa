//! Nodes that prove themselves by tokens: of Biplane's own, of an issuer, of a real Nomad.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use biplane_testkit::bao::JwtIssuer;
use biplane_testkit::nomad::{Check, Job};
use biplane_testkit::xds::{Node, Proof};
use biplane_testkit::{Nomad, TempDir, biplane, eventually};
use serde_json::{Value, json};

use super::world::{SOON, World, init};
use crate::harness::{PATIENCE, Tree, status};

/// The settings of `biplane pki init`, with other rules: no certificate is asked for.
fn settings(tree: &Tree, identity: &Value) -> String {
    let made = init(tree);
    let tls = made.lines().filter(|line| line.starts_with("xdsTls") && !line.starts_with("xdsTlsClientCa"));
    let tls: Vec<_> = tls.collect();
    format!("{}\nidentity: {identity}\n", tls.join("\n"))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims(job: &str, end: u64) -> Value {
    json!({ "aud": "biplane", "sub": format!("global:default:{job}"), "exp": end, "nomad_job_id": job })
}

fn jobs(jwks: &str) -> Value {
    json!({
        "issuers": { "nomad": { "jwks": jwks, "audience": "biplane", "leeway": "0s" } },
        "rules": [
            { "token": { "issuer": "nomad", "claims": { "nomad_job_id": "envoy-{fleet}" } }, "fleet": "{fleet}" },
        ],
    })
}

fn with(world: &World, token: &str) -> Proof {
    Proof { tls: Some(world.trusting()), token: Some(token.to_owned()) }
}

#[tokio::test]
async fn node_with_a_token_gets_the_fleet_of_its_job_until_the_token_ends() {
    let (tree, issuer) = (Tree::new(), JwtIssuer::new());
    let jwks = tree.directory.join("jwks.json");
    fs::write(&jwks, issuer.jwks()).expect("writable");
    let settings = settings(&tree, &jobs(jwks.to_str().expect("text")));
    let mut world = World::serve(tree, &settings, &[]).await;
    let node = || Node::new("node", "");
    let good = |job: &str| issuer.sign(&claims(job, seconds() + 600));
    for fleet in ["edge", "inside"] {
        let proof = with(&world, &good(&format!("envoy-{fleet}")));
        world.gets(fleet, node(), &proof).await.expect(fleet);
    }
    let thief = with(&world, &good("envoy-edge"));
    assert!(world.gets("inside", Node::new("node", "inside"), &thief).await.is_err(), "another's fleet");

    let expired = issuer.sign(&claims("envoy-edge", seconds() - 1));
    let forged = JwtIssuer::new().sign(&claims("envoy-edge", seconds() + 600));
    for (token, word) in [
        (expired.as_str(), "it has expired"),
        (&forged, "its signature is wrong"),
        (&good("batch"), "no rule is for nomad:global:default:batch"),
        ("nonsense", "no JSON Web Token"),
    ] {
        let refused = world.gets("edge", node(), &with(&world, token)).await.expect_err("not a byte");
        assert!(format!("{refused:#}").contains("status 7"), "{refused:#}");
        world.audited(&["xds stream", word]).await;
    }
    let nothing = Proof { tls: Some(world.trusting()), token: None };
    assert!(world.gets("edge", node(), &nothing).await.is_err(), "no token");

    // It ends while the stream is open.
    let short = issuer.sign(&claims("envoy-edge", seconds() + 3));
    let mut client = world.ask(node(), &with(&world, &short)).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");
    let end = format!("{:#}", client.next(SOON).await.expect_err("the end"));
    assert!(end.contains("status 7") && end.contains("expired"), "{end}");

    let log = world.biplane.process().log();
    assert!(
        ![&expired, &forged, &short].iter().any(|token| log.contains(token.as_str())),
        "a token is in the log"
    );
}

#[tokio::test]
async fn envoy_sends_a_token_of_biplanes_own_from_a_file_and_takes_the_next_one_by_itself() {
    let tree = Tree::new();
    let token = |until: u64| {
        let made = biplane::run(["envoy", "token", "--fleet", "edge"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let hash = made.stderr.lines().find_map(|line| line.split("sha256: ").nth(1)).expect("a rule");
        let until = biplane_until(until);
        (made.stdout, json!({ "token": { "sha256": hash.trim(), "until": until }, "fleet": "edge" }))
    };
    let ((one, first), (two, second)) = (token(seconds() + 6), token(seconds() + 3600));
    let settings = settings(&tree, &json!({ "rules": [first, second] }));
    let world = World::serve(tree, &settings, &[]).await;
    let file = world.tree.directory.join("edge.token");
    fs::write(&file, one).expect("writable");
    let ca = world.pki("ca.pem");
    let proof = ["--xds-ca", ca.to_str().expect("text"), "--xds-token-file", file.to_str().expect("text")];
    let mut envoy = world.envoy("edge", &world.bootstrap_with("edge", "edge", &proof)).await;
    envoy.ready().await;
    world.until_answer(world.tree.port, "edge").await;

    // The next one takes the place of the first, as those do it that take care; then the first ends.
    let new = file.with_extension("new");
    fs::write(&new, two).expect("writable");
    fs::rename(&new, &file).expect("renamed");
    eventually("the end of the first token", PATIENCE, async || {
        let streams = envoy.stat("cluster.xds_cluster.upstream_rq_total").await?;
        anyhow::ensure!(streams > 1, "{streams} streams");
        Ok(())
    })
    .await;
    world.change_edge("by the next token");
    world.until_answer(world.tree.port, "by the next token").await;
}

/// A moment as settings have it, by the only clock that everybody shares.
fn biplane_until(until: u64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{until}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date is everywhere");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn task_of_a_real_nomad_is_a_node_by_its_own_token_and_stays_one_while_nomad_is_away_and_biplane_restarts()
 {
    let directory = TempDir::new("identity");
    let mut nomad = Nomad::start(&directory).await;
    let jwks = format!("http://{}/.well-known/jwks.json", nomad.address());
    let tree = Tree::new();
    let settings = settings(&tree, &jobs(&jwks));
    let mut world = World::serve(tree, &settings, &[]).await;
    let mut known = None;
    for (name, is_node) in [("envoy-edge", true), ("batch", false)] {
        let job = Job { token_for: Some("biplane".to_owned()), check: Check::None, ..Job::new(name) };
        nomad.run(&job).await.expect("Nomad takes it");
        let token = fs::read_to_string(token_of(&nomad, &job).await).expect("a token");
        let proof = with(&world, &token);
        if is_node {
            // Until Biplane has asked for the keys it tells nodes to come again.
            eventually("its own fleet", PATIENCE, async || {
                world.gets("edge", Node::new(name, ""), &proof).await
            })
            .await;
            known = Some(proof);
        } else {
            let refused = world.gets("edge", Node::new(name, ""), &proof).await.expect_err("no node");
            assert!(format!("{refused:#}").contains("status 7"), "{refused:#}");
        }
    }

    nomad.kill();
    world.biplane.restart().await;
    let known = known.expect("one is a node");
    eventually("its own fleet again", PATIENCE, async || {
        world.gets("edge", Node::new("again", ""), &known).await
    })
    .await;
    status::until(&world.biplane, "a word about Nomad's keys", |status| {
        let reports = status::list(status, "reports");
        reports.iter().any(|report| {
            let text = report["message"].as_str().unwrap_or_default();
            text.contains("the keys of issuer nomad") && text.contains("of an earlier run")
        })
    })
    .await;
}

/// The file with the token of a job's task.
async fn token_of(nomad: &Nomad, job: &Job) -> PathBuf {
    eventually("a token", PATIENCE, async || {
        let found = nomad.instances(&job.namespace, &job.service).await?;
        let allocation = found.into_values().next().ok_or_else(|| anyhow::anyhow!("no instance"))?;
        let secrets = nomad.folder().join("data/alloc").join(allocation).join("task/secrets");
        let file = secrets.join("nomad_biplane.jwt");
        anyhow::ensure!(file.is_file(), "{} is not there", file.display());
        Ok(file)
    })
    .await
}
