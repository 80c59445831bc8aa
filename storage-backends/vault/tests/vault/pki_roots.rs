//! Roots: a new one is with everybody before any certificate that it signed, an old one as long as it is in the engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use biplane_source::{Listing, Secret, SecretOptions, SecretSource as _};
use biplane_testkit::fault_proxy::{Answer, Matcher};
use futures::StreamExt as _;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{PATIENCE, Reader, World, connect, shown, unique};
use crate::pki::{certificate, engine, issuer, roots};

/// What each watch has told last.
type Told = Arc<Mutex<Vec<Option<Secret>>>>;

/// Follows some watches until each has a certificate of the second root. At each moment the issuer of whatever any watch
/// has told is among the roots that every watch has told.
async fn until_all_have_changed(watches: Vec<biplane_source::Watch<Option<Secret>>>) {
    let told: Told = Arc::new(Mutex::new(vec![None; watches.len()]));
    let follow = |(number, mut watch): (usize, biplane_source::Watch<Option<Secret>>)| {
        let told = Arc::clone(&told);
        async move {
            while let Some(listing) = watch.next().await {
                let Listing::Complete(Some(secret)) = listing else {
                    panic!("nothing fails here: {listing:?}")
                };
                let issued_by = issuer(&secret);
                let mut all = told.lock().expect("nobody panics with it");
                all[number] = Some(secret);
                for secret in all.iter().flatten() {
                    assert!(roots(secret).contains(&issued_by), "{issued_by} is not known everywhere");
                }
                if issued_by == "CN=second root" {
                    return;
                }
            }
        }
    };
    let all = futures::future::join_all(watches.into_iter().enumerate().map(follow));
    timeout(PATIENCE, all).await.expect("all of them change in time");
}

#[tokio::test]
async fn a_root_that_is_added_is_told_with_the_old_certificate() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 600));
    let before = reader.secret().await;
    let first = pki.issuer().await.expect("the first");
    pki.root("second root").await.expect("another root");
    pki.sign_with(&first).await.expect("the first one signs on");
    let after = reader.secret().await;
    assert_eq!(roots(&after), ["CN=first root", "CN=second root"]);
    for field in ["certChain", "privateKey"] {
        assert_eq!(shown(&after)[field], shown(&before)[field]);
    }
    assert_eq!((after.obtained, after.renews), (before.obtained, before.renews));
    assert_eq!(source.counters().issued, 1);
}

#[tokio::test]
async fn a_root_that_signs_at_once_is_everywhere_before_its_first_certificate() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let mut options = world.options();
    // Nobody finds the new root by looking.
    options.refresh = Duration::from_hours(1);
    options.tuning.settle = Duration::from_secs(1);
    let source = connect(options);
    let watches = (0..4_u64).map(|n| {
        let request = certificate(&mount, &format!("a{n}.example.com"), 6 + 2 * n);
        source.watch(&request, SecretOptions::default())
    });
    let mut watches: Vec<_> = watches.collect();
    let mut replayed = Vec::new();
    for watch in &mut watches {
        replayed.push(timeout(PATIENCE, watch.next()).await.expect("in time").expect("it does not end"));
    }
    pki.root("second root").await.expect("another root");
    let watches = watches.into_iter().zip(replayed);
    until_all_have_changed(
        watches.map(|(watch, first)| futures::stream::iter([first]).chain(watch).boxed()).collect(),
    )
    .await;
}

#[tokio::test]
async fn a_root_that_is_removed_goes_and_its_certificates_are_replaced_at_once() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 3600));
    reader.secret().await;
    let first = pki.issuer().await.expect("the first");
    pki.root("second root").await.expect("another root");
    assert_eq!(roots(&reader.secret().await).len(), 2);
    world.root().delete(&format!("{mount}/issuer/{first}")).await.expect("its end");
    loop {
        let secret = reader.secret().await;
        if issuer(&secret) == "CN=second root" {
            assert_eq!(roots(&secret), ["CN=second root"]);
            break;
        }
    }
}

#[tokio::test]
async fn roots_that_cannot_be_listed_for_once_all_stay() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    pki.root("second root").await.expect("another root");
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 600));
    let before = reader.secret().await;
    assert_eq!(roots(&before).len(), 2);
    world.link.answer(Matcher::path(&format!("/v1/{mount}/issuers")), Answer::status(400), 1);
    source.refresh();
    let error = reader.failure().await;
    assert!(error.message.contains("issuers"), "{error:?}");
    assert_eq!(shown(&reader.secret().await), shown(&before));
}

#[tokio::test]
async fn an_engine_without_an_issuer_or_without_a_mount_is_named() {
    let world = World::new().await;
    let mount = unique("pki");
    let source = world.source();
    let error = Reader::new(&source, &certificate(&mount, "a.example.com", 60)).failure().await;
    assert!(error.message.contains(&mount) && error.hint.is_some(), "{error:?}");
    let pki = world.root().pki(&mount);
    pki.mount().await.expect("an engine");
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 60));
    let error = reader.failure().await;
    assert!(error.message.contains("no issuer yet"), "{error:?}");
    pki.role("biplane", &json!({ "key_type": "any" })).await.expect("a role");
    pki.root("first root").await.expect("a root");
    assert_eq!(roots(&reader.secret().await), ["CN=first root"]);
}
