//! What is taken of Gloo-style keys and files, and what is said about the rest.

use biplane_core::key::Kind;
use biplane_store::{Identity, Layout, Revision};

use super::*;

const PETSTORE: &str = "metadata: {name: petstore, namespace: gloo-system}\nstatic: {hosts: [{addr: 127.0.0.1, port: 80}]}\nstatus: {state: 1}\n";

/// A listing as the Consul store makes it from keys below Gloo's root key.
fn keys(entries: &[(&str, &str)]) -> Listing {
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        let location = Location::Key {
            store: "consul://127.0.0.1:8500/gloo".into(),
            key: format!("gloo/{key}").into(),
            revision: 7,
        };
        match Layout::Gloo.parse(key) {
            Ok(Some(key)) => items.push(StoredObject {
                key,
                value: (*value).to_owned().into(),
                location,
                revision: Revision(7),
                created: Some(3),
            }),
            Ok(None) => {}
            Err(message) => faults.push(Layout::Gloo.misplaced(location, message)),
        }
    }
    Listing { identity: Identity::new("gloo"), revision: Revision(7), items, faults }
}

fn consul() -> Source {
    Source::of("consul://127.0.0.1:8500/gloo").expect("a source")
}

fn told(take: &Take) -> Vec<(LeftOut, String)> {
    take.remarks.iter().map(|remark| (remark.left_out.clone(), remark.report.to_string())).collect()
}

#[test]
fn what_decodes_is_taken_with_its_text() {
    let take = take(&keys(&[("gloo.solo.io/v1/Upstream/gloo-system/petstore", PETSTORE)]), &consul());
    assert_eq!(told(&take), []);
    let [petstore] = &take.objects[..] else { panic!("one object") };
    assert_eq!(petstore.key, ObjectKey::new(Kind::Upstream, "gloo-system", "petstore"));
    let own = PETSTORE.replace("status: {state: 1}\n", "");
    assert_eq!(petstore.text.value, format!("kind: Upstream\n{own}"));
}

#[test]
fn a_field_without_effect_is_named_and_its_object_is_taken() {
    let service =
        "metadata: {name: v, namespace: n}\nvirtualHost:\n  domains: [a]\n  options:\n    waf: {}\n";
    let take = take(&keys(&[("gateway.solo.io/v1/VirtualService/n/v", service)]), &consul());
    let [(LeftOut::Field, text)] = &told(&take)[..] else { panic!("{:?}", take.remarks) };
    let beginning = "gloo/gateway.solo.io/v1/VirtualService/n/v@7: warning: VirtualService n/v: virtualHost.options.waf: ";
    assert!(text.starts_with(beginning) && text.contains("line 5 of the value"), "{text}");
    assert_eq!(take.objects.len(), 1);
}

#[test]
fn settings_of_the_process_are_named_one_by_one() {
    let settings = "metadata: {name: default, namespace: gloo-system}\ndiscoveryNamespace: gloo-system\nrefreshRate: 60s\nconsul: {address: a}\n";
    let take = take(&keys(&[("gloo.solo.io/v1/Settings/gloo-system/default", settings)]), &consul());
    let fields: Vec<_> = take.remarks.iter().map(|remark| remark.report.path.as_str()).collect();
    assert_eq!(fields, ["consul", "discoveryNamespace", "refreshRate"]);
    assert!(take.remarks.iter().all(|remark| remark.left_out == LeftOut::Field));
}

#[test]
fn an_object_that_cannot_be_used_is_left_out_with_every_reason() {
    let upstream =
        "metadata: {name: u, namespace: n}\nkube: {serviceName: a}\nloadBalancerConfig: {nonsense: 1}\n";
    let take = take(&keys(&[("gloo.solo.io/v1/Upstream/n/u", upstream)]), &consul());
    assert!(take.objects.is_empty());
    let paths: Vec<_> = take.remarks.iter().map(|remark| remark.report.path.as_str()).collect();
    assert_eq!(paths, ["kube", "loadBalancerConfig.nonsense"], "{:?}", take.remarks);
    assert!(take.remarks.iter().all(|remark| remark.left_out == LeftOut::Object));
}

