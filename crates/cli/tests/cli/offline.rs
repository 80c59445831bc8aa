//! `validate` and `translate`: everything that is wrong at once, and what Envoy would get.

use serde_json::json;

use crate::support::{Place, example};

const GOOD: &str = "\
kind: Upstream
metadata: {name: good, namespace: default}
spec:
  static:
    hosts: [{addr: 127.0.0.1, port: 8081}]
";

/// Mistakes of different kinds, several in one object, several objects in one file.
const MISTAKES: [(&str, &str); 3] = [
    (
        "routes/web.yaml",
        "\
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers:
          - prefx: /
        routeAction:
          single:
            upstream: {name: good}
        options:
          timeout: soon
---
kind: VirtualService
metadata: {name: other, namespace: default}
spec:
  virtualHost:
    domains: ['other.example.com']
    routes:
      - matchers:
          - regex: '(?=x)'
        directResponseAction: {status: 999}
",
    ),
    (
        "gateway.json",
        "{\"kind\": \"Gateway\", \"metadata\": {\"name\": \"web\", \"namespace\": \"default\"},\n \"spec\": {\"bindPort\": 70000, \"httpGateway\": {}}}\n",
    ),
    ("nonsense.yaml", "kind: Ingress\nmetadata: {name: a}\n"),
];

fn mistakes() -> Place {
    let place = Place::with(&MISTAKES);
    place.write("good.yaml", GOOD);
    place
}

#[test]
fn every_mistake_is_told_at_once_with_file_line_object_and_field() {
    let place = mistakes();
    let run = place.run(&["validate", "."]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let expected = [
        "gateway.json:2: error: Gateway default/web: bindPort: ",
        "nonsense.yaml:1: error: ",
        "routes/web.yaml:8: error: VirtualService default/web: virtualHost.routes[0].matchers[0].prefx: ",
        "routes/web.yaml:13: error: VirtualService default/web: virtualHost.routes[0].options.timeout: ",
        "routes/web.yaml:22: error: VirtualService default/other: virtualHost.routes[0].matchers[0].regex: ",
        "routes/web.yaml:23: error: VirtualService default/other: virtualHost.routes[0].directResponseAction.status: ",
    ];
    for expected in expected {
        assert!(
            run.stdout.lines().any(|line| line.starts_with(expected)),
            "{expected:?} is not in\n{}",
            run.stdout
        );
    }
    assert!(run.stdout.contains("\n  hint: "), "no advice in\n{}", run.stdout);
    assert!(run.stderr.contains(" errors in "), "{}", run.stderr);
    assert!(!run.stderr.contains(".yaml:"), "findings are data and belong on stdout: {}", run.stderr);
}

#[test]
fn findings_for_machines_say_the_same() {
    let place = mistakes();
    let (text, machine) = (place.run(&["validate", "."]), place.run(&["validate", ".", "-o", "json"]));
    let told = machine.json();
    assert_eq!(machine.code, Some(1));
    let errors = text.stdout.lines().filter(|line| line.contains(": error: ")).count();
    assert_eq!(told["errors"], json!(errors));
    let reports = told["reports"].as_array().expect("a list");
    let timeout = reports
        .iter()
        .find(|report| report["path"] == "virtualHost.routes[0].options.timeout")
        .expect("the wrong timeout");
    assert_eq!(timeout["location"], "routes/web.yaml:13");
    assert_eq!(timeout["object"], "VirtualService default/web");
    assert_eq!(timeout["severity"], "error");
}

#[test]
fn places_can_be_opened_from_where_the_user_is() {
    let place =
        Place::with(&[("conf/bad.yaml", "kind: Gateway\nmetadata: {name: a}\nspec:\n  bindPort: 0\n")]);
    for path in ["conf", "conf/", "conf/bad.yaml"] {
        let run = place.run(&["validate", path]);
        assert!(run.stdout.starts_with("conf/bad.yaml:4: error: "), "{path}: {run:?}");
    }
}

#[test]
fn a_good_tree_is_silent_on_stdout_and_ends_with_0() {
    let run = Place::with(&[("good.yaml", GOOD)]).run(&["validate", "."]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(0), "", "1 object, nothing wrong\n")
    );
}

#[test]
fn what_only_the_translation_sees_is_told_with_its_place_and_as_a_warning_ends_with_0_unless_strict() {
    let place = Place::with(&[(
        "web.yaml",
        "\
kind: Gateway
metadata: {name: web, namespace: default}
spec: {bindPort: 8080, httpGateway: {}}
---
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  virtualHost:
    routes:
      - routeAction: {single: {upstream: {name: missing}}}
",
    )]);
    let run = place.run(&["validate", "."]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let warning = run.stdout.lines().find(|line| line.contains(": warning: VirtualService default/web: "));
    let warning = warning.unwrap_or_else(|| panic!("{run:?}"));
    assert!(warning.starts_with("web.yaml:") && warning.contains("default/missing"), "{warning}");
    let strict = place.run(&["validate", "--strict", "."]);
    assert_eq!((strict.code, strict.stdout), (Some(1), run.stdout));
}

#[test]
fn a_root_that_is_not_there_is_not_an_empty_one() {
    for verb in ["validate", "translate"] {
        let run = Place::new().run(&[verb, "nowhere"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:?}");
    }
    let empty = Place::new().run(&["validate", "."]);
    let warning = "warning: no .yaml, .yml or .json with resources below .\n";
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), warning), "{empty:?}");
    let strict = Place::new().run(&["validate", "--strict", "."]);
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(1), warning), "{strict:?}");
}

#[test]
fn every_example_is_valid() {
    for name in ["quickstart", "gloo-files", "tls", "delegation", "canary", "grpc"] {
        let run = Place::new().run(&["validate", "--strict", &example(&format!("{name}/resources"))]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{name}: {run:?}");
    }
}

#[test]
fn translate_prints_what_envoy_would_get_by_fleet_and_type() {
    let resources = example("quickstart/resources");
    let run = Place::new().run(&["translate", &resources, "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let fleet = &run.json()["fleets"]["gateway-proxy"];
    let names: Vec<_> =
        ["listeners", "routes", "clusters"].iter().map(|kind| &fleet[kind][0]["name"]).collect();
    assert_eq!(names, ["listener-127.0.0.1-8080", "listener-127.0.0.1-8080-routes", "demo_default"]);
    let yaml = Place::new().run(&["translate", &resources, "--fleet", "gateway-proxy"]);
    assert!(yaml.stdout.starts_with("fleets:\n  gateway-proxy:\n    listeners:\n"), "{}", yaml.stdout);
}

#[test]
fn translate_refuses_a_fleet_that_nothing_makes() {
    let run = Place::new().run(&["translate", &example("quickstart/resources"), "--fleet", "edge"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert!(run.stderr.contains("hint: the fleets are gateway-proxy"), "{}", run.stderr);
}

#[test]
fn translate_never_prints_a_private_key() {
    let run = Place::new().run(&["translate", &example("tls/resources"), "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("BEGIN CERTIFICATE"), "the certificate is public: {}", run.stdout);
    for stream in [&run.stdout, &run.stderr] {
        assert!(!stream.contains("PRIVATE KEY"), "{stream}");
    }
}
