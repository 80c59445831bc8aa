//! The door as a whole: what is refused at the start, and what becomes of those who were let in.

use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biplane_source::{FixedKeys, FixedSecrets, Secret, SecretRequest};
use biplane_tls::TlsFiles;
use biplane_xds::{Caller, Doorkeeper as _, Membership, Pass, Refusal};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _, SanType,
};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use zeroize::Zeroizing;

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

    /// The server's certificate, its key and its authority, as sources have them.
    fn fields(&self) -> [(String, Zeroizing<Vec<u8>>); 3] {
        [("certChain", "cert.pem"), ("privateKey", "key.pem"), ("rootCa", "ca.pem")].map(|(name, file)| {
            (name.to_owned(), Zeroizing::new(std::fs::read(self.at(file)).expect("there")))
        })
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

#[test]
fn a_file_without_rules_is_refused_since_it_would_shut_everybody_out() {
    let site = Site::new();
    for text in ["", "# later\n", "rules: []\n", "issuers: {}\n"] {
        site.write("rules.yaml", text);
        let access = NodeAccess { rules: Rules::File(site.at("rules.yaml")), ..NodeAccess::default() };
        assert!(refused(&access, "127.0.0.1:1").contains("it has no rules"), "{text:?}");
    }
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

    site.write("rules.yaml", "rules: [{ certificate: { uri: 'spiffe://t/fleet/inside' }, fleet: inside }]");
    until(&gate, &shown, Err("spiffe://t/fleet/edge")).await;
    site.write("rules.yaml", "rules: [nonsense]");
    site.write("rules.yaml", &by_fleet().to_string());
    until(&gate, &shown, Ok("edge")).await;
    site.write("ca.pem", &Site::new().authority.pem());
    until(&gate, &shown, Err("certificate")).await;
    shutdown.cancel();
    running.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_certificate_of_a_secret_is_awaited_and_kept_when_it_cannot_be_read() {
    let site = Site::new();
    let request = SecretRequest::Path("xds".to_owned());
    let secret = TlsSecret { source: "fixed".to_owned(), request: request.clone(), clients: true };
    let access = NodeAccess { tls: Some(NodeTls::Secret(secret)), ..NodeAccess::default() };
    let door = Door::open(&access, "127.0.0.1:1".parse().expect("an address")).expect("a door");
    let tls = door.tls.clone().expect("TLS");
    assert!(tls.current().is_none(), "no connection before there is a certificate");
    let (source, shutdown) = (Arc::new(FixedSecrets::new()), CancellationToken::new());
    let running = tokio::spawn(door.run(None, vec![source.clone()], shutdown.clone()));
    let mut changes = tls.changes();
    source.set(request.clone(), Secret::new(site.fields().into()));
    changes.changed().await.expect("open");
    let shown = tls.current().expect("a certificate");
    tls.verify(&site.client("spiffe://t/fleet/edge"), rustls::pki_types::UnixTime::now())
        .expect("its authority");

    // Half of a secret and a source that cannot be read change nothing; the next whole one does.
    source.set(request.clone(), Secret::new(site.fields().into_iter().skip(1).collect()));
    source.fail(Some(SourceError::new("sealed")));
    source.fail(None);
    source.set(request, Secret::new(Site::new().fields().into()));
    changes.changed().await.expect("open");
    assert!(!Arc::ptr_eq(&shown, &tls.current().expect("the next one")));
    assert_eq!(*changes.borrow(), 2, "one change for each that was whole");
    shutdown.cancel();
    running.await.expect("no panic").expect("no error");
}

/// Runs a door whose certificate is a secret of `source`, with a state directory.
async fn with_secret(
    request: &SecretRequest,
    source: &Arc<FixedSecrets>,
    state: &Path,
    judge: impl AsyncFnOnce(&ServerTls, Troubles),
) {
    let secret = TlsSecret { source: "fixed".to_owned(), request: request.clone(), clients: true };
    let access = NodeAccess { tls: Some(NodeTls::Secret(secret)), ..NodeAccess::default() };
    let door = Door::open(&access, "127.0.0.1:1".parse().expect("an address")).expect("a door");
    door.keep_certificate_in(Arc::new(
        SnapshotDirectory::open(state, "file:///a", None).expect("a directory"),
    ));
    let (tls, troubles, shutdown) =
        (door.tls.clone().expect("TLS"), door.troubles(), CancellationToken::new());
    let running = door.run(None, vec![source.clone()], shutdown.clone());
    let judging = async {
        judge(&tls, troubles).await;
        shutdown.cancel();
    };
    tokio::join!(running, judging).0.expect("no error");
}

#[tokio::test]
async fn a_certificate_of_a_secret_is_shown_by_the_next_run_while_its_source_is_away() {
    let (site, state) = (Site::new(), tempfile::tempdir().expect("a directory"));
    let client = site.client("spiffe://t/fleet/edge");
    let vouched = |tls: &ServerTls| tls.verify(&client, rustls::pki_types::UnixTime::now()).is_ok();
    let request = SecretRequest::Path("xds".to_owned());
    let there = Arc::new(FixedSecrets::new());
    there.set(request.clone(), Secret::new(site.fields().into()));
    with_secret(&request, &there, state.path(), async |tls, troubles| {
        tls.changes().wait_for(|changes| *changes == 1).await.expect("open");
        // A secret that does not work is told, and the next run does not hear of it.
        there.set(request.clone(), Secret::new(site.fields().into_iter().skip(1).collect()));
        until_told(&troubles, "lacks").await;
    })
    .await;

    let away = Arc::new(FixedSecrets::new());
    away.fail(Some(SourceError::new("sealed")));
    with_secret(&request, &away, state.path(), async |tls, troubles| {
        until_told(&troubles, "sealed").await;
        assert!(vouched(tls), "that of the last run, with its authority");
        away.fail(None);
        away.set(request.clone(), Secret::new(Site::new().fields().into()));
        tls.changes().wait_for(|changes| *changes == 2).await.expect("open");
        assert!(!vouched(tls), "the newest counts");
    })
    .await;

    // The answer to another question is of no use.
    away.fail(Some(SourceError::new("sealed")));
    let other = SecretRequest::Path("other".to_owned());
    with_secret(&other, &away, state.path(), async |tls, troubles| {
        until_told(&troubles, "sealed").await;
        assert!(tls.current().is_none());
    })
    .await;
}

/// Judges a caller each time the gate says that something has changed, until it is a member of a fleet, or is refused
/// for a reason.
async fn until(gate: &Gate, shown: &Arc<[CertificateDer<'static>]>, wanted: Result<&str, &str>) {
    let mut changes = gate.changes();
    loop {
        let judged = gate.admit(caller(shown.clone(), None)).await;
        match (&judged, wanted) {
            (Ok(_), Ok(name)) if fleet(&judged) == Some(name) => return,
            (Err(refusal), Err(word)) if refusal.reason.contains(word) => return,
            _ => {}
        }
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), changes.changed()).await;
        told.unwrap_or_else(|_| panic!("not {wanted:?} in time, but {judged:?}")).expect("open");
    }
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

fn published(signers: &[&Signer]) -> Vec<u8> {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

fn jobs() -> Value {
    json!({
        "issuers": { "nomad": { "jwks": "fixed", "audience": "biplane" } },
        "rules": [{ "token": { "issuer": "nomad", "claims": { "nomad_job_id": "envoy" } }, "fleet": "edge" }],
    })
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_new_key_has_the_keys_read_and_bad_ones_do_not_keep_the_place_busy() {
    let (old, new, foreign) = (Signer::new("1"), Signer::new("2"), Signer::new("3"));
    let access = NodeAccess { rules: rules(jobs()), ..NodeAccess::default() };
    let door = Door::open(&access, "127.0.0.1:1".parse().expect("an address")).expect("a door");
    let (gate, shutdown) = (door.gate.clone(), CancellationToken::new());
    let keys = Arc::new(FixedKeys::default());
    let source: Arc<dyn KeySource> = keys.clone();
    let open = OpenKeys(Arc::new(move |_| Ok(source.clone())));
    let running = tokio::spawn(door.run(Some(open), Vec::new(), shutdown.clone()));
    let admit = async |signer: &Signer| gate.admit(caller(Arc::new([]), Some(&signer.token()))).await;

    // The first attempt to read them fails.
    keys.until_fetched(1).await;
    let refusal = admit(&old).await.expect_err("keys were never read");
    assert!(refusal.may_come_again, "{refusal}");
    keys.set(Some(published(&[&old])));
    // It tries again by itself.
    keys.until_fetched(keys.fetches() + 1).await;
    assert_eq!(fleet(&admit(&old).await), Some("edge"));

    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    keys.set(Some(published(&[&old, &new])));
    assert_eq!(fleet(&admit(&new).await), Some("edge"), "it is asked at once");
    let asked = keys.fetches();
    for _ in 0..10 {
        assert!(!admit(&foreign).await.expect_err("nobody's key").may_come_again);
    }
    assert!(keys.fetches() <= asked + 1, "{} times", keys.fetches() - asked);

    keys.set(None);
    keys.until_fetched(keys.fetches() + 3).await;
    assert_eq!(fleet(&admit(&old).await), Some("edge"), "keys that were read stay");
    shutdown.cancel();
    running.await.expect("no panic").expect("no error");
}

/// Runs a door for the tokens of an issuer whose keys `source` has.
async fn with_issuer(source: &Arc<FixedKeys>, state: &Path, judge: impl AsyncFnOnce(Gate, Troubles)) {
    let access = NodeAccess { rules: rules(jobs()), ..NodeAccess::default() };
    let door = Door::open(&access, "127.0.0.1:1".parse().expect("an address")).expect("a door");
    door.keep_keys_in(state);
    let (gate, troubles, shutdown) = ((*door.gate).clone(), door.troubles(), CancellationToken::new());
    let source: Arc<dyn KeySource> = source.clone();
    let open = OpenKeys(Arc::new(move |_| Ok(source.clone())));
    let running = door.run(Some(open), Vec::new(), shutdown.clone());
    let judging = async {
        judge(gate, troubles).await;
        shutdown.cancel();
    };
    tokio::join!(running, judging).0.expect("no error");
}

async fn until_told(troubles: &Troubles, words: &str) {
    let told = async {
        while !troubles.reports().iter().any(|report| report.message.contains(words)) {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(20), told).await;
    in_time.unwrap_or_else(|_| panic!("not {words:?}, but {:?}", troubles.reports()));
}

#[tokio::test]
async fn keys_of_an_earlier_run_let_nodes_in_while_the_issuer_is_away_and_that_is_told() {
    let (signer, state) = (Signer::new("1"), tempfile::tempdir().expect("a directory"));
    let token = Some(signer.token());
    let caller = || caller(Arc::new([]), token.as_deref());
    let away = Arc::new(FixedKeys::default());
    with_issuer(&away, state.path(), async |gate, troubles| {
        assert!(gate.admit(caller()).await.expect_err("keys were never read").may_come_again);
        until_told(&troubles, "no token of it is taken").await;
    })
    .await;

    let there = Arc::new(FixedKeys::default());
    there.set(Some(published(&[&signer])));
    with_issuer(&there, state.path(), async |gate, troubles| {
        assert_eq!(fleet(&gate.admit(caller()).await), Some("edge"));
        assert_eq!(troubles.reports(), []);
        // They are written behind that.
        let file = state.path().join("issuer-keys.json");
        let written = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), written).await.expect("written");
    })
    .await;

    with_issuer(&away, state.path(), async |gate, troubles| {
        assert_eq!(fleet(&gate.admit(caller()).await), Some("edge"));
        until_told(&troubles, "those of an earlier run are in use until").await;
    })
    .await;
}
