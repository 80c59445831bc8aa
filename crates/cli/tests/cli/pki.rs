//! Certificates for a start, tokens, and the bootstrap that goes with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use biplane_testkit::envoy;
use serde_json::{Value, json};

use crate::support::{Place, Run};

fn init(place: &Place, more: &[&str]) -> Run {
    let arguments: Vec<_> = ["pki", "init", "pki", "--fleet", "edge"].iter().chain(more).copied().collect();
    place.run(&arguments)
}

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path(name)).expect(name).permissions().mode() & 0o777
}

#[test]
fn what_init_prints_are_the_settings_and_keys_are_for_their_owner() {
    let place = Place::new();
    let made = init(&place, &["--name", "plane.internal"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    for name in ["pki/ca.key", "pki/server.key", "pki/fleet-edge.key"] {
        assert_eq!(mode(&place, name), 0o600, "{name}");
        assert_eq!(mode(&place, &name.replace(".key", ".pem")), 0o644, "{name}");
    }
    assert_eq!(mode(&place, "pki"), 0o700);
    place.write("biplane.yaml", &format!("xds: 0.0.0.0:9977\n{}", made.stdout));
    let shown = place.run(&["config", "show", "-o", "json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("spiffe://biplane/fleet/{fleet}"), "{}", shown.stdout);
}

#[test]
fn nothing_that_is_there_is_overwritten_but_when_asked() {
    let place = Place::new();
    assert_eq!(init(&place, &[]).code, Some(0));
    let read = |name: &str| fs::read_to_string(place.path(name)).expect(name);
    let before = (read("pki/ca.key"), read("pki/fleet-edge.pem"));
    let again = init(&place, &["--fleet", "inside"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(4), ""), "{again:?}");
    assert!(again.stderr.contains("nothing was changed") && again.stderr.contains("hint: "), "{again:?}");
    assert!(!place.path("pki/fleet-inside.pem").exists());

    let issue = |more: &[&str]| {
        place.run(&["pki", "issue", "pki"].iter().chain(more).copied().collect::<Vec<_>>()).code
    };
    assert_eq!(issue(&["--fleet", "inside"]), Some(0));
    assert_eq!(issue(&["--fleet", "edge"]), Some(4));
    assert_eq!(before, (read("pki/ca.key"), read("pki/fleet-edge.pem")));
    assert_eq!(issue(&["--fleet", "edge", "--replace"]), Some(0));
    assert_ne!(before.1, read("pki/fleet-edge.pem"));
    assert_eq!(mode(&place, "pki/fleet-edge.key"), 0o600);
    assert_eq!(issue(&["--fleet", "a/b"]), Some(2));
    assert_eq!(issue(&[]), Some(2));
}

#[test]
fn a_token_is_printed_once_and_its_rule_has_only_its_hash() {
    let place = Place::new();
    let made = place.run(&["envoy", "token", "--fleet", "edge", "--until", "2027-01-31T00:00:00Z"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let token = made.stdout.trim();
    assert!(token.starts_with("biplane_node_") && !made.stderr.contains(token), "{made:?}");
    let rule: Vec<_> = made.stderr.lines().skip(1).map(|line| format!("    {line}")).collect();
    place.write("biplane.yaml", &format!("identity:\n  rules:\n{}\n", rule.join("\n")));
    let shown = place.run(&["config", "show"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
}

#[test]
fn settings_of_identity_that_cannot_work_are_told_with_their_place() {
    let settings = "xdsTlsClientCa: ca.pem\nxdsPlaintext: perhaps\nidentity:\n  rules:\n  - {fleet: edge}\n  - {token: {}, fleet: edge}\n";
    let place = Place::with(&[("biplane.yaml", settings)]);
    let run = place.run(&["config", "show"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    for told in [
        "biplane.yaml:1: xdsTlsClientCa: it is of no use without xdsTlsCert\n",
        "biplane.yaml:2: xdsPlaintext: \"perhaps\" is neither on nor off\n",
        "identity: rules[0]: a rule has exactly one of",
        "rules[1].token: it has exactly one of issuer and sha256",
    ] {
        assert!(run.stderr.contains(told), "{told:?} is not in {}", run.stderr);
    }
}

#[test]
fn the_bootstrap_has_envoy_follow_its_files_and_envoy_accepts_it() {
    let place = Place::new();
    assert_eq!(init(&place, &[]).code, Some(0));
    place.write("edge.token", "token");
    let path = |name: &str| place.path(name).display().to_string();
    let (ca, cert, key) = (path("pki/ca.pem"), path("pki/fleet-edge.pem"), path("pki/fleet-edge.key"));
    let arguments = [
        "envoy",
        "bootstrap",
        "-o",
        "json",
        "--xds",
        "plane.internal:9977",
        "--xds-ca",
        &ca,
        "--xds-cert",
        &cert,
        "--xds-key",
        &key,
        "--xds-token-file",
        "edge.token",
        "--sds-dir",
        "sds",
    ];
    let made = place.run(&arguments);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    envoy::validate(&made.stdout).unwrap_or_else(|error| panic!("{error:#}"));
    let bootstrap: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let context = &bootstrap["static_resources"]["clusters"][0]["transport_socket"]["typed_config"];
    assert_eq!(context["sni"], "plane.internal");
    let matcher = &context["common_tls_context"]["combined_validation_context"]["default_validation_context"];
    let wanted = json!([{ "san_type": "DNS", "matcher": { "exact": "plane.internal" } }]);
    assert_eq!(matcher["match_typed_subject_alt_names"], wanted);
    let written = fs::read_to_string(place.path("sds/xds-token.yaml")).expect("a secret");
    assert!(written.contains(&path("edge.token")) && written.contains("watched_directory"), "{written}");
}

#[test]
fn a_token_is_not_sent_in_the_clear_beyond_this_machine() {
    let place = Place::new();
    let bootstrap = |xds: &str| {
        place.run(&["envoy", "bootstrap", "--xds", xds, "--xds-token-file", "token", "--sds-dir", "sds"])
    };
    let refused = bootstrap("plane.internal:9977");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("in the clear") && refused.stderr.contains("--xds-ca"), "{refused:?}");
    assert!(!place.path("sds").exists());
    assert_eq!(bootstrap("127.0.0.1:9977").code, Some(0));
    let without = place.run(&["envoy", "bootstrap", "--xds-ca", "ca.pem"]);
    assert_eq!(without.code, Some(2), "{without:?}");
}
