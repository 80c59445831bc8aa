//! Where operators see who is connected, and by what right.

use anyhow::ensure;
use biplane_testkit::xds::{Node, Proof};
use biplane_testkit::{Browser, TempDir, biplane, eventually};
use serde_json::{Value, json};

use super::world::{SOON, World, init};
use crate::harness::{PATIENCE, Tree, status};

/// The moment until which the token is good.
const UNTIL: &str = "2100-01-31T00:00:00Z";

/// A token of Biplane's own, and the start of its hash.
struct Token {
    secret: String,
    hash: String,
}

impl Token {
    fn new() -> Self {
        let made = biplane::run(["envoy", "token", "--fleet", "inside"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let hash = made.stderr.lines().find_map(|line| line.split("sha256: ").nth(1)).expect("a rule");
        Self { secret: made.stdout.trim().to_owned(), hash: hash.trim().to_owned() }
    }
}

/// The settings of `biplane pki init`, with rules for certificates and for a token.
fn settings(tree: &Tree, token: &Token) -> String {
    let made = init(tree);
    let tls: Vec<_> = made.lines().filter(|line| line.starts_with("xdsTls")).collect();
    let rules = json!({ "rules": [
        { "certificate": { "uri": "spiffe://biplane/fleet/{fleet}" }, "fleet": "{fleet}" },
        { "token": { "sha256": token.hash, "until": UNTIL }, "fleet": "inside" },
    ] });
    format!("{}\nidentity: {rules}\n", tls.join("\n"))
}

/// What the status says of a node.
async fn until_node(world: &World, id: &str) -> Value {
    eventually(&format!("node {id}"), PATIENCE, async || {
        let status = status::fetch(&world.biplane).await?;
        let node = status::list(&status, "nodes").into_iter().find(|node| node["id"] == id);
        let node = node.unwrap_or_default();
        ensure!(!node.is_null(), "{status:#}");
        Ok(node)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_a_node_has_proved_to_be_is_shown_wherever_nodes_are_and_its_token_nowhere() {
    let (tree, token) = (Tree::new(), Token::new());
    let settings = settings(&tree, &token);
    let world = World::serve(tree, &settings, &[]).await;
    let mut envoy = world.envoy("edge", &world.bootstrap("edge", "edge")).await;
    envoy.ready().await;
    let proof = Proof { tls: Some(world.trusting()), token: Some(token.secret.clone()) };
    let mut client = world.ask(Node::new("by-token", "inside"), &proof).await.expect("a stream");
    client.next(SOON).await.expect("its own listeners");

    let by_certificate = until_node(&world, "edge-edge").await;
    let identity = &by_certificate["identity"];
    let uri = "spiffe://biplane/fleet/edge";
    assert_eq!((&identity["by"], &identity["who"]), (&json!("certificate"), &json!(uri)));
    let ends = identity["until"].as_str().expect("a certificate ends").to_owned();
    assert!(ends.as_str() > "2026", "{ends}");
    let remote = by_certificate["remote"].as_str().expect("an address").to_owned();
    assert!(remote.starts_with("127.0.0.1:"), "{remote}");
    let who = format!("sha256:{}", &token.hash[..8]);
    let by_token = until_node(&world, "by-token").await;
    assert_eq!(by_token["identity"], json!({ "by": "token", "who": who, "until": UNTIL }));

    let api = format!("http://{}", world.biplane.admin());
    let table = biplane::run(["status", "--api", &api, "-o", "wide"]).stdout;
    let shown = [uri, &ends, &remote, &who, UNTIL, "PROVED BY", "GOOD UNTIL"];
    for word in shown {
        assert!(table.contains(word), "{word} in {table}");
    }
    let directory = TempDir::new("identity-page");
    let page = Browser::start(&directory).await;
    page.open(&format!("{api}/")).await;
    for word in [&format!("certificate {uri}"), &ends, &remote, &format!("token {who}"), UNTIL] {
        page.shows(word).await;
    }
    let json = biplane::run(["status", "--api", &api, "-o", "json"]).stdout;
    for text in [table, json] {
        assert!(!text.contains(&token.secret), "the token is in {text}");
    }
}
