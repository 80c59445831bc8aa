//! Secrets that are kept elsewhere and have not come yet: only what needs them waits.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;
use biplane_testkit::{Authority, ClientTls, Files, Identity, Request, Upstream, eventually, free_port};

use crate::harness::resources::{
    documents, gateway, object, route_answering, route_to, secret, service, service_at, tls_gateway,
    tls_service, upstream, upstream_with,
};
use crate::harness::{Bootstrap, HOST, PATIENCE, Site, Tree, status};

/// A secret in files of the source's directory.
fn kept(name: &str, form: &str) -> String {
    object("Secret", name, &format!("file: {{ path: {name}, form: {form} }}"))
}

/// A site whose one source of secrets is a directory, and that directory, which does not exist yet.
async fn site(tree: Tree) -> (Site, PathBuf) {
    let secrets = tree.directory.join("secrets");
    let source = format!("file://{}", secrets.display());
    let biplane = tree.biplane_with(&["--secrets", &source]).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    (site, secrets)
}

fn write(files: &Files, name: &str, identity: &Identity) {
    files.write(format!("{name}/tls.key"), &identity.key);
    files.write(format!("{name}/tls.crt"), &identity.certificate);
}

#[tokio::test]
async fn service_whose_certificate_is_not_known_waits_and_its_neighbour_does_not() {
    let authority = Authority::new("Ours");
    let [a, b] = ["a.example.com", "b.example.com"].map(|name| authority.issue(&[name]));
    let of = |name: &str| {
        let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{name}.example.com]");
        tls_service(name, &format!("{name}.example.com"), &ssl, &route_answering("/", name))
    };
    let tree = Tree::new();
    tree.files.write("gateway.yaml", &tls_gateway(tree.port));
    tree.files.write("resources.yaml", &documents(&[secret("a", &a), kept("b", "tls"), of("a"), of("b")]));
    let (site, secrets) = site(tree).await;
    let request = |name: &str| {
        Request::get(&format!("{name}.example.com"), "/").tls(ClientTls::trusting(authority.certificate()))
    };
    assert_eq!(site.ask(&request("a")).await.text(), "a");
    assert!(request("b").send(site.port).await.is_err());
    status::until_report(&site.biplane, "VirtualService gloo-system/b", "not known yet").await;
    write(&Files::new(secrets), "b", &b);
    site.until(&request("b"), |answer| answer.text() == "b").await;
    assert_eq!(site.ask(&request("a")).await.text(), "a");
}

#[tokio::test]
async fn routes_to_an_upstream_whose_root_is_not_known_answer_503_and_others_go_on() {
    let authority = Authority::new("Ours");
    let (open, closed) =
        (Upstream::start("open"), Upstream::start_tls("closed", &authority.issue(&["closed"])));
    let routes = [route_to("/closed", "closed"), route_to("/", "open")].join("\n");
    let (site, secrets) = site(Tree::with(&[
        upstream("open", &open),
        upstream_with("closed", &[&closed], "sslConfig: { secretRef: { name: root }, sni: closed }"),
        kept("root", "tls"),
        service("shop", &routes),
    ]))
    .await;
    assert_eq!(site.get("/").await.upstream(), Some("open"));
    assert_eq!(site.get("/closed").await.status, 503);
    status::until_report(&site.biplane, "Upstream gloo-system/closed", "not known yet").await;
    // What comes later does not wait for the cluster either.
    site.files.write("late.yaml", &service_at("late", "late.example.com", &route_answering("/", "late")));
    site.until(&Request::get("late.example.com", "/"), |answer| answer.text() == "late").await;
    Files::new(secrets).write("root/ca.crt", authority.certificate());
    site.until(&Request::get(HOST, "/closed"), |answer| answer.upstream() == Some("closed")).await;
}

