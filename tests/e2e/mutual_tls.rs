//! Clients that must show a certificate.

use biplane_testkit::{Authority, ClientTls, Identity, Request};

use crate::harness::resources::{route_answering, secret_with, tls_service};
use crate::harness::{Site, Tree};

const NAME: &str = "a.example.com";

async fn site(authority: &Authority, ssl: &str) -> Site {
    let server = secret_with("server", Some(&authority.issue(&[NAME])), Some(authority.certificate()));
    let ssl = format!("secretRef: {{ name: server }}\n{ssl}");
    Tree::with_tls(&[server, tls_service("a", NAME, &ssl, &route_answering("/", "a"))]).site().await
}

async fn is_let_in(site: &Site, authority: &Authority, identity: Option<Identity>) -> bool {
    let tls = ClientTls { identity, ..ClientTls::trusting(authority.certificate()) };
    Request::get(NAME, "/").tls(tls).send(site.port).await.is_ok_and(|answer| answer.status == 200)
}

#[tokio::test]
async fn client_without_a_certificate_of_the_root_is_refused() {
    let (authority, others) = (Authority::new("Ours"), Authority::new("Others"));
    let site = site(&authority, "").await;
    assert!(is_let_in(&site, &authority, Some(authority.issue(&["client"]))).await);
    assert!(!is_let_in(&site, &authority, None).await);
    assert!(!is_let_in(&site, &authority, Some(others.issue(&["client"]))).await);
}

#[tokio::test]
async fn client_must_carry_one_of_the_names_to_verify() {
    let authority = Authority::new("Ours");
    let site = site(&authority, "verifySubjectAltName: ['spiffe://example.com/ada', bob.example.com]").await;
    for (name, let_in) in
        [("spiffe://example.com/ada", true), ("bob.example.com", true), ("spiffe://example.com/eve", false)]
    {
        assert_eq!(is_let_in(&site, &authority, Some(authority.issue(&[name]))).await, let_in, "{name}");
    }
}

#[tokio::test]
async fn one_way_tls_asks_nobody_for_a_certificate() {
    let authority = Authority::new("Ours");
    let site = site(&authority, "oneWayTls: true").await;
    assert!(is_let_in(&site, &authority, None).await);
}
