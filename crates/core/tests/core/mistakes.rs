//! One tree with many different mistakes: each is found, with its line, its path and advice.

use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;

use crate::{decode_all, findings};

const TREE: &str = r#"
kind: VirtualService
metadata: {name: shop}
spec:
  virtualHost:
    domains: ["a.*.com", shop.example.com]
    domains: [b.com]
    routes:
    - matchers:
      - prefx: /a
      routeAction:
        single: {upstream: {name: shop}}
    - matchers:
      - prefix: /b
        exact: /b
      - regex: "/c(?=d)"
      - prefix: no-slash
        headers: {name: x}
      options:
        timeout: 5
        prefixRewrite: /x
        regexRewrite: {pattern: {regex: "^/(a)"}, substitution: '/\2'}
        retries: {retryOn: "5xx,connect-failur", numRetries: -1}
        headerManipulation:
          requestHeadersToAdd:
          - header: {key: "bad name", value: "%RESPONSE_COD%"}
    - matchers: [{exact: /d}]
      delegateAction: {ref: {name: t}}
    - matchers: [{prefix: /e}]
      routeAction:
        multi:
          destinations:
          - {destination: {upstream: {name: u}}, weight: 0}
    - matchers: [{prefix: /f}]
      redirectAction: {responseCode: MOVED, portRedirect: 70000}
    - matchers: [{prefix: /g}]
      directResponseAction: {status: 42}
    - matchers: [{prefix: /h}]
  sslConfig:
    sniDomains: ["*"]
    parameters: {cipherSuites: [ECDHE-RSA-AES128-GCM-SHA265]}
---
kind: Upstream
metadata: {name: u}
spec:
  static:
    hosts:
    - {addr: "http://10.0.0.1", port: 0}
  loadBalancerConfig: {leastRequest: {choiceCount: 1}}
  connectionConfig: {connectTimeout: 0s}
  healthChecks:
  - {timeout: 1s, httpHealthCheck: {path: /ok, expectedStatuses: [{start: 200, end: 200}]}}
  outlierDetection: {maxEjectionPercent: 101}
  initialStreamWindowSize: 1
---
kind: Gateway
metadata: {name: g}
bindAddress: localhost
bindPort: 99999
httpGateway:
  options: {httpConnectionManagerSettings: {maxRequestHeadersKb: 10000, maxHeadersCount: many}}
  optionz: 1
"#;

