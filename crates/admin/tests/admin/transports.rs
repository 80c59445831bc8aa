//! Socket files and TLS.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use biplane_admin::{Access, AccessOptions, Listener, TlsOptions};
use biplane_admin_api::client::{Address, ClientOptions, Identity, Token};
use biplane_admin_api::resources::{ApplyRequest, Filter};
use biplane_admin_api::{Client, ProblemKind, Resources};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::plane::Plane;
use crate::raw;
use crate::server::{Server, Tokens};

fn over_socket(path: &Path) -> Client {
    Client::open(ClientOptions::new(Address::Unix(path.to_owned()))).expect("no files to read")
}

async fn with_socket(path: &Path) -> Server {
    let listener = Listener::unix(path).await.expect("room");
    let tokens = Tokens::new();
    Server::listening(Plane::default(), &tokens.access(), vec![listener]).await
}

#[tokio::test]
async fn whoever_may_open_the_socket_file_may_write_and_is_known_by_its_user() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("admin.sock");
    let server = with_socket(&path).await;
    let metadata = std::fs::metadata(&path).expect("there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    let client = over_socket(&path);
    client.status().await.expect("a status");
    client.list(&Filter::default()).await.expect("listed");
    client.accept(crate::plane::SOURCE, None, "ann").await.expect("accepted");
    assert_eq!(server.shelf.author(), format!("uid:{} (ann)", metadata.uid()));
    let mut events = client.watch(&Filter::default()).await.expect("watching");
    futures::StreamExt::next(&mut events).await.expect("open").expect("listed");
}

#[tokio::test]
async fn the_name_that_is_asked_for_over_a_socket_file_does_not_matter() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("admin.sock");
    let _server = with_socket(&path).await;
    let stream = UnixStream::connect(&path).await.expect("somebody listens");
    let answer =
        raw::exchange(stream, &raw::request("GET", "/v1/status", &[("Host", "plane.example")], "")).await;
    assert_eq!(answer.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_socket_file_goes_with_its_server_and_one_left_behind_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("admin.sock");
    let server = with_socket(&path).await;
    server.shutdown.cancel();
    server.task.await.expect("no panic").expect("no error");
    assert!(!path.exists());
    // As a process that was killed leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("room"));
    assert!(path.exists());
    let _server = with_socket(&path).await;
    over_socket(&path).status().await.expect("a status");
}

#[tokio::test]
async fn a_socket_on_which_somebody_listens_and_a_file_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("admin.sock");
    let _server = with_socket(&path).await;
    let error = Listener::unix(&path).await.expect_err("taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    over_socket(&path).status().await.expect("still served");
    let file = directory.path().join("file");
    std::fs::write(&file, "precious").expect("written");
    assert!(Listener::unix(&file).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).expect("there"), "precious");
}

#[tokio::test]
async fn nobody_listening_is_told_with_advice() {
    let directory = tempfile::tempdir().expect("a directory");
    let client = over_socket(&directory.path().join("none.sock"));
    let problem = client.list(&Filter::default()).await.expect_err("nobody");
    assert_eq!(problem.kind, ProblemKind::Unavailable);
    assert!(problem.message.contains("none.sock") && problem.hint.is_some(), "{problem:?}");
}

/// An authority, a server's certificate for loopback, and a client's.
struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let certificates = Self { directory };
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("randomness");
        let authority = CertifiedIssuer::self_signed(params, key).expect("signed");
        certificates.write("ca.pem", &authority.pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().expect("randomness");
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &authority).expect("signed");
            certificates.write(&format!("{name}.pem"), &certificate.pem());
            certificates.write(&format!("{name}.key"), &key.serialize_pem());
        }
        certificates
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn options(&self, client_ca: bool) -> TlsOptions {
        let client_ca = client_ca.then(|| self.path("ca.pem"));
        TlsOptions { cert: self.path("server.pem"), key: self.path("server.key"), client_ca }
    }

    fn client(&self, server: &Server, token: Option<&str>, identity: bool) -> Client {
        let address = format!("https://{}", server.address).parse().expect("an address");
        let identity = identity
            .then(|| Identity { cert_file: self.path("client.pem"), key_file: self.path("client.key") });
        let token = token.map(Token::text);
        let options = ClientOptions { address, token, ca_file: Some(self.path("ca.pem")), identity };
        Client::open(options).expect("readable")
    }
}

