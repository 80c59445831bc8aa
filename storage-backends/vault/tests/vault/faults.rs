//! Servers that are sealed, too busy, standing by, silent or gone: what was known stands, and all goes on by itself.

use std::time::{Duration, Instant};

use anyhow::ensure;
use biplane_source::{Cause, Listing, Phase, SecretSource as _};
use biplane_store_vault::Auth;
use biplane_testkit::bao::ROOT_TOKEN;
use biplane_testkit::fault_proxy::{Answer, Matcher};
use biplane_testkit::{Bao, FaultProxy, TempDir, eventually};
use serde_json::json;

use crate::harness::{
    PATIENCE, Reader, World, connect, failed, kv, options, replace, state, token, told, value,
};

#[tokio::test]
async fn a_sealed_server_is_named_and_changes_nothing_until_it_is_open_again() {
    let directory = TempDir::new("bao-sealed");
    let mut bao = Bao::builder().data(true).start(&directory).await;
    let store = bao.root().kv2("secret");
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = connect(options(bao.address(), token(ROOT_TOKEN)));
    let mut reader = Reader::new(&source, &kv("secret", "a"));
    assert_eq!(reader.values().await["n"], "1");
    bao.seal().await.expect("sealed");
    let error = reader.failure().await;
    assert!(told(&error).contains("it is sealed") && told(&error).contains("operator unseal"), "{error:?}");
    assert_eq!(error.cause, Cause::Unavailable);
    state(&source, "a failure", |state| state.phase == Phase::Failed).await;
    let late = connect(options(bao.address(), token(ROOT_TOKEN)));
    assert!(told(&failed(&late).await).contains("it is sealed"));
    bao.unseal().await;
    assert_eq!(reader.values().await["n"], "1");
    assert_eq!(source.counters().logins, 1, "the token has outlived it");
    for source in [source, late] {
        state(&source, "its end", |state| state.phase == Phase::Complete).await;
        assert_eq!(value(&source.read(&kv("secret", "a")).await, "n"), "1");
    }
}

#[tokio::test]
async fn a_server_that_starts_empty_is_not_initialised_and_then_has_another_token() {
    let directory = TempDir::new("bao-empty");
    let mut bao = Bao::start(&directory).await;
    bao.root().kv2("secret").write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = connect(options(bao.address(), token(ROOT_TOKEN)));
    let mut reader = Reader::new(&source, &kv("secret", "a"));
    assert_eq!(reader.values().await["n"], "1");
    bao.kill();
    assert_eq!(reader.failure().await.cause, Cause::Unavailable);
    bao.start_sealed().await;
    let source = connect(options(bao.address(), token(ROOT_TOKEN)));
    let error = failed(&source).await;
    assert!(told(&error).contains("not initialised") || told(&error).contains("sealed"), "{error:?}");
    bao.unseal().await;
    bao.root().kv2("secret").write("a", &json!({ "n": "2" })).await.expect("a write");
    loop {
        match reader.next().await {
            Listing::Complete(Some(_)) => break,
            told => assert_ne!(
                told,
                Listing::Complete(None),
                "an empty server was believed before it had the secret"
            ),
        }
    }
}