const EXPECTED: &str = r#"a.yaml:6: error: VirtualService gloo-system/shop: virtualHost.domains[0]: "a.*.com": a domain has one * at most, at its start or at its end
a.yaml:7: error: VirtualService gloo-system/shop: virtualHost.domains: "domains" is written twice, first on line 6 (hint: remove one of them)
a.yaml:10: error: VirtualService gloo-system/shop: virtualHost.routes[0].matchers[0].prefx: unknown field "prefx" (hint: did you mean "prefix"?)
a.yaml:14: error: VirtualService gloo-system/shop: virtualHost.routes[1].matchers[0]: the matcher's path is given more than once: prefix, exact (hint: keep one of them)
a.yaml:16: error: VirtualService gloo-system/shop: virtualHost.routes[1].matchers[1].regex: Envoy refuses this regex: RE2 has no look-ahead (?= (at character 3) (hint: Envoy's regexes follow RE2's syntax)
a.yaml:17: error: VirtualService gloo-system/shop: virtualHost.routes[1].matchers[2].prefix: a path starts with / (hint: write /no-slash)
a.yaml:18: error: VirtualService gloo-system/shop: virtualHost.routes[1].matchers[2].headers: expected a list, found a mapping (hint: write `- ` in front of it)
a.yaml:19: error: VirtualService gloo-system/shop: virtualHost.routes[1].options: the new path is given more than once: prefixRewrite, regexRewrite (hint: keep one of them)
a.yaml:20: error: VirtualService gloo-system/shop: virtualHost.routes[1].options.timeout: "5" is not a duration: it has no unit (hint: write a unit: 5s)
a.yaml:22: error: VirtualService gloo-system/shop: virtualHost.routes[1].options.regexRewrite.substitution: \2 names a group that the pattern does not have; it has 1 (at character 2)
a.yaml:23: error: VirtualService gloo-system/shop: virtualHost.routes[1].options.retries.numRetries: -1 is out of range: 0 to 4294967295
a.yaml:23: warning: VirtualService gloo-system/shop: virtualHost.routes[1].options.retries.retryOn: Envoy ignores the unknown condition "connect-failur" (hint: did you mean "connect-failure"?)
a.yaml:26: error: VirtualService gloo-system/shop: virtualHost.routes[1].options.headerManipulation.requestHeadersToAdd[0].header.key: "bad name": this is not a name that a header can have
a.yaml:26: error: VirtualService gloo-system/shop: virtualHost.routes[1].options.headerManipulation.requestHeadersToAdd[0].header.value: Envoy has no command %RESPONSE_COD% (hint: did you mean %RESPONSE_CODE%?)
a.yaml:27: error: VirtualService gloo-system/shop: virtualHost.routes[2].matchers[0]: a route that delegates matches by prefix only (hint: write one matcher with a prefix; finer matchers belong into the route table)
a.yaml:32: error: VirtualService gloo-system/shop: virtualHost.routes[3].routeAction.multi.destinations: all weights are 0, so no destination gets a request (hint: give at least one a weight above 0)
a.yaml:35: error: VirtualService gloo-system/shop: virtualHost.routes[4].redirectAction.responseCode: unknown value "MOVED" (hint: it is one of MOVED_PERMANENTLY, FOUND, SEE_OTHER, TEMPORARY_REDIRECT, PERMANENT_REDIRECT)
a.yaml:35: error: VirtualService gloo-system/shop: virtualHost.routes[4].redirectAction.portRedirect: 70000 is out of range: 0 to 65535
a.yaml:37: error: VirtualService gloo-system/shop: virtualHost.routes[5].directResponseAction.status: 42 is out of range: 200 to 599
a.yaml:38: error: VirtualService gloo-system/shop: virtualHost.routes[6]: the route's action is missing (hint: write one of routeAction, redirectAction, directResponseAction, delegateAction)
a.yaml:39: error: VirtualService gloo-system/shop: sslConfig: the certificate is missing (hint: write one of secretRef, sslFiles)
a.yaml:40: error: VirtualService gloo-system/shop: sslConfig.sniDomains[0]: "*": a server name has a * only as its first label (hint: write *.example.com, or no sniDomains at all for every name)
a.yaml:41: error: VirtualService gloo-system/shop: sslConfig.parameters.cipherSuites[0]: Envoy does not know "ECDHE-RSA-AES128-GCM-SHA265" (hint: did you mean "ECDHE-RSA-AES128-GCM-SHA256"?)
a.yaml:48: error: Upstream gloo-system/u: static.hosts[0].addr: "http://10.0.0.1": a host is an address or a name, without scheme and path
a.yaml:48: error: Upstream gloo-system/u: static.hosts[0].port: the host has no port (hint: write port: 80)
a.yaml:49: error: Upstream gloo-system/u: loadBalancerConfig.leastRequest.choiceCount: 1 is out of range: 2 to 4294967295
a.yaml:50: error: Upstream gloo-system/u: connectionConfig.connectTimeout: must be longer than 0s (hint: leave it out for the default)
a.yaml:52: error: Upstream gloo-system/u: healthChecks[0].httpHealthCheck.expectedStatuses[0]: the range is empty (hint: `end` is the code behind the last: write end: 201)
a.yaml:53: error: Upstream gloo-system/u: outlierDetection.maxEjectionPercent: 101 is out of range: 0 to 100
a.yaml:54: error: Upstream gloo-system/u: initialStreamWindowSize: 1 is out of range: 65535 to 2147483647
a.yaml:58: error: Gateway gloo-system/g: bindAddress: "localhost" is not an IP address (hint: write an IP address, such as 0.0.0.0 or `::`)
a.yaml:59: error: Gateway gloo-system/g: bindPort: 99999 is out of range: 1 to 65535
a.yaml:61: error: Gateway gloo-system/g: httpGateway.options.httpConnectionManagerSettings.maxHeadersCount: expected a whole number, found text
a.yaml:61: error: Gateway gloo-system/g: httpGateway.options.httpConnectionManagerSettings.maxRequestHeadersKb: 10000 is out of range: 1 to 8192
a.yaml:62: error: Gateway gloo-system/g: httpGateway.optionz: unknown field "optionz" (hint: did you mean "options"?)"#;

#[test]
fn every_mistake_of_a_tree_is_found_at_once() {
    let found = findings(TREE);
    assert_eq!(found.join("\n"), EXPECTED);
    let errors = found.iter().filter(|line| line.contains(": error: ")).count();
    assert!(errors >= 20, "{errors}");
    assert!(decode_all(TREE).iter().all(|decoded| decoded.object.is_none()));
}

#[test]
fn what_follows_from_a_mistake_is_not_reported_again() {
    let text = "kind: RouteTable\nmetadata: {name: t}\nspec:\n  routes:\n  - matchers: [{prefix: /}]\n    routeActoin:\n      single: {upstream: {name: a}}\n  - routeAction: 5\n";
    let found = findings(text);
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn lines_count_from_the_top_of_the_file() {
    let text = "# one\n---\nkind: Secret\nmetadata: {name: a}\ntls:\n  rootCa: x\n---\nkind: Secret\nmetadata: {name: b}\ntls: {}\ntls: {}\n";
    let found = findings(text);
    assert!(found[0].starts_with("a.yaml:6: "), "{found:#?}");
    assert!(
        found.iter().any(|line| line.starts_with("a.yaml:11: ") && line.contains("first on line 10")),
        "{found:#?}"
    );
}

#[test]
fn findings_about_a_key_of_a_store_tell_the_line_of_its_value() {
    let location = Location::Key { store: "consul".into(), key: "gloo/a".into(), revision: 7 };
    let key = ObjectKey::new(Kind::Secret, "n", "a");
    let decoded = decode("kind: Secret\ntls:\n  rootCa: x\n", &key, &location);
    assert_eq!(
        decoded.reports[0].to_string().split(" (hint").next(),
        Some("gloo/a@7: error: Secret n/a: tls.rootCa: no certificate in PEM in it (line 3 of the value)")
    );
}

#[test]
fn blanks_that_are_no_spaces_are_named_once() {
    let text = "kind: Gateway\nmetadata: {name: g}\nspec:\n  bindPort: 80\n  httpGateway: {}\n  \u{a0}\u{a0}ssl: true\n  \u{a0}options: {}\n";
    assert_eq!(
        findings(text),
        [
            "a.yaml:6: error: Gateway gloo-system/g: the line is indented with another blank than a space (hint: copied text often holds them; type spaces instead)"
        ]
    );
}

#[test]
fn a_field_that_only_gloo_has_does_not_hide_what_is_missing() {
    let text = "
kind: RouteTable
metadata: {name: t}
spec: {routes: [{options: {faults: {}}}]}
---
kind: Upstream
metadata: {name: u}
static: {serviceSpec: {rest: {}}}
---
kind: Gateway
metadata: {name: g}
bindPort: 80
httpGateway: {}
options: {accessLoggingService: {accessLog: [{grpcService: {logName: x}}]}}
";
    let decoded = decode_all(text);
    let used: Vec<_> = decoded.iter().map(|decoded| decoded.object.is_some()).collect();
    assert_eq!(used, [false, false, true], "{decoded:#?}");
}

#[test]
fn upstream_whose_cluster_could_be_taken_for_another_is_refused() {
    let text = "kind: Upstream\nmetadata: {name: a, namespace: b_c}\nstatic: {hosts: [{addr: 10.0.0.1, port: 80}]}\n";
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("a.yaml:1: error: Upstream b_c/a: an upstream's namespace must not contain _"),
        "{found:#?}"
    );
}

#[test]
fn matcher_of_a_table_may_leave_its_path_to_a_route_above() {
    let route = "{matchers: [{methods: [GET]}], INHERITdirectResponseAction: {status: 200}}";
    let table = |inherit: &str| {
        format!("kind: RouteTable\nmetadata: {{name: t}}\nroutes:\n- {}\n", route.replace("INHERIT", inherit))
    };
    assert_eq!(findings(&table("")), Vec::<String>::new());
    assert_eq!(findings(&table("inheritablePathMatchers: false, ")).len(), 1);
    let service =
        format!("kind: VirtualService\nmetadata: {{name: v}}\nvirtualHost:\n  routes:\n  - {route}\n");
    assert_eq!(findings(&service.replace("INHERIT", "")).len(), 1);
}
