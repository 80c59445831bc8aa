//! Rights: what is not allowed is told with the line that a policy lacks, and never taken for absent.

use biplane_source::{Cause, Listing, SecretSource as _};
use serde_json::json;

use crate::harness::{Reader, World, assert_silent, kv, token, told, unique, value};
use crate::policies::{bare_token, shipped, without};

#[tokio::test]
async fn the_policy_that_is_shipped_is_enough_and_one_right_less_is_named() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("biplane/a", &json!({ "n": "1" })).await.expect("a write");
    let whole = format!("{}{}", shipped("kv.hcl", "secret/", &mount), shipped("renew-self.hcl", "", ""));
    let source = world.source_with(token(&bare_token(&world, &whole, "1h").await));
    let mut reader = Reader::new(&source, &kv(&mount, "biplane/a"));
    assert_eq!(reader.values().await["n"], "1");
    source.refresh();
    store.write("biplane/a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "2");
    assert_eq!(
        world.requests(&format!("{mount}/data/biplane/a")),
        2,
        "metadata may be read, so values are asked for when they change"
    );
    let less = without(&whole, &format!("{mount}/data/biplane/*"));
    let secret = bare_token(&world, &less, "1h").await;
    let error =
        world.source_with(token(&secret)).read(&kv(&mount, "biplane/a")).await.expect_err("one right less");
    assert_eq!(error.cause, Cause::Denied);
    let line = format!(r#"path "{mount}/data/biplane/a" {{ capabilities = ["read"] }}"#);
    assert!(told(&error).contains(&line), "{error:?}");
    assert_silent(&error, &secret);
}

#[tokio::test]
async fn without_the_right_to_metadata_the_values_are_read_instead() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("biplane/a", &json!({ "n": "1" })).await.expect("a write");
    let rules = without(&shipped("kv.hcl", "secret/", &mount), &format!("{mount}/metadata/biplane/*"));
    let rules = format!("{rules}{}", shipped("renew-self.hcl", "", ""));
    let source = world.source_with(token(&bare_token(&world, &rules, "1h").await));
    let mut reader = Reader::new(&source, &kv(&mount, "biplane/a"));
    assert_eq!(reader.values().await["n"], "1");
    store.write("biplane/a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "2");
    store.delete("biplane/a").await.expect("a deletion");
    assert_eq!(reader.next().await, Listing::Complete(None));
    assert!(
        world.requests("metadata/biplane/a") <= 2,
        "what may not be read is not asked for again and again"
    );
}

#[tokio::test]
async fn a_right_that_is_taken_away_and_given_back_needs_no_restart() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("biplane/a", &json!({ "n": "1" })).await.expect("a write");
    let name = unique("policy");
    let rules = shipped("kv.hcl", "secret/", &mount);
    world.root().policy(&name, &rules).await.expect("a policy");
    let secret = world.root().token(&[&name], "1h").await.expect("a token").secret;
    let source = world.source_with(token(&secret));
    let mut reader = Reader::new(&source, &kv(&mount, "biplane/a"));
    assert_eq!(reader.values().await["n"], "1");
    world.root().policy(&name, "path \"nothing\" { capabilities = [\"read\"] }").await.expect("a policy");
    assert_eq!(reader.failure().await.cause, Cause::Denied);
    world.root().policy(&name, &rules).await.expect("a policy");
    assert_eq!(reader.values().await["n"], "1");
    assert_eq!(source.counters().logins, 1, "the token was alive all the time");
}

#[tokio::test]
async fn questions_that_are_not_allowed_do_not_ask_about_the_token_each() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("biplane/a", &json!({ "n": "1" })).await.expect("a write");
    let rules = shipped("kv.hcl", "secret/", &mount);
    let source = world.source_with(token(
        &bare_token(&world, &format!("{rules}{}", shipped("renew-self.hcl", "", "")), "1h").await,
    ));
    assert_eq!(value(&source.read(&kv(&mount, "biplane/a")).await, "n"), "1");
    let before = world.requests("lookup-self");
    let requests: Vec<_> = (0..20).map(|n| kv(&mount, &format!("other/{n}"))).collect();
    let reads = requests.iter().map(|request| source.read(request));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.expect_err("not allowed").cause, Cause::Denied);
    }
    let asked = world.requests("lookup-self") - before;
    assert!((1..=3).contains(&asked), "{asked} questions about the token");
}
