//! Rules as people write them: what is wrong is told with its place, and nothing that is left lets anybody in.

use biplane_identity::{Caller, Fleet, Identity, KeySets, Proof, Refusal, Rules};
use serde_json::json;

use super::{NOW, faults, rules};

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let faults = faults(json!({
        "issuers": { "nomad": { "jwks": "", "audience": [] } },
        "rules": [
            { "fleet": "edge" },
            { "certificate": {}, "fleet": "edge" },
            { "certificate": { "uri": "spiffe://t/{fleet" }, "fleet": "edge" },
            { "certificate": { "uri": "spiffe://t/{fleet}" }, "fleet": "{flet}" },
            { "certificate": { "uri": "spiffe://t/*" } },
            { "certificate": { "uri": "spiffe://t/*" }, "fleet": "edge", "nodeMetadata": "trust" },
            { "token": { "issuer": "nomat", "claims": { "a": "b" } }, "fleet": "edge" },
            { "token": { "issuer": "nomad" }, "fleet": "edge" },
            { "token": {}, "fleet": "edge" },
        ],
    }));
    let places = [
        "issuers.nomad.audience: ",
        "issuers.nomad.jwks: ",
        "rules[0]: ",
        "rules[1].certificate: ",
        "rules[2].certificate.uri: ",
        "rules[3].fleet: nothing in this rule captures {flet}",
        "rules[4].fleet: it is missing",
        "rules[5].nodeMetadata: ",
        "rules[6].token.issuer: there is no issuer \"nomat\"; the issuers are: nomad",
        "rules[7].token.claims: ",
        "rules[8].token: ",
    ];
    assert_eq!(faults.len(), places.len(), "{faults:#?}");
    for (fault, place) in faults.iter().zip(places) {
        assert!(fault.starts_with(place), "{fault} begins with {place}");
    }
}

#[test]
fn a_field_that_nobody_knows_is_an_error() {
    let rule = json!({ "rules": [{ "certificat": { "uri": "x" }, "fleet": "edge" }] });
    assert!(serde_json::from_value::<Identity>(rule).is_err());
}

#[test]
fn without_rules_nobody_is_let_in() {
    let caller = Caller { loopback: true, ..Caller::default() };
    assert_eq!(Rules::default().judge(caller, &KeySets::new(), NOW), Err(Refusal::Nothing));
}

#[test]
fn loopback_is_for_those_who_show_nothing_there() {
    let rules = rules(json!({ "rules": [{ "loopback": true, "nodeMetadata": "trust" }] }));
    let judge = |caller| rules.judge(caller, &KeySets::new(), NOW).map(|member| (member.fleet, member.by));
    let here = Caller { loopback: true, ..Caller::default() };
    assert_eq!(judge(here), Ok((Fleet::Claimed, Proof::Loopback)));
    assert!(judge(Caller::default()).is_err());
    let bad = Caller { loopback: true, token: Some("expired"), ..Caller::default() };
    assert!(judge(bad).is_err(), "whoever shows a token is its holder or nobody");
}

#[test]
fn rules_say_what_they_need() {
    let certificates = rules(json!({ "rules": [{ "certificate": { "dns": "a" }, "fleet": "edge" }] }));
    assert!(certificates.use_certificates() && !certificates.admit_without_certificate());
    let loopback = rules(json!({ "rules": [{ "loopback": true, "fleet": "edge" }] }));
    assert!(!loopback.use_certificates() && loopback.admit_without_certificate() && !loopback.use_tokens());
}
