//! TLS termination: certificates by server name, from `Secret` objects and from files, and their rotation.

use biplane_testkit::{Authority, ClientTls, Files, Identity, Request, Response, free_port};

use crate::harness::resources::{
    documents, gateway, route_answering, secret, service_at, tls_gateway, tls_service,
};
use crate::harness::{Site, Tree, status};

/// A service for one name, its certificate in the `Secret` of the same name.
fn by_secret(name: &str, domain: &str) -> String {
    let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{domain}]");
    tls_service(name, domain, &ssl, &route_answering("/", name))
}

fn request(authority: &Authority, domain: &str) -> Request {
    Request::get(domain, "/").tls(ClientTls::trusting(authority.certificate()))
}

fn shows(answer: &Response, identity: &Identity) -> bool {
    answer.certificate == Some(identity.der())
}

#[tokio::test]
async fn server_name_picks_the_certificate() {
    let authority = Authority::new("Ours");
    let [a, b] = ["a.example.com", "b.example.com"].map(|name| authority.issue(&[name]));
    let site = Tree::with_tls(&[
        secret("a", &a),
        secret("b", &b),
        by_secret("a", "a.example.com"),
        by_secret("b", "b.example.com"),
    ])
    .site()
    .await;
    for (domain, name, identity) in [("a.example.com", "a", &a), ("b.example.com", "b", &b)] {
        let answer = site.ask(&request(&authority, domain)).await;
        assert_eq!(answer.text(), name);
        assert!(shows(&answer, identity), "the certificate of {domain}");
        assert_eq!(site.ask(&request(&authority, domain).http2()).await.text(), name, "h2 by ALPN");
    }
    let mut stranger = request(&authority, "a.example.com");
    stranger.tls.as_mut().expect("TLS").server_name = Some("c.example.com".into());
    assert!(stranger.send(site.port).await.is_err(), "no certificate for a name that nobody serves");
}

#[tokio::test]
async fn new_certificate_in_a_secret_is_served_and_touches_no_listener() {
    let authority = Authority::new("Ours");
    let [first, second] = [0, 1].map(|_| authority.issue(&["a.example.com"]));
    let site = Tree::with_tls(&[secret("a", &first), by_secret("a", "a.example.com")]).site().await;
    let request = request(&authority, "a.example.com");
    assert!(shows(&site.ask(&request).await, &first));
    let before = site.counts().await;
    site.replace(&[secret("a", &second), by_secret("a", "a.example.com")]);
    site.until(&request, |answer| shows(answer, &second)).await;
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn new_certificate_in_files_is_served_and_touches_no_listener() {
    let authority = Authority::new("Ours");
    let [first, second] = [0, 1].map(|_| authority.issue(&["a.example.com"]));
    let tree = Tree::new();
    let certificates = Files::new(tree.directory.join("certificates"));
    let write = |identity: &Identity| {
        certificates.write("a.key", &identity.key);
        certificates.write("a.crt", &identity.certificate);
    };
    write(&first);
    let (certificate, key) = (certificates.path("a.crt"), certificates.path("a.key"));
    let ssl = format!("sslFiles: {{ tlsCert: {}, tlsKey: {} }}", certificate.display(), key.display());
    let service = tls_service("a", "a.example.com", &ssl, &route_answering("/", "a"));
    tree.files.write("gateway.yaml", &tls_gateway(tree.port));
    tree.files.write("resources.yaml", &documents(&[service]));
    let site = tree.site().await;
    let request = request(&authority, "a.example.com");
    assert!(shows(&site.ask(&request).await, &first));
    let before = site.counts().await;
    write(&second);
    site.until(&request, |answer| shows(answer, &second)).await;
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn services_with_tls_are_for_tls_gateways_only() {
    let authority = Authority::new("Ours");
    let a = authority.issue(&["a.example.com"]);
    let tree = Tree::with_tls(&[
        secret("a", &a),
        by_secret("a", "a.example.com"),
        service_at("plain", "a.example.com", &route_answering("/", "plain")),
    ]);
    let plain = free_port();
    tree.files.write("plain.yaml", &gateway(plain));
    let site = tree.site().await;
    crate::harness::ports_open(&[plain]).await;
    assert_eq!(site.ask(&request(&authority, "a.example.com")).await.text(), "a");
    let answer = Request::get("a.example.com", "/").send(plain).await.expect("an answer");
    assert_eq!(answer.text(), "plain");
}

#[tokio::test]
async fn missing_secret_costs_only_its_own_server_name() {
    let authority = Authority::new("Ours");
    let [a, b] = ["a.example.com", "b.example.com"].map(|name| authority.issue(&[name]));
    let objects = [secret("a", &a), by_secret("a", "a.example.com"), by_secret("b", "b.example.com")];
    let site = Tree::with_tls(&objects).site().await;
    assert_eq!(site.ask(&request(&authority, "a.example.com")).await.text(), "a");
    assert!(request(&authority, "b.example.com").send(site.port).await.is_err());
    status::until_report(&site.biplane, "VirtualService gloo-system/b", "does not exist").await;
    site.files.write("b.yaml", &secret("b", &b));
    site.until(&request(&authority, "b.example.com"), |answer| shows(answer, &b)).await;
    // Only now it is known that the secret has no root: until then its clients would have been asked for
    // certificates, so the listener changed. The other server name does not notice.
    assert_eq!(site.ask(&request(&authority, "a.example.com")).await.text(), "a");
}

#[tokio::test]
async fn key_that_does_not_fit_its_certificate_is_reported_and_the_old_pair_is_served() {
    let authority = Authority::new("Ours");
    let [first, second] = [0, 1].map(|_| authority.issue(&["a.example.com"]));
    let site = Tree::with_tls(&[secret("a", &first), by_secret("a", "a.example.com")]).site().await;
    let mixed = Identity { certificate: second.certificate.clone(), key: first.key.clone() };
    site.replace(&[secret("a", &mixed), by_secret("a", "a.example.com")]);
    // By Biplane, or by what Envoy said when it refused it.
    let is_told = |status: &serde_json::Value| {
        [&status["reports"], &status["nodes"]]
            .iter()
            .any(|part| part.to_string().contains("Secret gloo-system/a"))
    };
    status::until(&site.biplane, "a word about the secret", is_told).await;
    let request = request(&authority, "a.example.com");
    assert!(shows(&site.ask(&request).await, &first));
    site.replace(&[secret("a", &second), by_secret("a", "a.example.com")]);
    site.until(&request, |answer| shows(answer, &second)).await;
    site.in_sync().await;
}

#[tokio::test]
async fn key_material_is_in_no_status_log_or_metric() {
    let authority = Authority::new("Ours");
    let a = authority.issue(&["a.example.com"]);
    let mut site: Site = Tree::with_tls(&[secret("a", &a), by_secret("a", "a.example.com")]).site().await;
    assert_eq!(site.ask(&request(&authority, "a.example.com")).await.text(), "a");
    let secret_line = a.key.lines().nth(1).expect("a PEM has lines");
    for page in ["/v1/status", "/metrics", "/"] {
        let page = site.biplane.get(page).await.expect("a page").text();
        assert!(!page.contains(secret_line));
    }
    assert!(!site.biplane.process().log().contains(secret_line));
}
