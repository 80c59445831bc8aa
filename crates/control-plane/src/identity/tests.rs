//! The door as a whole: what is refused at the start, and what becomes of those who were let in.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biplane_source::FixedKeys;
use biplane_tls::TlsFiles;
use biplane_xds::{Caller, Doorkeeper as _, Membership, Pass, Refusal};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _, SanType,
};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const BEYOND: &str = "0.0.0.0:9977";

fn refused(access: &NodeAccess, address: &str) -> String {
    let door = Door::open(access, address.parse().expect("an address"));
    format!("{:#}", door.expect_err("refused"))
}

fn rules(json: Value) -> Rules {
    Rules::Inline(serde_json::from_value(json).expect("the shape of rules"))
}

fn by_fleet() -> Value {
    json!({ "rules": [{ "certificate": { "uri": "spiffe://t/fleet/{fleet}" }, "fleet": "{fleet}" }] })
}

/// An authority, and files that it has signed.
struct Site {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Site {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("randomness");
        let authority = CertifiedIssuer::self_signed(params, key).expect("signed");
        let site = Self { directory: tempfile::tempdir().expect("a directory"), authority };
        let key = KeyPair::generate().expect("randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &site.authority).expect("signed");
        site.write("cert.pem", &certificate.pem());
        site.write("key.pem", &key.serialize_pem());
        site.write("ca.pem", &site.authority.pem());
        site
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.at("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, self.at(name)).expect("renamed");
    }

    fn tls(&self) -> NodeTls {
        let client_ca = Some(self.at("ca.pem"));
        NodeTls::Files(TlsFiles { cert: self.at("cert.pem"), key: self.at("key.pem"), client_ca })
    }

    fn client(&self, uri: &str) -> Arc<[CertificateDer<'static>]> {
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
        [params.signed_by(&key, &self.authority).expect("signed").der().clone()].into()
    }
}

fn caller(certificates: Arc<[CertificateDer<'static>]>, token: Option<&str>) -> Arc<Caller> {
    let remote = "10.0.0.1:1".parse().expect("an address");
    Arc::new(Caller { remote, certificates, token: token.map(str::to_owned) })
}

fn fleet(pass: &Result<Pass, Refusal>) -> Option<&str> {
    match pass.as_ref().ok()?.membership {
        Membership::Proven { ref fleet, .. } => Some(fleet),
        Membership::Claimed => None,
    }
}

#[test]
fn an_address_beyond_loopback_takes_tls_and_rules_or_settings_that_say_otherwise() {
    let open = NodeAccess::default();
    assert!(refused(&open, BEYOND).contains("hint: set xdsTlsCert"));
    let plain = NodeAccess { plaintext: true, ..NodeAccess::default() };
    assert!(refused(&plain, BEYOND).contains("hint: set identity"));
    let trusting = NodeAccess { trust_node_metadata: true, ..plain.clone() };
    for (access, address) in [(&open, "127.0.0.1:1"), (&open, "[::1]:1"), (&trusting, BEYOND)] {
        Door::open(access, address.parse().expect("an address")).expect(address);
    }
    let ruled = NodeAccess { rules: rules(by_fleet()), trust_node_metadata: true, ..plain };
    assert!(refused(&ruled, BEYOND).contains("xdsTlsClientCa"));
}

#[test]
fn what_can_never_work_is_an_error_at_the_start() {
    let site = Site::new();
    let both = NodeAccess {
        tls: Some(site.tls()),
        rules: rules(by_fleet()),
        trust_node_metadata: true,
        ..NodeAccess::default()
    };
    assert!(refused(&both, BEYOND).contains("exclude each other"));
    site.write("key.pem", "canary");
    let broken = NodeAccess { tls: Some(site.tls()), ..NodeAccess::default() };
    let error = refused(&broken, "127.0.0.1:1");
    assert!(error.contains("key.pem") && !error.contains("canary"), "{error}");
    site.write("rules.yaml", "rules:\n- certificate: { uri: x }\n  flet: edge\n");
    let file = NodeAccess { rules: Rules::File(site.at("rules.yaml")), ..NodeAccess::default() };
    let error = refused(&file, "127.0.0.1:1");
    assert!(error.contains("rules.yaml: line 3") && error.contains("flet"), "{error}");
}

#[tokio::test]
async fn whoever_loses_its_rule_or_its_authority_is_refused_and_told_of() {
    let site = Site::new();
    site.write("rules.yaml", &by_fleet().to_string());
    let access = NodeAccess {
        tls: Some(site.tls()),
        rules: Rules::File(site.at("rules.yaml")),
        ..NodeAccess::default()
    };
    let door = Door::open(&access, BEYOND.parse().expect("an address")).expect("a door");
    let (gate, shutdown) = (door.gate.clone(), CancellationToken::new());
    let running = tokio::spawn(door.run(None, Vec::new(), shutdown.clone()));
    let shown = site.client("spiffe://t/fleet/edge");
    let admit = async || gate.admit(caller(shown.clone(), None)).await;
    assert_eq!(fleet(&admit().await), Some("edge"));
    assert!(gate.admit(caller(Arc::new([]), None)).await.is_err(), "nobody without a certificate");

    let mut changes = gate.changes();
    site.write("rules.yaml", "rules: [{ certificate: { uri: 'spiffe://t/fleet/inside' }, fleet: inside }]");
    changes.changed().await.expect("open");
    assert!(admit().await.expect_err("no rule").reason.contains("spiffe://t/fleet/edge"));
    site.write("rules.yaml", "rules: [nonsense]");
    site.write("rules.yaml", &by_fleet().to_string());
    changes.changed().await.expect("open");
    assert_eq!(fleet(&admit().await), Some("edge"));

    site.write("ca.pem", &Site::new().authority.pem());
    changes.changed().await.expect("open");
    assert!(admit().await.expect_err("another authority").reason.contains("certificate"));
    shutdown.cancel();
    running.await.expect("no panic").expect("no error");
}

/// An issuer's key, and tokens of it.
struct Signer {
    id: &'static str,
    pair: KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        Self { id, pair: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("randomness") }
    }

    fn jwk(&self) -> Value {
        let (point, text) = (self.pair.der_bytes(), |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "x": text(&point[1..33]), "y": text(&point[33..]) })
    }

