//! A tree with twenty mistakes, each of another kind and in a file of its own: one run of `validate`
//! tells all of them, with file, line and field.

use crate::support::Place;

/// A file's text, and how the line about it begins.
const MISTAKES: [(&str, &str); 20] = [
    (
        "unknown-kind.yaml:1: error: ",
        "\
kind: Ingress
metadata: {name: a}
",
    ),
    (
        "unknown-field.yaml:6: error: Gateway default/a: bindAddres: ",
        "\
kind: Gateway
metadata: {name: a, namespace: default}
spec:
  httpGateway: {}
  bindPort: 8080
  bindAddres: 127.0.0.1
",
    ),
    (
        "wrong-type.yaml:5: error: Gateway default/b: bindPort: ",
        "\
kind: Gateway
metadata: {name: b, namespace: default}
spec:
  httpGateway: {}
  bindPort: many
",
    ),
    (
        "out-of-range.yaml:5: error: Gateway default/c: bindPort: ",
        "\
kind: Gateway
metadata: {name: c, namespace: default}
spec:
  httpGateway: {}
  bindPort: 70000
",
    ),
    (
        "not-an-address.yaml:6: error: Gateway default/d: bindAddress: ",
        "\
kind: Gateway
metadata: {name: d, namespace: default}
spec:
  httpGateway: {}
  bindPort: 8080
  bindAddress: localhost
",
    ),
    (
        "unknown-enum.yaml:8: error: VirtualService default/e: virtualHost.routes[0].redirectAction.responseCode: ",
        "\
kind: VirtualService
metadata: {name: e, namespace: default}
spec:
  virtualHost:
    routes:
      - redirectAction:
          hostRedirect: a.example.com
          responseCode: MOVED
",
    ),
    (
        "duration.yaml:8: error: VirtualService default/f: virtualHost.routes[0].options.timeout: ",
        "\
kind: VirtualService
metadata: {name: f, namespace: default}
spec:
  virtualHost:
    routes:
      - directResponseAction: {status: 200}
        options:
          timeout: soon
",
    ),
    (
        "no-action.yaml:6: error: VirtualService default/g: virtualHost.routes[0]: ",
        "\
kind: VirtualService
metadata: {name: g, namespace: default}
spec:
  virtualHost:
    routes:
      - matchers:
          - prefix: /
",
    ),
    (
        "two-actions.yaml:6: error: VirtualService default/h: virtualHost.routes[0]: ",
        "\
kind: VirtualService
metadata: {name: h, namespace: default}
spec:
  virtualHost:
    routes:
      - directResponseAction: {status: 200}
        redirectAction: {hostRedirect: a.example.com}
",
    ),
    (
        "two-paths.yaml:7: error: VirtualService default/i: virtualHost.routes[0].matchers[0]: ",
        "\
kind: VirtualService
metadata: {name: i, namespace: default}
spec:
  virtualHost:
    routes:
      - matchers:
          - prefix: /
            exact: /a
        directResponseAction: {status: 200}
",
    ),
    (
        "regex.yaml:7: error: VirtualService default/j: virtualHost.routes[0].matchers[0].regex: ",
        "\
kind: VirtualService
metadata: {name: j, namespace: default}
spec:
  virtualHost:
    routes:
      - matchers:
          - regex: '/a(?=b)'
        directResponseAction: {status: 200}
",
    ),
    (
        "status-code.yaml:7: error: VirtualService default/k: virtualHost.routes[0].directResponseAction.status: ",
        "\
kind: VirtualService
metadata: {name: k, namespace: default}
spec:
  virtualHost:
    routes:
      - directResponseAction:
          status: 999
",
    ),
    (
        "weights.yaml:8: error: VirtualService default/l: virtualHost.routes[0].routeAction.multi.destinations: ",
        "\
kind: VirtualService
metadata: {name: l, namespace: default}
spec:
  virtualHost:
    routes:
      - routeAction:
          multi:
            destinations:
              - destination: {upstream: {name: x}}
                weight: 0
",
    ),
    (
        "relative-path.yaml:7: error: VirtualService default/m: virtualHost.routes[0].matchers[0].prefix: ",
        "\
kind: VirtualService
metadata: {name: m, namespace: default}
spec:
  virtualHost:
    routes:
      - matchers:
          - prefix: api
        directResponseAction: {status: 200}
",
    ),
    (
        "domain.yaml:6: error: VirtualService default/n: virtualHost.domains[0]: ",
        "\
kind: VirtualService
metadata: {name: n, namespace: default}
spec:
  virtualHost:
    domains:
      - a.*.example.com
    routes: []
",
    ),
    (
        "no-hosts-port.yaml:7: error: Upstream default/o: static.hosts[0].port: ",
        "\
kind: Upstream
metadata: {name: o, namespace: default}
spec:
  static:
    hosts:
      - addr: 127.0.0.1
        port: 0
",
    ),
    (
        "two-types.yaml:4: error: Upstream default/p: ",
        "\
kind: Upstream
metadata: {name: p, namespace: default}
spec:
  static:
    hosts: [{addr: 127.0.0.1, port: 1}]
  pipe: {path: /run/a.sock}
",
    ),
    (
        "timeouts.yaml:7: error: Upstream default/q: connectionConfig.connectTimeout: ",
        "\
kind: Upstream
metadata: {name: q, namespace: default}
spec:
  static:
    hosts: [{addr: 127.0.0.1, port: 1}]
  connectionConfig:
    connectTimeout: 0s
",
    ),
    (
        "pem.yaml:5: error: Secret default/r: tls.certChain: ",
        "\
kind: Secret
metadata: {name: r, namespace: default}
spec:
  tls:
    certChain: nonsense
    privateKey: canary
",
    ),
    (
        "syntax.yaml:3: error: Gateway default/s: ",
        "\
kind: Gateway
metadata: {name: s, namespace: default}
spec: [
",
    ),
];

#[test]
fn twenty_mistakes_are_twenty_findings_with_file_line_and_field() {
    let place = Place::new();
    for (finding, text) in MISTAKES {
        let (file, _) = finding.split_once(':').expect("a file and a line");
        place.write(file, text);
    }
    let run = place.run(&["validate", "."]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let missing: Vec<_> = MISTAKES
        .iter()
        .filter(|(finding, _)| !run.stdout.lines().any(|line| line.starts_with(finding)))
        .collect();
    assert!(missing.is_empty(), "{missing:#?} in\n{}", run.stdout);
}
