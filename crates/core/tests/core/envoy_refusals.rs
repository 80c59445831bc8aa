//! What Envoy refuses, or falls over, is refused here: one test for each of its rules, each value
//! tried on an Envoy 1.40.

use crate::findings;

fn upstream(fields: &str) -> Vec<String> {
    findings(&format!(
        "kind: Upstream\nmetadata: {{name: u}}\nstatic: {{hosts: [{{addr: 10.0.0.1, port: 80}}]}}\n{fields}\n"
    ))
}

fn service(ssl: &str) -> Vec<String> {
    findings(&format!(
        "kind: VirtualService\nmetadata: {{name: v}}\nsslConfig: {{secretRef: {{name: s}}, {ssl}}}\nvirtualHost:\n  routes:\n  - {{matchers: [{{prefix: /}}], directResponseAction: {{status: 200}}}}\n"
    ))
}

/// TLS settings in both directions get the same number of findings.
fn count_in_both_directions(ssl: &str) -> usize {
    let (towards_upstream, towards_client) = (upstream(&format!("sslConfig: {{{ssl}}}")), service(ssl));
    assert_eq!(towards_upstream.len(), towards_client.len(), "{towards_upstream:#?} {towards_client:#?}");
    towards_client.len()
}

#[test]
fn protocols_of_alpn_have_no_comma_and_fit_into_their_list() {
    for protocols in ["[h2, http/1.1]", "[allow_empty]", "[]"] {
        assert_eq!(count_in_both_directions(&format!("alpnProtocols: {protocols}")), 0, "{protocols}");
    }
    for protocols in ["['h2,']", "[',h2']", "[',']", "['h2,http/1.1']", "['']"] {
        assert_eq!(count_in_both_directions(&format!("alpnProtocols: {protocols}")), 1, "{protocols}");
    }
    let list = |length: usize| format!("alpnProtocols: [{}]", vec!["a".repeat(254); length].join(", "));
    assert_eq!(count_in_both_directions(&list(257)), 0);
    assert_eq!(count_in_both_directions(&list(258)), 1);
}

#[test]
fn further_certificates_are_named_once() {
    assert_eq!(service("additionalSecretRefs: [{name: a}, {name: b, namespace: s}, {name: b}]").len(), 0);
    for names in
        ["[{name: s}]", "[{name: a}, {name: a}]", "[{name: a}, {name: a, namespace: gloo-system}]", "[{}]"]
    {
        assert_eq!(service(&format!("additionalSecretRefs: {names}")).len(), 1, "{names}");
    }
}

#[test]
fn curves_are_listed_once_under_whatever_name() {
    let count = |curves: &str| count_in_both_directions(&format!("parameters: {{ecdhCurves: [{curves}]}}"));
    assert_eq!(count("X25519MLKEM768, X25519, P-256, P-384, P-521"), 0);
    assert_eq!(count("x25519, prime256v1, secp384r1, secp521r1"), 0);
    for curves in [
        "P-256, P-256",
        "P-256, prime256v1",
        "X25519, x25519",
        "P-384, secp384r1",
        "secp521r1, X25519, P-521",
        "p-256",
    ] {
        assert_eq!(count(curves), 1, "{curves}");
    }
}

#[test]
fn cipher_suites_of_equal_preference_stand_in_one_pair_of_brackets() {
    let count = |suite: &str| count_in_both_directions(&format!("parameters: {{cipherSuites: ['{suite}']}}"));
    for suite in [
        "ALL",
        "AES128-SHA",
        "[ALL]",
        "ECDHE+AESGCM",
        "[ECDHE+AES|AES128-SHA]",
        "kRSA+3DES+ALL",
        "[AES128-SHA|AES256-SHA]",
        "[AES128-SHA|ECDHE]",
    ] {
        assert_eq!(count(suite), 0, "{suite}");
    }
    for suite in [
        "[ALL",
        "ALL]",
        "[ECDHE-ECDSA-AES128-GCM-SHA256",
        "AES128-SHA|AES256-SHA",
        "[[AES128-SHA]]",
        "[]",
        "CHACHA20+3DES",
        "AES128-SHA+AES256-SHA",
        "ECDHE+3DES",
        "kECDHE+PSK",
        "ECDHE+",
        "TLSv1.2+CHACHA20+EECDH",
        "-ALL",
    ] {
        assert_eq!(count(suite), 1, "{suite}");
    }
}

#[test]
fn server_names_towards_upstreams_are_hosts() {
    let own = |name: &str| {
        let name = serde_json::to_string(name).expect("a text");
        findings(&format!(
            "kind: Upstream\nmetadata: {{name: u}}\nstatic: {{hosts: [{{addr: 10.0.0.1, port: 80, sniAddr: {name}}}]}}\n"
        ))
    };
    let shared = |name: &str| {
        let name = serde_json::to_string(name).expect("a text");
        upstream(&format!("sslConfig: {{sni: {name}}}"))
    };
    for name in ["", "a.example.com", "10.0.0.1"] {
        assert_eq!((own(name).len(), shared(name).len()), (0, 0), "{name:?}");
    }
    for name in ["a\0b", "a b", "a:443", "*.a", &"a.".repeat(128)] {
        assert_eq!((own(name).len(), shared(name).len()), (1, 1), "{name:?}");
    }
}

#[test]
fn path_of_a_socket_has_no_zero() {
    let pipe = |path: &str| {
        findings(&format!("kind: Upstream\nmetadata: {{name: u}}\npipe: {{path: {path}}}\n")).len()
    };
    assert_eq!(pipe("/run/a.sock"), 0);
    assert_eq!(pipe(r#""/run/a\0b""#), 1);
}
