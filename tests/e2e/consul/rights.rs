//! Rights that are taken away. To who may not see them, keys look deleted; nothing goes for that, each case is
//! told apart, and what was edited meanwhile is live when the rights are back, without a restart.

use anyhow::ensure;
use biplane_testkit::{Biplane, Consul, biplane, eventually};
use serde_json::Value;

use super::served::{Guarded, POLICY, Served, init, policy, url};
use crate::etcd::served::{ROOT, options, source_is};
use crate::harness::{PATIENCE, Tree, status};

/// Takes rights away, edits, gives them back.
async fn costs_nothing(
    mut guarded: Guarded,
    take: impl AsyncFnOnce(&Guarded),
    words: [&str; 2],
    give: impl AsyncFnOnce(&Guarded),
) {
    let witness = guarded.served.witness().await;
    take(&guarded).await;
    let served = &mut guarded.served;
    let source = until_denied(served).await;
    let (error, hint) = (&source["lastError"], &source["hint"]);
    assert!(error.as_str().is_some_and(|error| error.contains(words[0])), "{source:#}");
    assert!(hint.as_str().is_some_and(|hint| hint.contains(words[1])), "{source:#}");
    let before = served.world.remember();
    let edits = served.world.edit(0..5);
    let after = served.world.remember();
    served.write(&edits).await;
    served.world.go_back(before);
    served.stays().await;
    let ready = served.site.biplane.get("/ready").await.expect("an answer");
    assert_eq!(ready.status, 200, "it serves, so it is ready");
    let check = served.command(&["check"]).await;
    assert_eq!(check.code, 8, "{check:?}");
    assert!(words.iter().all(|word| check.stdout.contains(word)), "{check:?}");

    give(&guarded).await;
    let served = &mut guarded.served;
    served.world.go_back(after);
    served.live().await;
    let source = served.until_state("complete").await;
    assert_eq!(source["held"], serde_json::json!([]), "{source:#}");
    served.edit(3..8).await;
    witness.has_seen_nothing(served).await;
}

/// Waits until the store is denied. Consul looks at the token when a query comes, not while one waits; so the one
/// that is open is answered once more. It is woken by what changes nothing.
async fn until_denied(served: &Served) -> Value {
    eventually("a source that is denied", PATIENCE, async || {
        served.write(&served.world.again([19])).await;
        let status = status::fetch(&served.site.biplane).await?;
        ensure!(status["sources"][0]["state"] == "denied", "{:#}", status["sources"]);
        Ok(status["sources"][0].clone())
    })
    .await
}

/// The rights below `config/` in place of those that the policy gives there.
async fn narrow(guarded: &Guarded, rules: &str) {
    let narrowed = policy(POLICY).replace(&format!("key_prefix \"{ROOT}/config/\""), rules);
    assert!(narrowed.contains(rules), "the policy has other rules by now: {narrowed}");
    guarded.served.consul.acl_policy(POLICY, &narrowed).await.expect("Consul takes policies");
}

async fn widen(guarded: &Guarded) {
    guarded.served.consul.acl_policy(POLICY, &policy(POLICY)).await.expect("Consul takes policies");
}

#[tokio::test]
async fn token_that_is_revoked_costs_nothing_and_another_in_its_file_is_enough() {
    let take = async |guarded: &Guarded| {
        guarded.served.consul.acl_token_delete(&guarded.token).await.expect("Consul ends tokens");
    };
    let give = async |guarded: &Guarded| {
        let another = guarded.served.consul.acl_token(&[POLICY]).await.expect("Consul makes tokens");
        guarded.show(&another.secret);
    };
    costs_nothing(Guarded::start(20).await, take, ["ACL not found", "deleted"], give).await;
}

#[tokio::test]
async fn anonymous_token_in_place_of_ours_costs_nothing() {
    let take = async |guarded: &Guarded| guarded.show("anonymous");
    let give = async |guarded: &Guarded| guarded.show(&guarded.token.secret);
    let words = ["anonymous token lacks permission", "biplane/config/"];
    costs_nothing(Guarded::start(20).await, take, words, give).await;
}

#[tokio::test]
async fn rights_on_half_of_the_prefix_cost_nothing() {
    let take = async |guarded: &Guarded| {
        let half = format!(
            "key_prefix \"{ROOT}/config/VirtualService/gloo-system/host-1\" {{\n  policy = \"deny\"\n}}\n\
             key_prefix \"{ROOT}/config/\""
        );
        narrow(guarded, &half).await;
    };
    let words = ["leaves out keys below biplane/config/", "no narrower rule"];
    costs_nothing(Guarded::start(20).await, take, words, widen).await;
}

#[tokio::test]
async fn rights_on_one_kind_only_cost_nothing() {
    let take = async |guarded: &Guarded| {
        narrow(guarded, &format!("key_prefix \"{ROOT}/config/VirtualService/\"")).await;
    };
    let words = ["lacks permission 'key:read' on \"biplane/config/_", "biplane/config/"];
    costs_nothing(Guarded::start(20).await, take, words, widen).await;
}

#[tokio::test]
async fn no_rights_at_all_cost_nothing() {
    let take = async |guarded: &Guarded| {
        let (consul, token) = (&guarded.served.consul, &guarded.token);
        consul.acl_token_update(token, &[]).await.expect("Consul changes tokens");
    };
    let give = async |guarded: &Guarded| {
        let (consul, token) = (&guarded.served.consul, &guarded.token);
        consul.acl_token_update(token, &[POLICY]).await.expect("Consul changes tokens");
    };
    let words = ["lacks permission 'key:read'", "biplane/config/"];
    costs_nothing(Guarded::start(20).await, take, words, give).await;
}

#[tokio::test]
async fn right_to_list_that_agents_ask_for_is_named() {
    let tree = Tree::new();
    let consul = Consul::builder().acl(true).key_list_policy(true).start(&tree.directory).await;
    init(&url(consul.address())).await;
    consul.acl_policy(POLICY, &policy(POLICY)).await.expect("Consul takes policies");
    let token = consul.acl_token(&[POLICY]).await.expect("Consul makes tokens");
    let options = options(&url(consul.address())).variable("CONSUL_HTTP_TOKEN", token.secret.clone());
    let biplane = Biplane::start_with(options, &tree.directory).await;
    let source = source_is(&biplane, "denied").await;
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("\"list\"")), "{source:#}");
    let with_list = policy(POLICY).replace("policy = \"read\"", "policy = \"list\"");
    consul.acl_policy(POLICY, &with_list).await.expect("Consul takes policies");
    status::until(&biplane, "an open gate", |status| status["gate"]["state"] == "open").await;
    let output = biplane::run_with(["check", "--api", &format!("http://{}", biplane.admin())], &[], "").await;
    assert_eq!(output.code, 0, "{output:?}");
}