#[tokio::test]
async fn routes_whose_users_and_headers_are_not_known_are_closed_until_they_are() {
    let one = Upstream::start("one");
    let route = |prefix: &str, options: &str| {
        format!(
            "- {{ matchers: [{{ prefix: {prefix} }}], routeAction: {{ single: {{ upstream: {{ name: one }} }} }}, options: {{ {options} }} }}"
        )
    };
    let routes = [
        route("/users", "basicAuth: { secretRef: { name: users } }"),
        route("/keys", "apiKeyAuth: { secretRef: { name: keys } }"),
        route(
            "/headers",
            "headerManipulation: { requestHeadersToAdd: [{ headerSecretRef: { name: headers } }] }",
        ),
        route_to("/", "one"),
    ];
    let (site, secrets) = site(Tree::with(&[
        upstream("one", &one),
        kept("users", "credentials"),
        kept("keys", "apiKey"),
        kept("headers", "header"),
        service("shop", &routes.join("\n")),
    ]))
    .await;
    let basic = Request::get(HOST, "/users").header("authorization", "Basic YWRhOmZpcnN0");
    let key = Request::get(HOST, "/keys").header("x-api-key", "first");
    let header = Request::get(HOST, "/headers");
    for (request, closed) in [(&basic, 401), (&key, 401), (&header, 503)] {
        assert_eq!(site.ask(request).await.status, closed, "{}", request.path);
    }
    assert_eq!(site.get("/").await.status, 200);
    let files = Files::new(secrets);
    // Files end with a line break, which is not part of what they hold.
    files.write("users/ada", "first\n");
    files.write("keys/shop", "first\n");
    files.write("headers/x-key", "of-file\n");
    for request in [&basic, &key] {
        site.until(request, |answer| answer.status == 200).await;
    }
    site.until(&header, |answer| answer.json().is_ok_and(|told| told["headers"]["x-key"] == "of-file")).await;
}

#[tokio::test]
async fn what_an_envoy_has_by_a_secret_stays_though_biplane_comes_back_and_cannot_read_it() {
    let authority = Authority::new("Ours");
    let [a, b, later] =
        ["a.example.com", "b.example.com", "b.example.com"].map(|name| authority.issue(&[name]));
    let closed = Upstream::start_tls("closed", &authority.issue(&["closed"]));
    let of = |name: &str, route: &str| {
        let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{name}.example.com]");
        tls_service(name, &format!("{name}.example.com"), &ssl, route)
    };
    let (tree, plain) = (Tree::new(), free_port());
    tree.files.write("gateway.yaml", &tls_gateway(tree.port));
    tree.files.write("plain.yaml", &gateway(plain));
    let write_objects = |files: &Files, answer: &str| {
        let upstream =
            upstream_with("closed", &[&closed], "sslConfig: { secretRef: { name: root }, sni: closed }");
        let services = [of("a", &route_answering("/", answer)), of("b", &route_to("/", "closed"))];
        let others = [secret("a", &a), kept("b", "tls"), kept("root", "tls"), upstream];
        let plain = [service("plain", &route_answering("/", answer))];
        let all: Vec<_> = services.into_iter().chain(others).chain(plain).collect();
        files.write("resources.yaml", &documents(&all));
    };
    write_objects(&tree.files, "before");
    let (mut site, secrets) = site(tree).await;
    let request = |name: &str| {
        Request::get(&format!("{name}.example.com"), "/").tls(ClientTls::trusting(authority.certificate()))
    };
    let files = Files::new(secrets.clone());
    write(&files, "b", &b);
    files.write("root/ca.crt", authority.certificate());
    site.until(&request("b"), |answer| answer.upstream() == Some("closed")).await;
    site.in_sync().await;
    // Nothing of it is on disk, and the directory cannot be read.
    site.biplane.stop().await;
    fs::remove_dir_all(site.biplane.state()).expect("it was there");
    let away = secrets.with_extension("away");
    fs::rename(&secrets, &away).expect("a directory");
    let before = site.counts().await;
    write_objects(&site.files, "after");
    site.biplane.start_again().await;
    eventually("the other gateway's new routes", PATIENCE, async || {
        let answer = Request::get(HOST, "/").send(plain).await?;
        ensure!(answer.text() == "after", "{}", answer.text());
        Ok(())
    })
    .await;
    assert_eq!(site.ask(&request("b")).await.upstream(), Some("closed"));
    assert_eq!(site.counts().await, before);
    fs::rename(&away, &secrets).expect("a directory");
    write(&files, "b", &later);
    site.until(&request("b"), |answer| answer.certificate == Some(later.der())).await;
    assert_eq!(site.ask(&request("b")).await.upstream(), Some("closed"));
    site.until(&request("a"), |answer| answer.text() == "after").await;
    assert_eq!(site.counts().await, before, "no listener and no cluster is new");
}
