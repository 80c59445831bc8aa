//! The service mesh: what speaks for a service, its certificates, and the roots.

use std::time::Duration;

use biplane_consul_catalog::ConnectSecrets;
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{
    Cause, EndpointSource as _, Listing, Secret, SecretOptions, SecretRequest, SecretSource as _,
};
use biplane_testkit::{Consul, TempDir};
use serde_json::json;
use x509_parser::pem::Pem;

use crate::harness::{
    Instance, connect, follow, fresh, next, options, options_with, put, request, shared, until_places,
    until_within, upstream,
};

fn text(secret: &Secret, field: &str) -> String {
    String::from_utf8(secret.fields[field].to_vec()).expect("PEM is text")
}

fn path(path: &str) -> SecretRequest {
    SecretRequest::Path(path.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidecars_and_native_instances_are_the_endpoints_of_a_service_in_the_mesh() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("meshed"));
    let plain = Instance::new(&name, 1);
    plain.register(consul).await;
    let proxy = format!("{name}-sidecar-proxy");
    let sidecar = Instance::new(&proxy, 2)
        .more(json!({ "Kind": "connect-proxy", "Proxy": { "DestinationServiceName": name } }));
    sidecar.register(consul).await;
    for max_watches in [64, 0] {
        let mut options = options(consul.address());
        options.max_watches = max_watches;
        // Consul does not wake who waits for a service of which proxies and native instances speak when one of these goes.
        options.wait = Duration::from_secs(1);
        let source = connect(options);
        let meshed = ConsulUpstream { connect_enabled: Some(true), ..upstream(&name) };
        let mut watch = source.watch(&request(meshed));
        until_places(&mut watch, &[sidecar.at()]).await;
        let native = Instance { id: "native".to_owned(), ..Instance::new(&name, 3) };
        let native = native.more(json!({ "Connect": { "Native": true } }));
        native.register(consul).await;
        until_places(&mut watch, &[sidecar.at(), native.at()]).await;
        native.deregister(consul).await;
        until_places(&mut watch, &[sidecar.at()]).await;
        until_places(&mut follow(&source, &name), &[plain.at()]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_comes_with_its_key_and_the_roots_and_bears_the_services_identity() {
    let server = shared().await;
    let source = connect(options(server.consul.address()));
    let secrets = ConnectSecrets::of(&source);
    let leaf = secrets.read(&path("leaf/edge")).await.expect("a leaf").expect("it is there");
    assert!(leaf.expires.is_some() && text(&leaf, "privateKey").contains("PRIVATE KEY"));
    let chain = text(&leaf, "certChain");
    let pem = Pem::iter_from_buffer(chain.as_bytes()).next().expect("a certificate").expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    let names = certificate.subject_alternative_name().expect("names").expect("there are some");
    let identity = secrets.identity("edge", "dc1").await.expect("an identity");
    assert!(format!("{:?}", names.value).contains(&identity), "{identity}: {:?}", names.value);
    let roots = secrets.read(&path("roots")).await.expect("roots").expect("they are there");
    assert_eq!(text(&roots, "rootCa"), text(&leaf, "rootCa"));
    let printed = format!("{secrets:?} {leaf:?}");
    assert!(!printed.contains("PRIVATE"), "{printed}");
}

/// Agents take up to half a minute to ask for a leaf of a new root, so that not all of them ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_another_root_is_told_before_its_leaves_and_the_old_one_stays() {
    let directory = TempDir::new("catalog-mesh");
    let consul = Consul::builder().mesh(true).start(&directory).await;
    let source = connect(options(consul.address()));
    let secrets = ConnectSecrets::of(&source);
    let mut watch = secrets.watch(&path("leaf/edge"), SecretOptions::default());
    let Listing::Complete(Some(first)) = next(&mut watch).await else { panic!("a leaf is told") };
    let configuration = consul.get("/v1/connect/ca/configuration").await.expect("it").json().expect("JSON");
    let mut other = configuration.clone();
    other["Config"]["PrivateKeyType"] = json!("ec");
    other["Config"]["PrivateKeyBits"] = json!(384);
    put(&consul, "/v1/connect/ca/configuration", &other).await;
    let (chain, roots) = (text(&first, "certChain"), text(&first, "rootCa"));
    let mut known_roots = roots.clone();
    let patience = Duration::from_mins(1);
    let told = until_within(patience, &mut watch, "a leaf of the new root", |told| match told {
        Listing::Complete(Some(secret)) if text(secret, "certChain") == chain => {
            known_roots = text(secret, "rootCa");
            false
        }
        told => matches!(told, Listing::Complete(_)),
    });
    let Listing::Complete(Some(second)) = told.await else { unreachable!("it was looked at") };
    assert!(known_roots.len() > roots.len(), "the new root is told while the old leaf is shown");
    assert!(text(&second, "rootCa").contains(roots.trim()), "the old root is still trusted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mesh_or_the_right_to_a_service_that_is_told() {
    let directory = TempDir::new("catalog-no-mesh");
    let consul = Consul::builder().mesh(true).acl(true).start(&directory).await;
    consul.acl_policy("reader", r#"service_prefix "" { policy = "read" }"#).await.expect("a policy");
    let token = consul.acl_token(&["reader"]).await.expect("a token");
    let secrets = ConnectSecrets::of(&connect(options_with(consul.address(), &token.secret)));
    let error = secrets.read(&path("leaf/edge")).await.expect_err("it has not the right");
    assert_eq!(error.cause, Cause::Denied, "{error:?}");
    assert!(error.hint.expect("advice").contains("write"));
    assert!(!error.message.contains(&token.secret));
    secrets.read(&path("roots")).await.expect("anybody may read the roots");
    let directory = TempDir::new("catalog-none");
    let consul = Consul::start(&directory).await;
    let secrets = ConnectSecrets::of(&connect(options(consul.address())));
    let error = secrets.read(&path("roots")).await.expect_err("there is no mesh");
    assert!(error.hint.is_some_and(|hint| hint.contains("connect")), "{}", error.message);
}