    fn token(&self) -> String {
        let header = jsonwebtoken::Header {
            kid: Some(self.id.to_owned()),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256)
        };
        let end = timestamp(SystemTime::now()) + 600;
        let claims = json!({ "aud": "biplane", "exp": end, "nomad_job_id": "envoy" });
        let key = jsonwebtoken::EncodingKey::from_ec_der(&self.pair.serialize_der());
        jsonwebtoken::encode(&header, &claims, &key).expect("a token")
    }
}

fn timestamp(time: SystemTime) -> i64 {
    crate::status::timestamp(time).0
}

fn published(signers: &[&Signer]) -> Option<Vec<u8>> {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    Some(json!({ "keys": keys }).to_string().into_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_new_key_has_the_keys_read_and_bad_ones_do_not_keep_the_place_busy() {
    let (old, new, foreign) = (Signer::new("1"), Signer::new("2"), Signer::new("3"));
    let access = NodeAccess {
        rules: rules(json!({
            "issuers": { "nomad": { "jwks": "fixed", "audience": "biplane" } },
            "rules": [{ "token": { "issuer": "nomad", "claims": { "nomad_job_id": "envoy" } }, "fleet": "edge" }],
        })),
        ..NodeAccess::default()
    };
    let door = Door::open(&access, "127.0.0.1:1".parse().expect("an address")).expect("a door");
    let (gate, shutdown) = (door.gate.clone(), CancellationToken::new());
    let keys = Arc::new(FixedKeys::default());
    let source: Arc<dyn KeySource> = keys.clone();
    let open = OpenKeys(Arc::new(move |_| Ok(source.clone())));
    let running = tokio::spawn(door.run(Some(open), Vec::new(), shutdown.clone()));
    let admit = async |signer: &Signer| gate.admit(caller(Arc::new([]), Some(&signer.token()))).await;

    let refusal = admit(&old).await.expect_err("keys were never read");
    assert!(refusal.may_come_again, "{refusal}");
    keys.set(published(&[&old]));
    let mut changes = gate.changes();
    changes.changed().await.expect("it tries again by itself");
    assert_eq!(fleet(&admit(&old).await), Some("edge"));

    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    keys.set(published(&[&old, &new]));
    assert_eq!(fleet(&admit(&new).await), Some("edge"), "it is asked at once");
    let asked = keys.fetches();
    for _ in 0..10 {
        assert!(!admit(&foreign).await.expect_err("nobody's key").may_come_again);
    }
    assert!(keys.fetches() <= asked + 1, "{} times", keys.fetches() - asked);

    keys.set(None);
    tokio::time::sleep(std::time::Duration::from_secs(900)).await;
    assert_eq!(fleet(&admit(&old).await), Some("edge"), "keys that were read stay");
    shutdown.cancel();
    running.await.expect("no panic").expect("no error");
}
