//! Tokens that an issuer has signed, and tokens of Biplane's own.

use biplane_core::scalars::Timestamp;
use biplane_identity::{IssuedToken, KeySet, KeySets, Proof, Refusal, Rules};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::signing::{Signer, published};
use super::{NOW, fleet, rules, with_token};

/// Jobs named `envoy-FLEET` are nodes of their fleets.
fn nomad() -> Rules {
    rules(json!({
        "issuers": { "nomad": { "jwks": "unused", "audience": "biplane", "issuer": "https://nomad.test" } },
        "rules": [{
            "token": { "issuer": "nomad", "claims": { "nomad_job_id": "envoy-{fleet}", "nomad_namespace": "default" } },
            "fleet": "{fleet}",
        }],
    }))
}

fn claims() -> Value {
    json!({
        "aud": "biplane", "iss": "https://nomad.test", "sub": "global:default:envoy-edge:group:envoy:biplane",
        "iat": NOW.0 - 60, "nbf": NOW.0 - 60, "exp": NOW.0 + 600,
        "nomad_job_id": "envoy-edge", "nomad_namespace": "default",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_token_of_a_job_is_a_node_of_the_fleet_that_the_job_is_named_after() {
    let signer = Signer::new("1");
    let member =
        with_token(&nomad(), &signer.sign(&claims()), &published(&[&signer]), NOW).expect("a member");
    assert_eq!(member.fleet, fleet("edge"));
    let who = "nomad:global:default:envoy-edge:group:envoy:biplane";
    assert_eq!((&*member.who, member.by), (who, Proof::Token));
    assert_eq!(member.until, Some(Timestamp(NOW.0 + 630)), "its end, and how far clocks may differ");
}

#[test]
fn a_token_that_is_for_others_or_from_others_or_not_good_now_is_refused() {
    let signer = Signer::new("1");
    for (claims, word) in [
        (with("aud", json!("vault")), "aud"),
        (with("aud", Value::Null), "aud"),
        (with("iss", json!("https://other")), "iss"),
        (with("iss", Value::Null), "iss"),
        (with("exp", json!(NOW.0 - 31)), "expired"),
        (with("exp", Value::Null), "no end"),
        (with("exp", json!("tomorrow")), "no number"),
        (with("nbf", json!(NOW.0 + 31)), "not good yet"),
    ] {
        let refusal =
            with_token(&nomad(), &signer.sign(&claims), &published(&[&signer]), NOW).expect_err("refused");
        assert!(matches!(&refusal, Refusal::Token(why) if why.contains(word)), "{claims}: {refusal}");
    }
}

#[test]
fn clocks_may_differ_a_little() {
    let signer = Signer::new("1");
    for claims in [with("exp", json!(NOW.0 - 29)), with("nbf", json!(NOW.0 + 30))] {
        assert!(with_token(&nomad(), &signer.sign(&claims), &published(&[&signer]), NOW).is_ok(), "{claims}");
    }
}

#[test]
fn a_token_of_another_job_is_genuine_and_lets_nobody_in() {
    let signer = Signer::new("1");
    for claims in [with("nomad_job_id", json!("batch")), with("nomad_namespace", json!("team"))] {
        let refusal =
            with_token(&nomad(), &signer.sign(&claims), &published(&[&signer]), NOW).expect_err("nobody");
        assert!(matches!(refusal, Refusal::NoRule { .. }), "{refusal}");
    }
}

#[test]
fn a_token_never_chooses_its_algorithm() {
    let signer = Signer::new("1");
    let none = format!(
        "eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.{}.",
        signer.sign(&claims()).split('.').nth(1).expect("claims")
    );
    for token in [signer.confuse(&claims()), none] {
        let refusal = with_token(&nomad(), &token, &published(&[&signer]), NOW).expect_err("refused");
        assert!(matches!(refusal, Refusal::Token(_)), "{refusal}");
    }
}

#[test]
fn a_token_of_somebody_else_who_calls_his_key_the_same_is_refused() {
    let (ours, theirs) = (Signer::new("1"), Signer::new("1"));
    let refusal =
        with_token(&nomad(), &theirs.sign(&claims()), &published(&[&ours]), NOW).expect_err("refused");
    assert!(matches!(&refusal, Refusal::Token(why) if why.contains("signature")), "{refusal}");
}

#[test]
fn a_new_key_is_asked_for_and_the_old_one_stays_good_while_it_is_published() {
    let (old, new) = (Signer::new("1"), Signer::new("2"));
    let unknown = with_token(&nomad(), &new.sign(&claims()), &published(&[&old]), NOW).expect_err("not yet");
    assert_eq!(unknown, Refusal::UnknownKey { issuer: "nomad".to_owned() });
    for signer in [&old, &new] {
        assert!(with_token(&nomad(), &signer.sign(&claims()), &published(&[&old, &new]), NOW).is_ok());
    }
    let unread = with_token(&nomad(), &new.sign(&claims()), &KeySets::new(), NOW).expect_err("not yet");
    assert_eq!(unread, Refusal::KeysUnread { issuer: "nomad".to_owned() });
}

#[test]
fn a_token_without_an_end_takes_a_setting() {
    let signer = Signer::new("1");
    let mut claims = claims();
    claims.as_object_mut().expect("claims").remove("exp");
    let token = signer.sign(&claims);
    assert!(with_token(&nomad(), &token, &published(&[&signer]), NOW).is_err());
    let unlimited = rules(json!({
        "issuers": { "nomad": { "jwks": "unused", "audience": ["other", "biplane"], "unlimited": true } },
        "rules": [{ "token": { "issuer": "nomad", "claims": { "nomad_job_id": "*" } }, "fleet": "edge" }],
    }));
    let member = with_token(&unlimited, &token, &published(&[&signer]), NOW).expect("a member");
    assert_eq!(member.until, None);
}

#[test]
fn keys_that_are_none_cost_only_themselves_and_a_set_without_any_is_an_error() {
    let signer = Signer::new("1");
    let odd = [
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "1" }),
        json!({ "kty": "new" }),
        json!({ "kty": "EC", "crv": "P-256", "use": "enc", "x": "AA", "y": "AA" }),
        json!("key"),
    ];
    let set = |keys: Vec<Value>| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    assert!(set(odd.to_vec()).is_err() && set(vec![]).is_err() && KeySet::parse(b"<html>").is_err());
    let mixed = set([&odd[..], &[signer.jwk()]].concat()).expect("one is a key");
    let keys = KeySets::from([("nomad".to_owned(), mixed)]);
    assert!(with_token(&nomad(), &signer.sign(&claims()), &keys, NOW).is_ok());
}

#[test]
fn a_token_of_biplanes_own_is_known_by_its_hash_until_it_ends() {
    let made = IssuedToken::generate().expect("randomness");
    let rules = rules(json!({ "rules": [{
        "token": { "sha256": made.sha256.to_string(), "until": "2026-12-01T00:00:00Z" },
        "fleet": "edge",
    }] }));
    let keys = KeySets::new();
    assert_eq!(with_token(&rules, &made.token, &keys, NOW).expect("a member").fleet, fleet("edge"));
    let later = Timestamp(NOW.0 + 86_400);
    for (token, now) in [("x", NOW), (made.token.as_str(), later), (&made.sha256.to_string(), NOW)] {
        assert!(matches!(with_token(&rules, token, &keys, now), Err(Refusal::Token(_))));
    }
}

proptest! {
    #[test]
    fn no_token_is_too_odd_to_be_judged(token in "\\PC{0,60}|[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}") {
        prop_assert!(with_token(&nomad(), &token, &KeySets::new(), NOW).is_err());
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_refused(at in 0_usize..1000, to in "[A-Za-z0-9_-]") {
        let signer = Signer::new("1");
        let token = signer.sign(&claims());
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = to.as_bytes()[0];
        let changed = String::from_utf8(bytes).expect("ASCII");
        // The last digit of a part has bits that say nothing.
        let says_nothing = changed == token || token[at + 1..].starts_with('.') || at + 1 == token.len();
        prop_assume!(!says_nothing && !token[at..].starts_with('.'));
        prop_assert!(with_token(&nomad(), &changed, &published(&[&signer]), NOW).is_err());
    }
}
