//! Random edits of a small world: few names, so that edits meet each other often.

use biplane_control_plane::graph::Edit;
use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use proptest::prelude::*;
use proptest::sample::select;

/// A batch of edits that arrives as one.
pub(crate) type Batch = Vec<Edit>;

/// A random batch.
pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    proptest::collection::vec(edit(), 1..5)
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![4 => put(), 1 => delete()]
}

fn delete() -> impl Strategy<Value = Edit> {
    let kind = select(Kind::ALL.to_vec());
    (kind, select(vec!["one", "two"]), select(vec!["a", "b", "c", "default"]))
        .prop_map(|(kind, namespace, name)| Edit::Delete(ObjectKey::new(kind, namespace, name)))
}

fn put() -> impl Strategy<Value = Edit> {
    let object = prop_oneof![
        3 => named(Kind::Gateway, gateway()),
        6 => named(Kind::VirtualService, service()),
        4 => named(Kind::RouteTable, table()),
        4 => named(Kind::Upstream, upstream()),
        2 => named(Kind::UpstreamGroup, group()),
        1 => named(Kind::RouteOption, select(texts(&["options: {prefixRewrite: /x}", "options: {timeout: 3s}"]))),
        1 => named(Kind::VirtualHostOption, select(texts(&["options: {retries: {retryOn: 5xx}}", "options: {}"]))),
        2 => named(Kind::Secret, secret()),
        1 => named(Kind::Settings, settings()),
    ];
    object.prop_filter_map("the object does not decode", |(key, text)| {
        let decoded = decode(&text, &key, &Location::file("random.yaml", 1));
        Some(Edit::Put(Box::new(decoded.object?), None))
    })
}

fn named(kind: Kind, fields: impl Strategy<Value = String>) -> impl Strategy<Value = (ObjectKey, String)> {
    let labels = select(texts(&["{}", "{team: x}", "{team: y}"]));
    let created = select(texts(&[
        "",
        "creationTimestamp: 2026-01-01T00:00:00Z, ",
        "creationTimestamp: 2025-01-01T00:00:00Z, ",
    ]));
    (select(vec!["one", "two"]), select(vec!["a", "b", "c"]), labels, created, fields).prop_map(
        move |(namespace, name, labels, created, fields)| {
            let metadata =
                format!("metadata: {{name: {name}, namespace: {namespace}, {created}labels: {labels}}}");
            (ObjectKey::new(kind, namespace, name), format!("{metadata}\n{fields}\n"))
        },
    )
}

fn gateway() -> impl Strategy<Value = String> {
    let selection = select(texts(&[
        "{}",
        "{virtualServiceSelector: {team: x}}",
        "{virtualServices: [{name: a, namespace: one}, {name: b, namespace: two}]}",
        "{virtualServiceNamespaces: [one]}",
        "{virtualServiceExpressions: {expressions: [{key: team, operator: NotIn, values: [y]}]}}",
    ]));
    let fleets = select(texts(&["[]", "[edge]", "[edge, gateway-proxy]"]));
    (select(vec![8080, 8081]), any::<bool>(), fleets, selection).prop_map(|(port, ssl, fleets, selection)| {
        format!("bindAddress: 127.0.0.1\nbindPort: {port}\nssl: {ssl}\nproxyNames: {fleets}\nhttpGateway: {selection}")
    })
}

fn service() -> impl Strategy<Value = String> {
    let domains = select(texts(&["[]", "[x.test]", "[x.test, y.test]", "[y.test, '*.z.test']", "['*']"]));
    let ssl = select(texts(&[
        "",
        "",
        "sslConfig: {secretRef: {name: a, namespace: one}}",
        "sslConfig: {secretRef: {name: a, namespace: one}, sniDomains: [x.test]}",
        "sslConfig: {secretRef: {name: b}, sniDomains: [x.test, y.test]}",
        "sslConfig: {sslFiles: {tlsCert: /c.pem, tlsKey: /k.pem}}",
    ]));
    let options = select(texts(&["{}", "{retries: {retryOn: 5xx}}", "{includeRequestAttemptCount: true}"]));
    (domains, ssl, options, routes()).prop_map(|(domains, ssl, options, routes)| {
        format!("virtualHost: {{domains: {domains}, options: {options}, optionsConfigRefs: {{delegateOptions: [{{name: c}}]}}, routes: {routes}}}\n{ssl}")
    })
}

