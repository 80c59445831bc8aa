//! TLS towards upstreams: who is trusted, what name is asked for, what certificate is shown.

use biplane_testkit::upstream::{Options, ServerTls};
use biplane_testkit::{Authority, Upstream};

use crate::harness::resources::{secret_with, service_to, upstream_with};
use crate::harness::{HOST, Site, Tree};

const NAME: &str = "secure.example.com";
const BY_SECRET: &str = "sslConfig: { secretRef: { name: trust }, sni: secure.example.com }";

async fn site(server: &Upstream, ssl: &str, trusted: &Authority) -> Site {
    let trust = secret_with("trust", None, Some(trusted.certificate()));
    Site::start(&[upstream_with("secure", &[server], ssl), trust, service_to("secure")]).await
}

#[tokio::test]
async fn server_of_the_trusted_authority_is_asked_by_its_name() {
    let authority = Authority::new("Ours");
    let server = Upstream::start_tls("secure", &authority.issue(&[NAME]));
    let site = site(&server, BY_SECRET, &authority).await;
    let told = site.told(&biplane_testkit::Request::get(HOST, "/")).await;
    assert_eq!(told["tls"]["server_name"], NAME);
}

#[tokio::test]
async fn server_of_another_authority_is_refused_until_the_root_is_its_own() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let server = Upstream::start_tls("secure", &theirs.issue(&[NAME]));
    let site = site(&server, BY_SECRET, &ours).await;
    assert_eq!(site.get("/").await.status, 503);
    assert_eq!(server.requests(), 0);
    let before = site.counts().await;
    let trust = secret_with("trust", None, Some(theirs.certificate()));
    site.replace(&[upstream_with("secure", &[&server], BY_SECRET), trust, service_to("secure")]);
    site.until_upstream("secure").await;
    assert_eq!(site.counts().await, before, "roots go by SDS");
}

#[tokio::test]
async fn server_must_carry_one_of_the_names_to_verify() {
    let authority = Authority::new("Ours");
    let server = Upstream::start_tls("secure", &authority.issue(&[NAME]));
    let with_name = |name: &str| {
        format!("sslConfig: {{ secretRef: {{ name: trust }}, sni: {NAME}, verifySubjectAltName: [{name}] }}")
    };
    let site = site(&server, &with_name("other.example.com"), &authority).await;
    assert_eq!(site.get("/").await.status, 503);
    let trust = secret_with("trust", None, Some(authority.certificate()));
    site.replace(&[upstream_with("secure", &[&server], &with_name(NAME)), trust, service_to("secure")]);
    site.until_upstream("secure").await;
}

#[tokio::test]
async fn certificate_of_the_secret_is_shown_to_a_server_that_asks() {
    let authority = Authority::new("Ours");
    let tls = ServerTls {
        identity: authority.issue(&[NAME]),
        client_authority: Some(authority.certificate().to_owned()),
    };
    let server = Upstream::start_with("secure", Options { tls: Some(tls), ..Options::default() });
    let client = authority.issue(&["spiffe://example.com/envoy"]);
    let both = secret_with("trust", Some(&client), Some(authority.certificate()));
    let site =
        Site::start(&[upstream_with("secure", &[&server], BY_SECRET), both, service_to("secure")]).await;
    let told = site.told(&biplane_testkit::Request::get(HOST, "/")).await;
    assert_eq!(told["tls"]["client_certificate"], true);
}

#[tokio::test]
async fn roots_come_from_files_on_envoys_machine() {
    let authority = Authority::new("Ours");
    let server = Upstream::start_tls("secure", &authority.issue(&[NAME]));
    let tree = Tree::new();
    let root = tree.directory.join("root.pem");
    std::fs::write(&root, authority.certificate()).expect("the test's directory is writable");
    let ssl = format!("sslConfig: {{ sslFiles: {{ rootCa: {} }}, sni: {NAME} }}", root.display());
    tree.files.write("gateway.yaml", &crate::harness::resources::gateway(tree.port));
    let objects = [upstream_with("secure", &[&server], &ssl), service_to("secure")];
    tree.files.write("resources.yaml", &crate::harness::resources::documents(&objects));
    assert_eq!(tree.site().await.get("/").await.upstream(), Some("secure"));
}
