//! The forms that objects come in, and protobuf's leniency, which Gloo's users rely on.

use biplane_core::report::Severity;
use biplane_core::resources::Spec;
use biplane_core::resources::route::RedirectCode;

use crate::{decode_all, decode_one, findings};

const WRAPPED: &str = "
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata:
  name: v
  namespace: team
  labels: {a: b}
  creationTimestamp: null
  resourceVersion: '17'
  managedFields: [{manager: x}]
spec:
  virtualHost:
    domains: ['*']
status: {state: 1, anything: [1, 2]}
";

#[test]
fn wrapped_bare_and_json_forms_mean_the_same() {
    let bare = "
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: v, namespace: team, labels: {a: b}}
virtualHost: {domains: ['*']}
namespacedStatuses: {statuses: {gloo-system: {state: 1}}}
";
    let json = "{\n\t\"kind\": \"VirtualService\",\n\t\"metadata\": {\"name\": \"v\", \"namespace\": \"team\", \"labels\": {\"a\": \"b\"}},\n\t\"spec\": {\"virtualHost\": {\"domains\": [\"*\"]}}\n}";
    let wrapped = decode_one(WRAPPED);
    assert_eq!(wrapped, decode_one(bare));
    assert_eq!(wrapped, decode_one(json));
    assert_eq!(wrapped.metadata.labels["a"], "b");
}

#[test]
fn numbers_as_text_snake_case_and_nulls_are_read_as_protobuf_reads_them() {
    let Spec::Gateway(gateway) = decode_one(
        "
kind: Gateway
metadata: {name: g}
spec:
  bind_port: '8080'
  ssl: yes
  proxy_names: null
  http_gateway: {}
  use_proxy_proto: ~
",
    )
    .spec
    else {
        panic!("a gateway")
    };
    assert_eq!((gateway.bind_port, gateway.ssl, gateway.use_proxy_proto), (8080, true, None));
    assert_eq!(gateway.fleets(), ["gateway-proxy"]);
}

#[test]
fn references_without_a_namespace_get_that_of_their_object() {
    let Spec::VirtualService(service) = decode_one(
        "
kind: VirtualService
metadata: {name: v, namespace: team}
spec:
  sslConfig: {secretRef: {name: s}}
  virtualHost:
    optionsConfigRefs: {delegateOptions: [{name: o}]}
    routes:
    - {routeAction: {single: {upstream: {name: u}}}}
    - {routeAction: {upstreamGroup: {name: g, namespace: ''}}}
    - {delegateAction: {ref: {name: t, namespace: other}}}
    - {delegateAction: {name: old}}
",
    )
    .spec
    else {
        panic!("a virtual service")
    };
    let host = service.virtual_host.as_ref().unwrap();
    let reference = |route: usize| {
        let route = &host.routes[route];
        let action = route.route_action.as_ref();
        let upstream = action.and_then(|a| a.single.as_ref()).and_then(|single| single.upstream.as_ref());
        let group = action.and_then(|a| a.upstream_group.as_ref());
        let table = route.delegate_action.as_ref().and_then(|action| action.r#ref.as_ref());
        upstream.or(group).or(table).unwrap().to_string()
    };
    assert_eq!([0, 1, 2, 3].map(reference), ["team/u", "team/g", "other/t", "team/old"]);
    assert_eq!(service.ssl_config.as_ref().unwrap().secret_ref.as_ref().unwrap().namespace, "team");
    assert_eq!(host.options_config_refs.as_ref().unwrap().delegate_options[0].namespace, "team");
}

#[test]
fn redirect_codes_are_read_as_numbers_too() {
    let Spec::RouteTable(table) = decode_one(
        "{kind: RouteTable, metadata: {name: t}, routes: [{redirectAction: {hostRedirect: a, responseCode: 308}}]}",
    )
    .spec
    else {
        panic!("a route table")
    };
    let code = table.routes[0].redirect_action.as_ref().unwrap().response_code;
    assert_eq!(code, Some(RedirectCode::PermanentRedirect));
}

#[test]
fn fields_that_only_gloo_has_are_named_and_the_rest_works() {
    let text = "
kind: RouteOption
metadata: {name: o}
spec:
  options:
    timeout: 3s
    faults: {abort: {percentage: 1}}
    extauth: {disable: true}
    csrf: null
  targetRefs: []
";
    let decoded = decode_all(text).remove(0);
    let Some(Spec::RouteOption(option)) = decoded.object.map(|object| object.spec) else {
        panic!("a route option")
    };
    assert_eq!(option.options.as_ref().unwrap().timeout.unwrap().to_string(), "3s");
    assert!(decoded.reports.iter().all(|report| report.severity == Severity::Warning));
    let paths: Vec<_> = decoded.reports.iter().map(|report| report.path.to_string()).collect();
    assert_eq!(paths, ["options.faults", "options.extauth", "targetRefs"]);
}

#[test]
fn upstream_types_that_biplane_has_not_are_refused_once() {
    let found = findings("kind: Upstream\nmetadata: {name: u}\nspec:\n  aws: {region: x}\n");
    assert_eq!(
        found,
        ["a.yaml:4: error: Upstream gloo-system/u: aws: upstreams that are functions are not supported yet"]
    );
}

#[test]
fn a_field_on_the_wrong_level_is_shown_its_place() {
    let text = "kind: RouteTable\nmetadata: {name: t}\nspec:\n  routes:\n  - directResponseAction: {status: 200}\n    timeout: 3s\n";
    assert!(
        findings(text)[0].ends_with(
            "routes[0].timeout: unknown field \"timeout\" (hint: did you mean \"options.timeout\"?)"
        )
    );
    let beside = "kind: Secret\nmetadata: {name: s}\nspec: {}\ntls: {rootCa: x}\n";
    assert!(findings(beside).iter().any(|line| {
        line.contains("a.yaml:4: error: Secret gloo-system/s: tls: a field beside `spec` is not read")
    }));
}

#[test]
fn anchors_and_merge_keys_work() {
    let Spec::Upstream(upstream) = decode_one(
        "
kind: Upstream
metadata: {name: u}
static:
  hosts:
  - &host {addr: 10.0.0.1, port: 80}
  - {<<: *host, addr: 10.0.0.2}
",
    )
    .spec
    else {
        panic!("an upstream")
    };
    let hosts = &upstream.r#static.as_ref().unwrap().hosts;
    assert_eq!((hosts[1].addr.as_str(), hosts[1].port), ("10.0.0.2", 80));
}
