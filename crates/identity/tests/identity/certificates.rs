//! Names in certificates, and fleets that are made of them.

use biplane_identity::{Fleet, NodeCertificate, Proof, Refusal};
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::json;

use super::{fleet, rules, with_certificate};

fn certificate(uris: &[&str], dns: &[&str]) -> NodeCertificate {
    let mut params = CertificateParams::new(dns.iter().map(ToString::to_string).collect::<Vec<_>>())
        .expect("names of hosts");
    params.subject_alt_names.extend(uris.iter().map(|&uri| SanType::URI(uri.try_into().expect("ASCII"))));
    params.distinguished_name.push(rcgen::DnType::CommonName, "other");
    let key = KeyPair::generate().expect("randomness");
    NodeCertificate::from_der(params.self_signed(&key).expect("a certificate").der()).expect("it is one")
}

#[test]
fn a_fleet_is_the_part_of_a_spiffe_id_that_a_rule_names() {
    let rules = rules(json!({ "rules": [
        { "certificate": { "uri": "spiffe://example.org/fleet/{fleet}" }, "fleet": "{fleet}" },
    ] }));
    let certificate = certificate(&["spiffe://example.org/fleet/edge"], &[]);
    let member = with_certificate(&rules, &certificate).expect("a member");
    assert_eq!((member.fleet, member.node), (fleet("edge"), None));
    assert_eq!((&*member.who, member.by), ("spiffe://example.org/fleet/edge", Proof::Certificate));
    assert_eq!(member.until, Some(certificate.not_after));
}

#[test]
fn the_subject_of_a_certificate_proves_nothing() {
    let rules = rules(json!({ "rules": [{ "certificate": { "dns": "other" }, "fleet": "edge" }] }));
    let refusal = with_certificate(&rules, &certificate(&[], &["node"])).expect_err("nobody");
    assert_eq!(refusal, Refusal::NoRule { who: "node".to_owned() });
}

#[test]
fn a_certificate_of_two_fleets_is_of_none() {
    let rules = rules(json!({ "rules": [
        { "certificate": { "uri": "spiffe://example.org/fleet/{fleet}" }, "fleet": "{fleet}" },
    ] }));
    let uris = ["spiffe://example.org/fleet/edge", "spiffe://example.org/fleet/inside"];
    assert!(with_certificate(&rules, &certificate(&uris, &[])).is_err());
    let twice = ["spiffe://example.org/fleet/edge", "spiffe://example.org/node/1"];
    assert!(with_certificate(&rules, &certificate(&twice, &[])).is_ok(), "another name does no harm");
}

#[test]
fn the_first_rule_that_matches_counts() {
    let rules = rules(json!({ "rules": [
        { "certificate": { "dns": "node-1.example.org" }, "fleet": "special", "nodeMetadata": "ignore" },
        { "certificate": { "dns": "*.example.org" }, "fleet": "edge" },
    ] }));
    let special = Fleet::Proven { name: "special".to_owned(), checked: false };
    let judged = |name| with_certificate(&rules, &certificate(&[], &[name])).map(|member| member.fleet);
    assert_eq!(judged("node-1.example.org"), Ok(special));
    assert_eq!(judged("Node-2.Example.org"), Ok(fleet("edge")));
    assert!(judged("example.org").is_err());
}

#[test]
fn all_names_that_a_rule_asks_for_must_match_and_agree() {
    let rules = rules(json!({ "rules": [{
        "certificate": { "uri": "spiffe://t/{fleet}/{node}", "dns": "{node}.example.org" },
        "fleet": "{fleet}",
        "node": "{node}",
    }] }));
    let member = with_certificate(&rules, &certificate(&["spiffe://t/edge/n1"], &["n1.example.org"]));
    assert_eq!(member.expect("a member").node.as_deref(), Some("n1"));
    assert!(with_certificate(&rules, &certificate(&["spiffe://t/edge/n1"], &["n2.example.org"])).is_err());
    assert!(with_certificate(&rules, &certificate(&["spiffe://t/edge/n1"], &[])).is_err());
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd_to_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = NodeCertificate::from_der(&bytes);
    }
}
