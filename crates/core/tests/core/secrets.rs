//! No private key ever shows, whatever is wrong with the object that holds it.

use biplane_core::decode::decode;
use biplane_core::document::{IdentifyHint, identify};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;

const CANARY: &str = "c4n4ryKEYmaterial";

#[test]
fn no_finding_and_no_debug_output_shows_a_private_key() {
    let bodies = [
        format!("tls: {{privateKey: \"{CANARY}\", certChain: x}}"),
        format!("tls: {{privateKey: {{a: {CANARY}}}}}"),
        format!("tls: {{privateKey: [{CANARY}]}}"),
        format!("tls: {{privatKey: {CANARY}}}"),
        format!("tls: {CANARY}"),
        format!("tls: [{CANARY}]"),
        format!("tls:\n  privateKey: |\n    -----BEGIN PRIVATE KEY-----\n  {CANARY}+/=\n"),
        format!("tls:\n  privateKey: |\n    x\n  {CANARY} {CANARY}: 1\n  \"{CANARY} {CANARY}\": 2\n"),
        format!("tls:\n  privateKey: '{CANARY}\n"),
        format!(
            "tls:\n  privateKey: -----BEGIN PRIVATE KEY-----\n   {CANARY}=\n   -----END PRIVATE KEY-----\n"
        ),
        format!("tls: {{privateKey: !x {CANARY}}}"),
        format!("tls: {{privateKey: *{CANARY}}}"),
        CANARY.to_owned(),
        format!("header: {{headers: {{'a b': \"{CANARY}\\n\", X-A: {CANARY}, x-a: {CANARY}}}}}"),
        format!("header: {{headers: {{x-a: [{CANARY}], x-b: {{a: {CANARY}}}}}}}"),
        format!("header: {CANARY}"),
        format!(
            "credentials: {{username: 'a:b', password: '{{SHA}}{CANARY}', users: {{'#': '$2y$05${CANARY}'}}}}"
        ),
        format!("credentials: {{pasword: {CANARY}, users: [{CANARY}]}}"),
        format!(
            "apiKey: {{apiKey: '{CANARY}', keys: {{a: '{CANARY}', b: ' {CANARY}', c: 'Bearer {CANARY}'}}}}"
        ),
        format!("aws: {{secretKey: {CANARY}, sessionToken: {{a: {CANARY}}}}}"),
        format!("azure: {{apiKeys: {{'': {CANARY}}}}}\noauth: {{clientSecret: [{CANARY}]}}"),
        format!("encryption: {CANARY}\ngeneric: {{values: [{CANARY}]}}"),
        format!("generic: {{value: {{a: {CANARY}}}}}"),
        format!(
            "tls: {{certChain: \"\", privateKey: \"-----BEGIN PRIVATE KEY-----\\n{CANARY}\\n-----END PRIVATE KEY-----\"}}"
        ),
    ];
    let key = ObjectKey::new(Kind::Secret, "n", "s");
    for body in bodies {
        let text = format!("kind: Secret\nmetadata: {{name: s}}\n{body}\n");
        let decoded = decode(&text, &key, &Location::file("a.yaml", 1));
        assert!(!format!("{decoded:?}").contains(CANARY), "{text}\n{decoded:?}");
        let shown: String = decoded.reports.iter().map(ToString::to_string).collect();
        assert!(!shown.contains(CANARY), "{shown}");
        let identified = identify(&text, &IdentifyHint::default());
        assert!(!format!("{identified:?}").contains(CANARY), "{identified:?}");
    }
}

#[test]
fn a_decoded_secret_prints_no_key() {
    let text = format!(
        "kind: Secret\nmetadata: {{name: s}}\ntls:\n  certChain: |\n    -----BEGIN CERTIFICATE-----\n    QUJD\n    -----END CERTIFICATE-----\n  privateKey: |\n    -----BEGIN PRIVATE KEY-----\n    {CANARY}000\n    -----END PRIVATE KEY-----\n"
    );
    let key = ObjectKey::new(Kind::Secret, "n", "s");
    let decoded = decode(&text, &key, &Location::file("a.yaml", 1));
    assert!(decoded.object.is_some(), "{:?}", decoded.reports);
    assert!(!format!("{decoded:?}").contains(CANARY));
}
