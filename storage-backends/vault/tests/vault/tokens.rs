//! A token that others give us: as such, or in a file that they keep up to date.

use std::time::Duration;

use biplane_source::{Cause, Phase, SecretSource as _};
use biplane_store_vault::Auth;
use biplane_testkit::bao::ROOT_TOKEN;
use serde_json::json;

use crate::harness::{
    PATIENCE, Reader, World, assert_silent, failed, kv, replace, state, token, told, unique, value,
};

#[tokio::test]
async fn a_token_is_kept_alive_far_beyond_its_time() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let name = unique("policy");
    world
        .root()
        .policy(&name, &format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}"))
        .await
        .expect("a policy");
    let secret = world.root().token(&[&name], "2s").await.expect("a token").secret;
    let source = world.source_with(token(&secret));
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    let state = source.state().borrow().clone();
    assert_eq!((state.phase, state.details["auth"].as_str()), (Phase::Complete, "token"));
    biplane_testkit::throughout("the token's life", Duration::from_secs(5), async || {
        source.read(&kv(&mount, "a")).await.map(drop).map_err(Into::into)
    })
    .await;
    assert!(source.counters().renewals >= 3, "{:?}", source.counters());
    assert_eq!(source.counters().logins, 1);
}

#[tokio::test]
async fn a_token_that_has_ended_is_told_with_what_to_do() {
    let world = World::new().await;
    let secret = world.root().token(&["default"], "1h").await.expect("a token").secret;
    let source = world.source_with(token(&secret));
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    world.root().revoke(&secret).await.expect("its end");
    let error = source.read(&kv("secret", "a")).await.expect_err("the token is dead");
    assert_eq!(error.cause, Cause::Denied);
    assert!(error.hint.is_some(), "{error:?}");
    assert_silent(&(error, source.state().borrow().clone()), &secret);
    let error = failed(&source).await;
    assert!(told(&error).contains("a token that is alive"), "{error:?}");
}

#[tokio::test]
async fn a_token_file_that_is_replaced_is_read_again() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let first = world.root().token(&["root"], "1h").await.expect("a token").secret;
    let file = world.file("token", &format!("{first}\n"));
    let source = world.source_with(Auth::TokenFile(file.clone()));
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    reader.values().await;
    let second = world.root().token(&["root"], "1h").await.expect("a token").secret;
    replace(&file, &second);
    state(&source, "the second token", |_| source.counters().logins == 2).await;
    world.root().revoke(&first).await.expect("its end");
    source.refresh();
    reader.silence(Duration::from_secs(1)).await;
    store.write("a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "2");
}

#[tokio::test]
async fn a_token_file_that_comes_late_is_waited_for() {
    let world = World::new().await;
    let file = world.directory.join("token");
    let source = world.source_with(Auth::TokenFile(file.clone()));
    let error = failed(&source).await;
    assert!(told(&error).contains("cannot read") && error.hint.is_some(), "{error:?}");
    for content in ["", "\n", "not a token", "kn\u{fc}ll"] {
        replace(&file, content);
        let failures = source.counters().login_failures;
        state(&source, "another attempt", |_| source.counters().login_failures > failures).await;
    }
    replace(&file, ROOT_TOKEN);
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
}

#[tokio::test]
async fn a_bad_token_file_leaves_the_token_in_use_as_it_was() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let file = world.file("token", ROOT_TOKEN);
    let source = world.source_with(Auth::TokenFile(file.clone()));
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    replace(&file, "hunter2");
    let state = state(&source, "a refusal", |state| state.last_error.is_some()).await;
    assert_eq!(state.phase, Phase::Complete);
    assert_silent(&state, "hunter2");
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
}

#[tokio::test]
async fn a_bad_token_file_leaves_the_token_in_use_alive_beyond_its_time() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let name = unique("policy");
    let policy = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
    world.root().policy(&name, &policy).await.expect("a policy");
    let short = world.root().token(&[&name], "2s").await.expect("a token").secret;
    let file = world.file("token", &short);
    let source = world.source_with(Auth::TokenFile(file.clone()));
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    replace(&file, "hunter2");
    state(&source, "a refusal", |state| state.last_error.is_some()).await;
    biplane_testkit::throughout("the token's life", Duration::from_secs(5), async || {
        source.read(&kv(&mount, "a")).await.map(drop).map_err(Into::into)
    })
    .await;
    let failures = source.counters().login_failures;
    state(&source, "another look at the file", |_| source.counters().login_failures > failures).await;
    replace(&file, ROOT_TOKEN);
    state(&source, "a login", |_| source.counters().logins == 2).await;
}

#[tokio::test]
async fn state_tells_how_and_where_it_is_logged_in() {
    let world = World::new().await;
    let secret = world.root().token(&["default"], "1h").await.expect("a token").secret;
    let source = world.source_with(token(&secret));
    let state = state(&source, "the version", |state| state.details.contains_key("version")).await;
    assert_eq!(state.details["address"], format!("http://{}", world.link.address()));
    assert!(state.details["version"].starts_with('2'), "{state:?}");
    assert!(state.details["token until"].ends_with('Z'), "{state:?}");
    assert_silent(&state, &secret);
    let forever = world.source();
    let read = tokio::time::timeout(PATIENCE, forever.read(&kv("secret", "none"))).await;
    assert_eq!(read.expect("in time"), Ok(None));
    assert_eq!(forever.state().borrow().details["token until"], "it has no end");
}
