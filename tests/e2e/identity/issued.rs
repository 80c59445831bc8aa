//! A server whose certificate Vault's PKI issues: the nodes' are of the same authority.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::bao::Bao;
use biplane_testkit::xds::{Node, Proof};
use biplane_testkit::{Request, eventually, throughout};
use serde_json::{Value, json};

use super::world::World;
use crate::harness::{PATIENCE, Tree, status};

/// A life that is short, and long enough for what has to happen in a half of it.
const LIFE: Duration = Duration::from_secs(12);

/// How long Vault is sealed.
const SEALED: Duration = Duration::from_secs(2);

/// Settings with a certificate that lives so long.
fn settings(life: Duration) -> String {
    format!(
        r#"
xdsTlsSecret:
  source: vault
  vaultPki: {{ role: any, commonName: plane.internal, ipSans: [127.0.0.1], ttl: {}s }}
  clients: true
identity:
  rules:
  - certificate: {{ uri: "spiffe://biplane/fleet/{{fleet}}" }}
    fleet: "{{fleet}}"
"#,
        life.as_secs()
    )
}

/// An authority in OpenBao, its certificate and one of `edge` where an operator would have put them.
async fn authority(tree: &Tree) -> Bao {
    let bao = Bao::builder().data(true).start(&tree.directory).await;
    let pki = bao.root().pki("pki");
    pki.mount().await.expect("an engine");
    pki.role("any", &json!({ "max_ttl": "24h" })).await.expect("a role");
    let root = pki.root("Ours").await.expect("a root");
    let wanted = json!({ "common_name": "edge", "uri_sans": "spiffe://biplane/fleet/edge", "ttl": "1h" });
    let edge = pki.issue("any", &wanted).await.expect("a certificate").identity;
    let files = [("ca.pem", root), ("fleet-edge.pem", edge.certificate), ("fleet-edge.key", edge.key)];
    let directory = tree.directory.join("pki");
    fs::create_dir(&directory).expect("the temporary directory is writable");
    for (name, text) in files {
        fs::write(directory.join(name), text).expect("the temporary directory is writable");
    }
    bao
}

/// A Biplane that may have certificates signed, and nothing else.
async fn served(tree: Tree, bao: &Bao, life: Duration) -> World {
    let root = bao.root();
    let policy = "path \"pki/sign/any\" { capabilities = [\"update\"] }";
    root.policy("biplane", policy).await.expect("a policy");
    let token = tree.directory.join("vault.token");
    let secret = root.token(&["biplane"], "1h").await.expect("a token").secret;
    fs::write(&token, secret).expect("the temporary directory is writable");
    let (address, token) = (bao.address(), token.display());
    let source = format!("vault://{address}/?tokenFile={token}&refresh=300ms&retryMax=1s");
    World::serve(tree, &settings(life), &["--secrets", &source]).await
}

/// The certificate that a new handshake shows.
async fn shown(world: &World) -> anyhow::Result<Vec<u8>> {
    let tls = world.proof("edge").tls.expect("it is by TLS");
    let answer = Request::get("127.0.0.1", "/").http2().tls(tls).send_to(world.biplane.xds()).await?;
    Ok(answer.certificate.expect("it was by TLS").to_vec())
}

async fn until_another(world: &World, before: &[u8]) -> Vec<u8> {
    eventually("another certificate", LIFE + PATIENCE, async || {
        let now = shown(world).await?;
        ensure!(now != before, "it is the same");
        Ok(now)
    })
    .await
}

/// Waits until the status tells that the certificate cannot be read, or does not.
async fn until_told(world: &World, wanted: bool) {
    let about = |report: &Value| {
        let text = report["message"].as_str().unwrap_or_default();
        text.contains("the certificate of the xDS server cannot be read") && text.contains("sealed")
    };
    status::until(&world.biplane, &format!("told of the certificate: {wanted}"), |status| {
        status::list(status, "reports").iter().any(about) == wanted
    })
    .await;
}

#[tokio::test]
async fn certificate_that_vault_issues_is_renewed_under_a_stream_that_lives_on_and_a_sealed_vault_changes_nothing()
 {
    let tree = Tree::new();
    let mut bao = authority(&tree).await;
    let world = served(tree, &bao, LIFE).await;
    let mut envoy = world.envoy("edge", &world.bootstrap("edge", "edge")).await;
    envoy.ready().await;
    world.until_answer(world.tree.port, "edge").await;
    let connections = async || envoy.stat("cluster.xds_cluster.upstream_cx_total").await;
    let (before, losses) = (connections().await.expect("a counter"), envoy.losses().await.expect("counters"));
    let (node, proof) = (|| Node::new("late", "edge"), world.proof("edge"));

    let first = shown(&world).await.expect("a handshake");
    let second = until_another(&world, &first).await;
    world.change_edge("after the renewal");
    world.until_answer(world.tree.port, "after the renewal").await;

    bao.seal().await.expect("sealed");
    until_told(&world, true).await;
    throughout("the same certificate", SEALED, async || {
        ensure!(shown(&world).await? == second, "it is another one");
        world.gets("edge", node(), &proof).await
    })
    .await;
    world.change_edge("while it is sealed");
    world.until_answer(world.tree.port, "while it is sealed").await;
    bao.unseal().await;
    until_told(&world, false).await;

    until_another(&world, &second).await;
    world.change_edge("after all");
    world.until_answer(world.tree.port, "after all").await;
    assert_eq!(envoy.stat("control_plane.connected_state").await.expect("a gauge"), 1);
    assert_eq!(connections().await.expect("a counter"), before, "one stream all the time");
    assert_eq!(envoy.losses().await.expect("counters"), losses);
    let nobody = Proof { tls: Some(world.trusting()), token: None };
    assert!(world.gets("edge", node(), &nobody).await.is_err(), "no certificate");
}

#[tokio::test]
async fn restart_while_vault_is_sealed_shows_the_certificate_of_the_last_run_and_a_good_one_is_not_issued_anew()
 {
    let tree = Tree::new();
    let mut bao = authority(&tree).await;
    let mut world = served(tree, &bao, Duration::from_hours(1)).await;
    let before = eventually("a certificate", PATIENCE, async || shown(&world).await).await;
    let kept = world.biplane.state().join("xds-certificate");
    eventually("it is on disk", PATIENCE, async || {
        ensure!(kept.exists(), "not yet");
        Ok(())
    })
    .await;

    bao.seal().await.expect("sealed");
    world.biplane.kill();
    world.biplane.start_again().await;
    until_told(&world, true).await;
    assert_eq!(shown(&world).await.expect("a handshake"), before);
    world.gets("edge", Node::new("late", "edge"), &world.proof("edge")).await.expect("its configuration");
    let files = fs::read_dir(world.biplane.state()).expect("a directory").flatten();
    let read = files.filter_map(|file| fs::read(file.path()).ok());
    assert!(read.flat_map(String::from_utf8).all(|text| !text.contains("PRIVATE KEY")), "keys are sealed");

    bao.unseal().await;
    until_told(&world, false).await;
    assert_eq!(shown(&world).await.expect("a handshake"), before);
}
