//! Whether the server is verified.

use serde_json::{Value, json};

use crate::resource::{EnvoyName, EnvoyType, Output};
use crate::route::testing::{Objects, name_of, parsed, reference};
use crate::upstream::translate;

/// An upstream with these TLS settings.
fn translated(ssl: &Value, objects: &Objects) -> Output {
    let hosts = json!({ "hosts": [{ "addr": "127.0.0.1", "port": 8443 }] });
    let upstream = parsed(json!({ "static": hosts, "sslConfig": ssl }));
    translate(&name_of("u"), &upstream, objects)
}

/// The Envoy secrets that its cluster works by.
fn secrets(ssl: &Value, objects: &Objects) -> Vec<String> {
    let resources = translated(ssl, objects).resources;
    let cluster = resources.iter().find(|resource| resource.name.kind == EnvoyType::Cluster);
    let is_secret = |name: &&EnvoyName| name.kind == EnvoyType::Secret;
    let references = cluster.expect("an upstream has a cluster").references.iter().filter(is_secret);
    references.map(|name| name.name.to_string()).collect()
}

#[test]
fn secret_that_goes_missing_leaves_the_server_verified() {
    let ssl = json!({ "secretRef": reference("s") });
    let there = Objects::default().secret("s", &["rootCa"]);
    assert_eq!(secrets(&ssl, &there), ["default/s/validation"]);
    assert_eq!(secrets(&ssl, &Objects::default()), ["default/s/validation"]);
}

#[test]
fn names_to_verify_are_kept_while_the_secret_is_missing() {
    let ssl = json!({ "secretRef": reference("s"), "verifySubjectAltName": ["api.example.com"] });
    assert_eq!(secrets(&ssl, &Objects::default()), ["default/s/validation"]);
}

#[test]
fn one_way_tls_verifies_no_server_also_while_the_secret_is_missing() {
    let ssl = json!({ "secretRef": reference("s"), "oneWayTls": true });
    let there = Objects::default().secret("s", &["certChain", "privateKey", "rootCa"]);
    assert_eq!(secrets(&ssl, &there), ["default/s/certificate"]);
    assert_eq!(secrets(&ssl, &Objects::default()), ["default/s/certificate"]);
}

#[test]
fn upstream_whose_secret_is_not_known_yet_has_no_cluster_and_says_so() {
    for ssl in
        [json!({ "secretRef": reference("s") }), json!({ "secretRef": reference("s"), "oneWayTls": true })]
    {
        let output = translated(&ssl, &Objects::default().unknown_secret("s"));
        assert!(output.resources.is_empty());
        let unknown = output.unknown.iter().map(|unknown| (unknown.name.to_string(), &*unknown.references));
        let secrets = ["default/s/certificate", "default/s/validation"];
        let secrets = secrets.map(|name| EnvoyName::new(EnvoyType::Secret, name));
        let endpoints = EnvoyName::new(EnvoyType::Endpoint, "u_default");
        let references: Vec<_> = [endpoints].into_iter().chain(secrets).collect();
        let expected =
            [("Cluster u_default".to_owned(), &*references), ("Endpoint u_default".to_owned(), &[])];
        assert_eq!(unknown.collect::<Vec<_>>(), expected);
        let [report] = output.reports.as_slice() else { panic!("{:?}", output.reports) };
        assert_eq!(
            report.to_string(),
            "warning: Upstream default/u: sslConfig.secretRef: secret default/s is not known yet: there is no cluster \
             until it is (hint: it comes as soon as its source answers)"
        );
    }
}
