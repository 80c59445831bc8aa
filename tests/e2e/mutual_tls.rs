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

#[tokio::test]
async fn host_of_a_service_that_verifies_clients_is_not_reached_by_another_server_name() {
    let authority = Authority::new("Ours");
    let open = secret_with("open", Some(&authority.issue(&["open.example.com"])), None);
    let closed = secret_with("closed", Some(&authority.issue(&[NAME])), Some(authority.certificate()));
    let ssl = |secret: &str, name: &str| format!("secretRef: {{ name: {secret} }}\nsniDomains: [{name}]");
    let services = [
        tls_service(
            "open",
            "open.example.com",
            &ssl("open", "open.example.com"),
            &route_answering("/", "open"),
        ),
        tls_service("closed", NAME, &ssl("closed", NAME), &route_answering("/", "closed")),
    ];
    let site = Tree::with_tls(&[&[open, closed][..], &services].concat()).site().await;
    let asked = |identity: Option<Identity>, server_name: &str| {
        let server_name = Some(server_name.to_owned());
        let tls = ClientTls { identity, server_name, ..ClientTls::trusting(authority.certificate()) };
        Request::get(NAME, "/").tls(tls)
    };
    let client = || Some(authority.issue(&["client"]));
    let answer = asked(client(), NAME).send(site.port).await.expect("a verified client gets an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "closed"));
    assert!(asked(None, NAME).send(site.port).await.is_err(), "the handshake asks for a certificate");
    let around = asked(None, "open.example.com").send(site.port).await.expect("that handshake asks for none");
    assert_eq!(around.status, 404);
}