#[test]
fn an_object_that_lies_where_another_belongs_is_left_out() {
    let take = take(&keys(&[("gloo.solo.io/v1/Upstream/gloo-system/other", PETSTORE)]), &consul());
    assert!(take.objects.is_empty());
    let [(LeftOut::Object, text)] = &told(&take)[..] else { panic!("{:?}", take.remarks) };
    assert!(text.contains("it says that it is Upstream gloo-system/petstore"), "{text}");
}

#[test]
fn kinds_that_biplane_has_not_are_told_with_what_to_do_and_proxies_are_gloos_own() {
    let listing = keys(&[
        ("enterprise.gloo.solo.io/v1/AuthConfig/gloo-system/a", "x"),
        ("gateway.solo.io/v1/MatchableHttpGateway/gloo-system/g", "x"),
        ("gloo.solo.io/v1/Proxy/gloo-system/gateway-proxy", "x"),
        ("notes.txt", "x"),
    ]);
    let take = take(&listing, &consul());
    let lines: Vec<_> = take.remarks.iter().map(|remark| remark.report.message.as_str()).collect();
    assert_eq!(
        lines,
        [
            "Gloo's kind AuthConfig is not read by Biplane",
            "Gloo's kind MatchableHttpGateway is not read by Biplane",
            "key \"notes.txt\" is not <group>/<version>/<Kind>/<namespace>/<name>",
        ]
    );
    for remark in &take.remarks {
        let hint = remark.report.hint.as_deref().unwrap_or_default();
        assert_eq!(remark.left_out, LeftOut::Document);
        assert!(!hint.is_empty() && !hint.contains("import"), "{hint}");
    }
}

#[test]
fn what_is_secret_is_in_no_remark() {
    let secret = "metadata: {name: s, namespace: n, odd: canary}\nheader: {headers: {a: canary}}\ntls: {privateKey: canary, canary: [}\n";
    for value in [secret, &secret.replace('[', "1"), "tls: canary", "canary"] {
        let take = take(&keys(&[("gloo.solo.io/v1/Secret/n/s", value)]), &consul());
        assert!(take.objects.is_empty() && !take.remarks.is_empty(), "{value}");
        let json = serde_json::to_string(&take.remarks).expect("JSON");
        assert!(!json.replace("tls.canary", "").replace("\\\"canary\\\"", "").contains("canary"), "{json}");
    }
}

#[test]
fn findings_of_files_name_places_that_can_be_opened() {
    let fault = Fault::new(FaultKind::Unidentified, Location::file("authconfigs/n/a.yaml", 1), "no kind");
    let listing = Listing { faults: vec![fault], ..keys(&[]) };
    let take = take(&listing, &Source::of("file:///etc/gloo?poll=2s").expect("a source"));
    let texts = told(&take);
    assert_eq!(
        texts,
        [(
            LeftOut::Document,
            "/etc/gloo/authconfigs/n/a.yaml:1: error: Gloo's kind AuthConfig is not read by Biplane"
                .to_owned()
        )]
    );
}

#[test]
fn a_source_is_read_in_gloos_layout_whoever_names_it() {
    for (from, url) in [
        ("consul://h:8500/gloo", "consul://h:8500/gloo?layout=gloo"),
        ("consul://h/gloo?dc=b", "consul://h/gloo?dc=b&layout=gloo"),
        ("consuls:///gloo?layout=gloo", "consuls:///gloo?layout=gloo"),
        ("file:///etc/gloo", "file:///etc/gloo?layout=gloo"),
        ("./gloo", "./gloo"),
    ] {
        assert_eq!(Source::of(from).map(|source| source.url).as_deref(), Ok(url));
    }
    for from in ["", "etcd://h:2379/gloo", "s3://bucket"] {
        assert!(Source::of(from).is_err_and(|failure| failure.hint.is_some()), "{from}");
    }
}