#[tokio::test]
async fn a_quota_is_kept_to_and_everything_is_read_in_the_end() {
    let directory = TempDir::new("bao-quota");
    let bao = Bao::start(&directory).await;
    let store = bao.root().kv2("secret");
    for n in 0..12 {
        store.write(&format!("a{n}"), &json!({ "n": n.to_string() })).await.expect("a write");
    }
    let source = connect(options(bao.address(), token(ROOT_TOKEN)));
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    bao.root().rate_limit("reads", "secret/", 4, "1s").await.expect("a quota");
    let requests: Vec<_> = (0..12).map(|n| kv("secret", &format!("a{n}"))).collect();
    let started = Instant::now();
    let reads = futures::future::join_all(requests.iter().map(|request| source.read(request))).await;
    for (n, read) in reads.iter().enumerate() {
        assert_eq!(value(read, "n"), n.to_string(), "after {:?}", started.elapsed());
    }
    assert!(source.counters().rate_limited > 0, "{:?}", source.counters());
    bao.root().rate_limit("reads", "secret/", 1, "60s").await.expect("a quota");
    let mut limited = None;
    for request in &requests[..3] {
        limited = source.read(request).await.err().or(limited);
    }
    let error = limited.expect("one a minute is not enough");
    assert!(told(&error).contains("limits the rate") && told(&error).contains("quota"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_later_is_left_alone_for_as_long_as_it_says() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    let later = Answer { body: "{}".into(), ..Answer::status(429) }.header("retry-after", "2");
    world.link.answer(Matcher::path(&format!("/v1/{mount}")), later, 1);
    let started = Instant::now();
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(source.counters().rate_limited, 1);
}

#[tokio::test]
async fn states_of_a_server_are_told_apart() {
    let world = World::new().await;
    let source = world.source();
    assert_eq!(source.read(&kv("secret", "none")).await, Ok(None));
    for (status, words) in [
        (429, "standby"),
        (472, "disaster-recovery"),
        (473, "performance standby"),
        (412, "behind"),
        (501, "not initialised"),
        (500, "it answered 500"),
    ] {
        world.link.answer(Matcher::path("/v1/secret"), Answer::status(status), 1);
        let error = source.read(&kv("secret", "none")).await.expect_err("that is no absence");
        assert!(error.message.contains(words) && error.hint.is_some(), "{status}: {error:?}");
        assert_eq!(error.cause, Cause::Unavailable, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_costs_one_deadline() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let mut options = world.options();
    options.timeout = Duration::from_secs(1);
    let source = connect(options);
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    reader.values().await;
    world.link.blackhole();
    let started = Instant::now();
    let error = source.read(&kv(&mount, "a")).await.expect_err("nobody answers");
    assert!(error.message.contains("within 1s"), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    reader.failure().await;
    world.link.heal();
    assert_eq!(reader.values().await["n"], "1");
}

#[tokio::test]
async fn an_answer_that_is_cut_or_garbled_is_a_failure() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1", "long": "x".repeat(100_000) })).await.expect("a write");
    let plain = FaultProxy::start(world.root_address());
    let source = connect(options(plain.address(), token(ROOT_TOKEN)));
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    assert_eq!(reader.values().await["n"], "1");
    for fault in [FaultProxy::corrupt, FaultProxy::cut_after] {
        store.write("a", &json!({ "n": "2", "long": "x".repeat(100_000) })).await.expect("a write");
        plain.reset();
        fault(&plain, 20_000);
        source.refresh();
        reader.failure().await;
        plain.heal();
        plain.reset();
        assert_eq!(reader.values().await["n"], "2");
    }
}

#[tokio::test]
async fn a_standby_passes_questions_on_and_takes_over() {
    let directory = TempDir::new("bao-standby");
    let bao = Bao::builder().standbys(2).start(&directory).await;
    bao.root().kv2("secret").write("a", &json!({ "n": "1" })).await.expect("a write");
    let active = bao.active().await.expect("an active node");
    let standby = *bao.addresses().iter().find(|address| **address != active).expect("a standby");
    let source = connect(options(standby, token(ROOT_TOKEN)));
    let mut reader = Reader::new(&source, &kv("secret", "a"));
    // The engine of a standby gets ready a moment after that of the active node.
    assert_eq!(reader.values_in_the_end().await["n"], "1");
    bao.step_down().await.expect("another one takes over");
    let heir = eventually("another active node", PATIENCE, async || {
        let heir = bao.active().await?;
        ensure!(heir != active, "{heir} is active still");
        Ok(heir)
    })
    .await;
    let engine = bao.root().at(heir).kv2("secret");
    eventually("a write", PATIENCE, async || engine.write("a", &json!({ "n": "2" })).await).await;
    while reader.values_in_the_end().await["n"] != "2" {}
}

#[tokio::test]
async fn slowness_is_not_told_with_the_error_of_another_question() {
    let world = World::new().await;
    let file = world.file("token", ROOT_TOKEN);
    let source = world.source_with(Auth::TokenFile(file.clone()));
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    replace(&file, "a token that is none");
    let refused = state(&source, "a refusal", |state| state.last_error.is_some()).await;
    assert_eq!(refused.phase, Phase::Complete, "the token in use goes on");
    // Three seconds an answer: each is in time, and all that the question takes are not.
    world.link.delay(Duration::from_millis(1500));
    let error = source.read(&kv("secret", "a")).await.expect_err("too slow");
    assert!(error.message.contains("no answer"), "{error:?}");
}
