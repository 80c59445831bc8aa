//! Upstreams whose endpoints are looked up.

use biplane_core::resources::Spec;
use biplane_core::resources::upstream::discovery::ConsistencyMode;

use crate::{decode_one, findings};

#[test]
fn names_that_biplane_gives_to_what_it_makes_are_refused() {
    let upstream = |name: &str, namespace: &str| {
        format!(
            "kind: Upstream\nmetadata:\n  name: '{name}'\n  namespace: {namespace}\nconsul: {{serviceName: web}}\n"
        )
    };
    let found = findings(&upstream("consul-svc:web[blue]", "gloo-system"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let expected = "Upstream gloo-system/consul-svc:web[blue]: metadata.name: names in gloo-system that begin with \
                    consul-svc: are kept for upstreams that stand for `consul` destinations of routes";
    assert!(found[0].contains(expected) && found[0].contains("hint: give it another name"), "{found:#?}");
    assert_eq!(findings(&upstream("consul-svc:web", "shop")), Vec::<String>::new());
    assert_eq!(findings(&upstream("consul-svc", "gloo-system")), Vec::<String>::new());
    let secret = "kind: Secret\nmetadata: {name: 'consul-connect:web'}\nheader: {headers: {a: b}}\n";
    let found = findings(secret);
    assert!(found.len() == 1 && found[0].contains("certificates of Consul's service mesh"), "{found:#?}");
}

#[test]
fn gloos_consul_and_ec2_upstreams_are_taken_as_gloo_writes_them() {
    let consul = "
kind: Upstream
metadata: {name: c}
spec:
  consul:
    serviceName: web
    serviceTags: [blue, green]
    instanceTags: [live]
    dataCenters: [dc1, dc2]
    consistencyMode: StaleMode
    queryOptions: {useCache: true}
";
    let Spec::Upstream(upstream) = decode_one(consul).spec else { panic!("an upstream") };
    let consul = upstream.consul.as_ref().unwrap();
    assert_eq!(consul.consistency_mode, Some(ConsistencyMode::Stale));
    assert_eq!(consul.data_centers, ["dc1", "dc2"]);
    let ec2 = "
kind: Upstream
metadata: {name: e}
spec:
  awsEc2:
    region: us-east-1
    secretRef: {name: aws, namespace: gloo-system}
    roleArn: arn:aws:iam::123456789012:role/describe
    filters: [{key: Env}, {kvPair: {key: App, value: shop}}]
    publicIp: true
    port: 8080
";
    let Spec::Upstream(upstream) = decode_one(ec2).spec else { panic!("an upstream") };
    let filters: Vec<_> =
        upstream.aws_ec2.as_ref().unwrap().filters.iter().map(ToString::to_string).collect();
    assert_eq!(filters, ["Env", "App=shop"]);
}

#[test]
fn a_question_that_makes_no_sense_is_refused_where_it_is_written() {
    let text = "kind: Upstream
metadata: {name: u}
spec:
  consul: {serviceName: x, preparedQuery: y}
---
kind: Upstream
metadata: {name: v}
spec:
  nomad: {serviceName: x, namespace: '*'}
---
kind: Upstream
metadata: {name: w}
spec:
  awsEc2: {filters: [{}], externalId: x, port: 70000}
---
kind: Upstream
metadata: {name: x}
spec:
  dns: {name: app.example.com, refresh: 10ms}
";
    let found = findings(text);
    for expected in [
        "a.yaml:4: error: Upstream gloo-system/u: consul:",
        "a.yaml:9: error: Upstream gloo-system/v: nomad.namespace: an upstream is of one namespace",
        "a.yaml:14: error: Upstream gloo-system/w: awsEc2.filters[0]:",
        "awsEc2.externalId: no role is assumed",
        "awsEc2.port: ",
        "dns.port: address records hold no port",
        "dns.refresh: must be 1s or longer",
    ] {
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:#?}");
    }
}
