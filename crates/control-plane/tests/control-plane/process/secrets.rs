//! Secrets that are kept elsewhere, in a process with a source that does what the test says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use biplane_admin_api::status::{GateState, SecretState, SecretStatus};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::secret::VaultKv;
use biplane_source::{FixedSecrets, Secret, SecretRequest, SourceError};
use biplane_store::{Batch, MemoryStore, Precondition, Store as _};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::*;

const GATEWAY: &str = "{bindPort: 8443, ssl: true, httpGateway: {}}\n";
const SERVICE: &str = "{sslConfig: {secretRef: {name: web, namespace: default}},\n\
    virtualHost: {domains: ['*'], routes: [{matchers: [{prefix: /}], directResponseAction: {status: 200}}]}}\n";
const SECRET: &str = "{vault: {source: fixed, kv: {path: web}}}\n";

fn request() -> SecretRequest {
    SecretRequest::Kv(VaultKv { path: "web".to_owned(), ..VaultKv::default() })
}

fn pair() -> Secret {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    secret(cert.pem(), &signing_key)
}

/// A certificate for `b.example` whose life begins then.
fn pair_from(begin: SystemTime) -> Secret {
    let mut params = CertificateParams::new(["b.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + begin.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let key = KeyPair::generate().unwrap();
    secret(params.self_signed(&key).unwrap().pem(), &key)
}

fn secret(chain: String, key: &KeyPair) -> Secret {
    let value = |name: &str, text: String| (name.to_owned(), Zeroizing::new(text.into_bytes()));
    Secret::new(BTreeMap::from([value("tls.crt", chain), value("tls.key", key.serialize_pem())]))
}

/// A listener by TLS whose certificate the source keeps.
async fn store() -> MemoryStore {
    let store = MemoryStore::new("secrets");
    let mut batch = Batch::new();
    for (kind, name, text) in [
        (Kind::Gateway, "edge", GATEWAY),
        (Kind::VirtualService, "vs", SERVICE),
        (Kind::Secret, "web", SECRET),
    ] {
        batch = batch.put(ObjectKey::new(kind, "default", name), text.to_owned(), Precondition::Any);
    }
    store.commit(batch).await.unwrap();
    store
}

async fn start(source: &FixedSecrets, state: Option<&Path>) -> Process {
    start_on(Arc::new(store().await), source, state).await
}

async fn start_on(store: Arc<MemoryStore>, source: &FixedSecrets, state: Option<&Path>) -> Process {
    let server = Server::bind(settings(state), store, Arc::new(Nothing)).await.unwrap();
    let server = server.with_secrets(vec![Arc::new(source.clone())]);
    let (shutdown, client) = (CancellationToken::new(), Client::new(server.admin));
    Process { client, task: tokio::spawn(server.run(shutdown.clone())), shutdown }
}

impl Process {
    async fn secret(&self) -> SecretStatus {
        let secrets = self.client.secrets().await.unwrap();
        let [secret] = &secrets[..] else { panic!("{secrets:?}") };
        secret.clone()
    }

    async fn until_secret(&self, state: SecretState) -> SecretStatus {
        let began = Instant::now();
        loop {
            let secret = self.secret().await;
            if secret.state == state {
                return secret;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "waited for {state:?}: {secret:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many Envoy secrets the only fleet has.
    async fn served(&self) -> u64 {
        let status = self.client.status().await.unwrap();
        status.fleets.iter().map(|fleet| fleet.secrets).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_answers_wait_for_a_source_that_has_not_answered_and_have_its_secret() {
    let source = FixedSecrets::new();
    source.fall_silent(true);
    let process = start(&source, None).await;
    let status = process.until("the gate", |status| status.gate.state == GateState::Waiting).await;
    process.until("the source", |status| status.gate.waiting_for == ["fixed"]).await;
    assert!(!status.ready);
    source.set(request(), pair());
    source.fall_silent(false);
    process.until("serving", |status| status.ready && status.gate.state == GateState::Open).await;
    assert_eq!(process.served().await, 1);
    let secret = process.until_secret(SecretState::Known).await;
    assert_eq!((secret.form.as_str(), &secret.names[..]), ("tls", &["a.example".to_owned()][..]));
    assert_eq!(secret.users, ["Gateway default/edge", "VirtualService default/vs"]);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_while_the_source_is_down_serves_what_was_known_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let source = FixedSecrets::new();
    source.set(request(), pair());
    let process = start(&source, Some(directory.path())).await;
    process.until_secret(SecretState::Known).await;
    process.stop().await;
    source.fail(Some(SourceError::new("it is sealed").hint("unseal it")));
    let process = start(&source, Some(directory.path())).await;
    process.until("serving", |status| status.ready).await;
    assert_eq!(process.served().await, 1);
    let secret = process.until_secret(SecretState::Failed).await;
    assert_eq!(secret.last_error.as_deref(), Some("it is sealed"));
    let status = process.until("the source", |status| status.sources[1].state == SourceState::Failed).await;
    assert!(status.problems.iter().any(|problem| problem.contains("it is sealed")), "{:?}", status.problems);
    // What it says once it is back is taken over.
    source.set(request(), pair());
    source.fail(None);
    let secret = process.until_secret(SecretState::Known).await;
    assert_eq!(secret.last_error, None);
    let metrics = String::from_utf8(process.client.get("/metrics").await.unwrap().body.to_vec()).unwrap();
    for metric in [
        "biplane_secrets{source=\"fixed\",state=\"known\"} 1",
        "biplane_secret_expiry_timestamp_seconds{namespace=\"default\",name=\"web\"} ",
    ] {
        assert!(metrics.contains(metric), "{metric} in {metrics}");
    }
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_after_an_edit_to_a_place_that_has_nothing_serves_what_was_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let (store, source) = (Arc::new(store().await), FixedSecrets::new());
    source.set(request(), pair());
    let process = start_on(store.clone(), &source, Some(directory.path())).await;
    process.until_secret(SecretState::Known).await;
    let key = ObjectKey::new(Kind::Secret, "default", "web");
    let elsewhere = SECRET.replace("path: web", "path: elsewhere");
    store.commit(Batch::new().put(key, elsewhere, Precondition::Any)).await.unwrap();
    process.until_secret(SecretState::Absent).await;
    process.stop().await;
    let process = start_on(store, &source, Some(directory.path())).await;
    process.until_secret(SecretState::Absent).await;
    process.until("serving", |status| status.ready).await;
    assert_eq!((process.served().await, &process.secret().await.form[..]), (1, "tls"));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn required_source_that_fails_holds_first_answers_and_another_does_not() {
    for required in [true, false] {
        let source = if required { FixedSecrets::new().as_required() } else { FixedSecrets::new() };
        source.fail(Some(SourceError::new("it is sealed")));
        let process = start(&source, None).await;
        process.until_secret(SecretState::Failed).await;
        if required {
            let status = process.client.status().await.unwrap();
            assert!(!status.ready && status.gate.waiting_for == ["fixed"], "{:?}", status.gate);
            source.set(request(), pair());
            source.fail(None);
        }
        process.until("serving", |status| status.ready).await;
        assert_eq!(process.served().await, u64::from(required));
        process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_is_asked_again_at_an_operator_s_word_and_an_unknown_one_is_named() {
    let source = FixedSecrets::new();
    source.set(request(), pair());
    let process = start(&source, None).await;
    process.until_secret(SecretState::Known).await;
    let before = source.refreshes();
    process.client.refresh("fixed").await.unwrap();
    assert_eq!(source.refreshes(), before + 1);
    let problem = process.client.refresh("fixd").await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert!(problem.hint.unwrap().contains("fixed"));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_is_taken_when_its_life_begins_though_nothing_else_happens() {
    let source = FixedSecrets::new();
    source.set(request(), pair());
    let process = start(&source, None).await;
    process.until_secret(SecretState::Known).await;
    // Five minutes early count as its life.
    source.set(request(), pair_from(SystemTime::now() + Duration::from_secs(303)));
    let waiting = process.until_secret(SecretState::Unfit).await;
    let error = waiting.last_error.unwrap();
    assert!(error.contains("not valid before") && error.contains("taken then"), "{error}");
    assert_eq!(waiting.names, ["a.example"]);
    assert_eq!(process.until_secret(SecretState::Known).await.names, ["b.example"]);
    process.stop().await;
}
