//! What is not fit never replaces what works, and a certificate outlives Vault's bad day.

use biplane_core::resources::secret::{KeyPlace, VaultPki};
use biplane_source::{Cause, SecretRequest, SecretSource as _};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::{Authority, Identity};
use serde_json::json;

use crate::harness::{Reader, World, assert_silent, shown, told};
use crate::pki::{certificate, engine, wanted};

/// What an engine would answer with.
fn issued(identity: &Identity, authority: &Authority) -> Answer {
    let data = json!({
        "certificate": identity.certificate,
        "ca_chain": [authority.certificate()],
        "private_key": identity.key,
    });
    Answer { body: json!({ "data": data }).to_string(), ..Answer::status(200) }
}

#[tokio::test]
async fn a_certificate_that_is_not_fit_never_replaces_one_that_works() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    pki.role("biplane", &json!({ "key_type": "ec" })).await.expect("a role");
    let source = world.source();
    let local = certificate(&mount, "a.example.com", 4);
    let remote =
        SecretRequest::Pki(VaultPki { key: Some(KeyPlace::Vault), ..wanted(&mount, "a.example.com", 4) });
    let stranger = Authority::new("stranger");
    let one = stranger.issue(&["a.example.com"]);
    let other = Identity { key: stranger.issue(&["b"]).key, ..one.clone() };
    let garbage =
        Answer { body: json!({ "data": { "certificate": "canary" } }).to_string(), ..Answer::status(200) };
    for (request, answer, why) in [
        (&local, issued(&one, &stranger), "its key is another one's"),
        (&remote, issued(&one, &stranger), "does not chain"),
        (&remote, issued(&other, &stranger), "its key is another one's"),
        (&local, garbage, "there is none"),
    ] {
        let mut reader = Reader::new(&source, request);
        let before = reader.secret().await;
        for path in ["sign/", "issue/"] {
            world.link.answer(Matcher::path(&format!("/v1/{mount}/{path}")), answer.clone(), ALWAYS);
        }
        let error = reader.failure().await;
        assert!(error.message.contains(why) && error.cause == Cause::Invalid, "{why}: {error:?}");
        assert_silent(&error, "canary");
        world.link.heal();
        let after = reader.secret().await;
        assert!(!after.same_values(&before), "the next one is fit");
    }
    assert!(source.counters().issue_failures >= 4);
}

#[tokio::test]
async fn a_certificate_outlives_vault_and_its_end_is_told() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 5));
    let before = reader.secret().await;
    world.link.cut();
    let mut words = Vec::new();
    while !words.iter().any(|text: &String| text.contains("has ended at")) {
        words.push(reader.failure().await.message);
    }
    assert!(words.iter().any(|text| text.contains("is good until")), "{words:?}");
    assert!(words.len() <= 6, "the same trouble is told once: {words:?}");
    world.link.heal();
    let after = reader.secret().await;
    assert!(after.expires > before.expires);
}

#[tokio::test]
async fn what_the_role_does_not_allow_is_told_in_vaults_words() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let strict =
        json!({ "allow_any_name": false, "allowed_domains": "example.com", "allow_subdomains": true });
    pki.role("biplane", &strict).await.expect("a role");
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.other.com", 60));
    let error = reader.failure().await;
    assert!(error.cause == Cause::Invalid && error.message.contains("not allowed"), "{error:?}");
    pki.role("biplane", &json!({})).await.expect("a role");
    assert!(shown(&reader.secret().await).contains_key("certChain"));
    let unknown = VaultPki { role: "nobody".into(), ..wanted(&mount, "a.example.com", 60) };
    let error = source.read(&SecretRequest::Pki(unknown)).await.expect_err("no such role");
    assert!(told(&error).contains("unknown role"), "{error:?}");
}

#[tokio::test]
async fn names_that_no_certificate_can_have_are_named() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let bad = VaultPki { ip_sans: vec!["10.0.0.300".into()], ..wanted(&mount, "a.example.com", 60) };
    for request in [
        SecretRequest::Pki(bad),
        SecretRequest::Pki(VaultPki { role: String::new(), ..wanted(&mount, "a", 60) }),
        SecretRequest::Pki(VaultPki { role: "a/b".into(), ..wanted(&mount, "a", 60) }),
        certificate(&mount, "", 60),
    ] {
        let error = world.source().read(&request).await.expect_err("no certificate");
        assert!(error.cause == Cause::Invalid && error.hint.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn roots_are_told_while_nothing_is_issued() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 6));
    reader.secret().await;
    let refused = Answer { body: "{}".into(), ..Answer::status(500) };
    world.link.answer(Matcher::path(&format!("/v1/{mount}/sign")), refused, ALWAYS);
    assert!(reader.failure().await.message.contains("it answered 500"));
    pki.root("second root").await.expect("another root");
    let secret = reader.secret().await;
    assert_eq!(crate::pki::roots(&secret).len(), 2, "new roots are told while nothing is issued");
    assert!(reader.failure().await.message.contains("it answered 500"), "and the trouble goes on");
    world.link.heal();
    // The end of the trouble is told as soon as a new one is there, and that one when its root has settled.
    while reader.secret().await.expires <= secret.expires {}
}