async fn with_tls(certificates: &Certificates, tokens: &Tokens, client_ca: bool) -> Server {
    let access = AccessOptions { tls: Some(certificates.options(client_ca)), ..tokens.access() };
    Server::start(Plane::default(), &access).await
}

#[tokio::test]
async fn tls_carries_the_api_and_a_watch() {
    let (certificates, tokens) = (Certificates::new(), Tokens::new());
    let server = with_tls(&certificates, &tokens, false).await;
    let client = certificates.client(&server, Some(&tokens.writer), false);
    client.apply(&ApplyRequest::default()).await.expect("applied");
    let mut events = client.watch(&Filter::default()).await.expect("watching");
    futures::StreamExt::next(&mut events).await.expect("open").expect("listed");
    let plain = server.send(&raw::request("GET", "/live", &[], "")).await;
    assert!(plain.is_none(), "{plain:?}");
}

#[tokio::test]
async fn a_client_trusts_only_the_authority_that_it_was_given() {
    let (certificates, others, tokens) = (Certificates::new(), Certificates::new(), Tokens::new());
    let server = with_tls(&certificates, &tokens, false).await;
    let client = others.client(&server, Some(&tokens.reader), false);
    let problem = client.list(&Filter::default()).await.expect_err("not trusted");
    assert_eq!(problem.kind, ProblemKind::Unavailable);
    assert!(problem.message.contains("certificate"), "{problem}");
}

#[tokio::test]
async fn with_an_authority_for_clients_a_certificate_is_needed_and_a_token_too() {
    let (certificates, tokens) = (Certificates::new(), Tokens::new());
    let server = with_tls(&certificates, &tokens, true).await;
    let without = certificates.client(&server, Some(&tokens.reader), false);
    assert!(without.list(&Filter::default()).await.is_err());
    let tokenless = certificates.client(&server, None, true);
    let problem = tokenless.list(&Filter::default()).await.expect_err("no token");
    assert_eq!(problem.kind, ProblemKind::Unauthenticated);
    certificates.client(&server, Some(&tokens.reader), true).list(&Filter::default()).await.expect("both");
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let certificates = Certificates::new();
    certificates.write("server.pem", "nothing");
    let options = AccessOptions { tls: Some(certificates.options(false)), ..AccessOptions::default() };
    let error = Access::open(&options).expect_err("no certificate").to_string();
    assert!(error.contains("server.pem"), "{error}");
}

#[tokio::test]
async fn beyond_loopback_tls_and_tokens_together_are_enough() {
    let (certificates, tokens) = (Certificates::new(), Tokens::new());
    let options = AccessOptions { tls: Some(certificates.options(false)), ..tokens.access() };
    let access = Access::open(&options).expect("readable");
    biplane_admin::check_address(([0, 0, 0, 0], 9978).into(), &access).expect("both are there");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_from_then_on_and_open_connections_stay() {
    let (certificates, next, tokens) = (Certificates::new(), Certificates::new(), Tokens::new());
    let server = with_tls(&certificates, &tokens, false).await;
    let client = certificates.client(&server, Some(&tokens.writer), false);
    let mut events = client.watch(&Filter::default()).await.expect("watching");
    futures::StreamExt::next(&mut events).await.expect("open").expect("listed");

    certificates.write("server.key", "half of a pair");
    client.list(&Filter::default()).await.expect("the last pair that worked is still shown");
    for name in ["server.pem", "server.key"] {
        std::fs::copy(next.path(name), certificates.path(name)).expect("copied");
    }
    assert!(client.list(&Filter::default()).await.is_err(), "the certificate is another authority's now");
    let trusting = next.client(&server, Some(&tokens.writer), false);
    trusting.apply(&ApplyRequest::default()).await.expect("whoever trusts that one is answered");
    let waiting = futures::StreamExt::next(&mut events);
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(100), waiting).await;
    assert!(quiet.is_err(), "the connection that was open stays open: {quiet:?}");
}