fn table() -> impl Strategy<Value = String> {
    (0..2, routes()).prop_map(|(weight, routes)| format!("weight: {weight}\nroutes: {routes}"))
}

fn routes() -> impl Strategy<Value = String> {
    proptest::collection::vec(route(), 0..4).prop_map(|routes| format!("[{}]", routes.join(", ")))
}

fn route() -> impl Strategy<Value = String> {
    let matcher = select(texts(&[
        "{prefix: /}",
        "{prefix: /a}",
        "{prefix: /a/b}",
        "{exact: /a/c}",
        "{regex: '/a/[0-9]+'}",
        "{prefix: /a, methods: [GET]}",
    ]));
    let action = select(texts(&[
        "routeAction: {single: {upstream: {name: a, namespace: one}}}",
        "routeAction: {single: {upstream: {name: b}}}",
        "routeAction: {multi: {destinations: [{destination: {upstream: {name: a}}, weight: 1}, {destination: {upstream: {name: c}}, weight: 2}]}}",
        "routeAction: {upstreamGroup: {name: a}}",
        "routeAction: {clusterHeader: x-cluster}",
        "redirectAction: {hostRedirect: elsewhere.test}",
        "directResponseAction: {status: 200, body: hello}",
        "delegateAction: {ref: {name: a}}",
        "delegateAction: {ref: {name: b, namespace: two}}",
        "delegateAction: {selector: {labels: {team: x}}}",
        "delegateAction: {selector: {namespaces: ['*'], expressions: [{key: team, operator: Exists}]}}",
    ]));
    let options = select(texts(&["{}", "{timeout: 2s}", "{prefixRewrite: /new}"]));
    (matcher, action, options).prop_map(|(matcher, action, options)| {
        format!("{{matchers: [{matcher}], {action}, options: {options}, optionsConfigRefs: {{delegateOptions: [{{name: a}}]}}}}")
    })
}

fn upstream() -> impl Strategy<Value = String> {
    select(texts(&[
        "static: {hosts: [{addr: 127.0.0.1, port: 9000}]}",
        "static: {hosts: [{addr: 127.0.0.1, port: 9001}, {addr: 127.0.0.2, port: 9001}]}",
        "static: {hosts: [{addr: example.test, port: 80}]}",
        "pipe: {path: /run/app.sock}",
        "static: {hosts: [{addr: 127.0.0.1, port: 9443}]}\nsslConfig: {secretRef: {name: a}}",
        "consul: {serviceName: web}",
    ]))
}

fn group() -> impl Strategy<Value = String> {
    select(texts(&[
        "destinations: [{destination: {upstream: {name: a}}, weight: 1}]",
        "destinations: [{destination: {upstream: {name: b}}, weight: 1}, {destination: {upstream: {name: c}}, weight: 3}]",
    ]))
}

fn secret() -> impl Strategy<Value = String> {
    let mut secrets: Vec<String> = CERTIFICATES
        .iter()
        .map(|pem| {
            let indented = pem.replace('\n', "\n    ");
            format!("tls:\n  rootCa: |\n    {indented}")
        })
        .collect();
    secrets.push("vault: {kv: {path: a}}".to_owned());
    select(secrets)
}

fn settings() -> impl Strategy<Value = String> {
    select(texts(&[
        "gloo: {}",
        "gloo: {invalidConfigPolicy: {replaceInvalidRoutes: true}}",
        "gloo: {invalidConfigPolicy: {replaceInvalidRoutes: true, invalidRouteResponseCode: 418}}",
    ]))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// Two texts that are PEM; decoding does not look further.
const CERTIFICATES: [&str; 2] = [
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----",
];
