//! What the graph says of things that exist though nobody knows yet what is in them.

use biplane_control_plane::graph::{Edit, Graph};
use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_xds::Change;

const FLEET: &str = "gateway-proxy";
const GATEWAY: &str = "bindAddress: 127.0.0.1\nbindPort: 8443\nssl: true\nhttpGateway: {}\n";
/// Decoding does not look further.
const KNOWN: &str = "tls: {certChain: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\", \
                     privateKey: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\"}\n";
const ELSEWHERE: &str = "vault: {kv: {path: a}}\n";

fn put(kind: Kind, name: &str, fields: &str) -> Edit {
    let text = format!("metadata: {{name: {name}, namespace: default}}\n{fields}");
    let key = ObjectKey::new(kind, "default", name);
    let decoded = decode(&text, &key, &Location::file("object.yaml", 1));
    Edit::Put(Box::new(decoded.object.unwrap_or_else(|| panic!("{:?}", decoded.reports))), None)
}

/// A service that shows the certificate of its own name.
fn service(name: &str) -> Edit {
    let fields = format!(
        "sslConfig: {{secretRef: {{name: {name}}}, sniDomains: [{name}.test]}}\n\
         virtualHost: {{domains: [{name}.test], routes: [{{directResponseAction: {{status: 200}}}}]}}\n"
    );
    put(Kind::VirtualService, name, &fields)
}

fn apply(graph: &mut Graph, edits: &[Edit]) -> Change {
    graph.apply(edits).remove(FLEET).unwrap_or_default()
}

fn upserted(change: &Change) -> Vec<String> {
    change.upserts.iter().map(|resource| resource.name.to_string()).collect()
}

fn unknown(change: &Change) -> Vec<String> {
    assert!(change.unknown.iter().all(|name| change.removals.contains(name)));
    change.unknown.iter().map(ToString::to_string).collect()
}

const LISTENER: &str = "lds/listener-127.0.0.1-8443";
const ROUTES: &str = "rds/listener-127.0.0.1-8443-routes";

#[test]
fn listener_whose_only_certificate_is_not_known_is_unknown_and_has_its_routes() {
    let mut graph = Graph::default();
    let edits = [put(Kind::Gateway, "g", GATEWAY), put(Kind::Secret, "a", ELSEWHERE), service("a")];
    let change = apply(&mut graph, &edits);
    assert_eq!(upserted(&change), [ROUTES]);
    assert_eq!(unknown(&change), [LISTENER, "sds/default/a/certificate", "sds/default/a/validation"]);
    let change = apply(&mut graph, &[put(Kind::Secret, "a", KNOWN)]);
    assert_eq!(upserted(&change), [LISTENER, ROUTES, "sds/default/a/certificate"]);
    assert_eq!((unknown(&change).len(), change.removals.len()), (0, 1), "there is no root");
}

#[test]
fn listener_of_which_a_certificate_is_not_known_says_what_it_lacks_and_so_do_its_routes() {
    let mut graph = Graph::default();
    let edits = [
        put(Kind::Gateway, "g", GATEWAY),
        put(Kind::Secret, "a", KNOWN),
        put(Kind::Secret, "b", ELSEWHERE),
        service("a"),
        service("b"),
    ];
    let change = apply(&mut graph, &edits);
    assert_eq!(upserted(&change), [LISTENER, ROUTES, "sds/default/a/certificate"]);
    for resource in &change.upserts[..2] {
        let lacks: Vec<_> = resource.lacks.iter().map(ToString::to_string).collect();
        assert_eq!(lacks, ["sds/default/b/certificate", "sds/default/b/validation"]);
        assert_eq!(unknown(&change), lacks);
    }
    let change = apply(&mut graph, &[Edit::Delete(ObjectKey::new(Kind::Secret, "default", "b"))]);
    assert_eq!(upserted(&change), [LISTENER, ROUTES], "a secret that does not exist is named");
    assert!(change.upserts.iter().all(|resource| resource.lacks.is_empty()) && change.unknown.is_empty());
}

#[test]
fn cluster_whose_root_is_not_known_is_unknown_and_its_endpoints_are_not() {
    let upstream = "consul: {serviceName: web}\nsslConfig: {secretRef: {name: a}}\n";
    let route = "virtualHost: {routes: [{routeAction: {single: {upstream: {name: u}}}}]}\n";
    let mut graph = Graph::default();
    let change = apply(
        &mut graph,
        &[
            put(Kind::Gateway, "g", "bindAddress: 127.0.0.1\nbindPort: 8443\nhttpGateway: {}\n"),
            put(Kind::Secret, "a", ELSEWHERE),
            put(Kind::Upstream, "u", upstream),
            put(Kind::VirtualService, "v", route),
        ],
    );
    assert_eq!(upserted(&change), [LISTENER, ROUTES]);
    assert_eq!(unknown(&change), ["cds/u_default", "eds/u_default"]);
    let key = ObjectKey::new(Kind::Upstream, "default", "u");
    let change = apply(&mut graph, &[Edit::Endpoints(key, Vec::new().into())]);
    assert_eq!(upserted(&change), ["eds/u_default"]);
    assert_eq!(unknown(&change), ["cds/u_default", "sds/default/a/certificate", "sds/default/a/validation"]);
    let change = apply(&mut graph, &[put(Kind::Secret, "a", KNOWN)]);
    assert_eq!(upserted(&change), ["cds/u_default", "sds/default/a/certificate"]);
}

#[test]
fn routes_whose_headers_are_not_known_say_so() {
    let options = "{headerManipulation: {requestHeadersToAdd: [{headerSecretRef: {name: a}}]}}";
    let routes = format!("[{{directResponseAction: {{status: 200}}, options: {options}}}]");
    let mut graph = Graph::default();
    let change = apply(
        &mut graph,
        &[
            put(Kind::Gateway, "g", "bindAddress: 127.0.0.1\nbindPort: 8443\nhttpGateway: {}\n"),
            put(Kind::Secret, "a", ELSEWHERE),
            put(Kind::VirtualService, "v", &format!("virtualHost: {{routes: {routes}}}\n")),
        ],
    );
    assert_eq!(unknown(&change), ["cds/secret:default/a"]);
    assert_eq!(*change.upserts[1].lacks, change.unknown[..]);
    let change = apply(&mut graph, &[put(Kind::Secret, "a", "header: {headers: {x-key: value}}\n")]);
    assert_eq!(upserted(&change), ["cds/secret:default/a", ROUTES, "sds/default/a/header/x-key"]);
    assert!(change.upserts[1].lacks.is_empty());
}
