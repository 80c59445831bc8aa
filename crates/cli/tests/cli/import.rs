//! `import gloo`: everything that can be taken is taken, everything else is told, and nothing is overwritten.

use std::fs;
use std::path::Path;

use biplane_testkit::{Authority, Identity};
use serde_json::json;

use crate::support::{Place, Run};

const GATEWAY: &str = "\
# The edge. Ask the platform team before you touch it.
metadata:
  name: gateway-proxy
  namespace: gloo-system
bindAddress: 127.0.0.1
bindPort: 8080 # behind the load balancer
httpGateway: {}
status:
  reportedBy: gloo
  state: Accepted
";

const UPSTREAM: &str = "\
metadata:
  name: petstore
  namespace: gloo-system
static:
  hosts:
  - {addr: 127.0.0.1, port: 8081}
";

const SERVICE: &str = "\
metadata:
  name: petstore
  namespace: gloo-system
namespacedStatuses:
  statuses:
    gloo-system: {state: Accepted}
virtualHost:
  domains: ['*']
  routes:
  - matchers:
    - prefix: /
    routeAction:
      single:
        upstream: {name: petstore, namespace: gloo-system}
    options:
      extauth: {configRef: {name: a, namespace: b}}
";

const SECRET: &str = "metadata: {name: token, namespace: gloo-system}\naccountCredentials: {username: canary, password: canary}\n";

/// What Gloo keeps, all of which can be taken.
const WHOLE: [(&str, &str); 2] = [
    ("gloo/gateways/gloo-system/gateway-proxy.yaml", GATEWAY),
    ("gloo/upstreams/gloo-system/petstore.yaml", UPSTREAM),
];

/// What cannot, or not as a whole.
const REST: [(&str, &str); 5] = [
    ("gloo/virtualservices/gloo-system/petstore.yaml", SERVICE),
    (
        "gloo/upstreams/gloo-system/broken.yaml",
        "metadata: {name: broken, namespace: gloo-system}\nkube: {serviceName: a}\n",
    ),
    ("gloo/secrets/gloo-system/token.yaml", SECRET),
    ("gloo/authconfigs/gloo-system/a.yaml", "metadata: {name: a, namespace: gloo-system}\nconfigs: []\n"),
    (
        "gloo/proxies/gloo-system/gateway-proxy.yaml",
        "metadata: {name: gateway-proxy, namespace: gloo-system}\nlisteners: []\n",
    ),
];

fn everything() -> Place {
    Place::with(&[&WHOLE[..], &REST[..]].concat())
}

fn import(place: &Place, more: &[&str]) -> Run {
    place.run(&[&["import", "gloo", "--from", "gloo"], more].concat())
}

#[test]
fn what_can_be_taken_is_taken_as_it_is_written_and_the_rest_is_told() {
    let place = everything();
    let run = import(&place, &["--to", "own"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(
        run.stdout,
        "\
gloo/authconfigs/gloo-system/a.yaml:1: error: Gloo's kind AuthConfig is not read by Biplane
  hint: it belongs to Gloo's enterprise edition and has no counterpart yet
gloo/secrets/gloo-system/token.yaml:2: error: Secret gloo-system/token: accountCredentials: secrets of this form are not supported
gloo/upstreams/gloo-system/broken.yaml:2: error: Upstream gloo-system/broken: kube: upstreams of Kubernetes services are not supported; write their hosts under `static`
gloo/virtualservices/gloo-system/petstore.yaml:16: warning: VirtualService gloo-system/petstore: virtualHost.routes[0].options.extauth: Gloo's field \"extauth\" has no effect: not supported yet
  hint: requests are let through without it; guard them elsewhere first

RESULT    KIND            NAMESPACE    NAME           FIELDS LEFT OUT
created   Gateway         gloo-system  gateway-proxy  -
created   VirtualService  gloo-system  petstore       1
left out  Upstream        gloo-system  broken         -
created   Upstream        gloo-system  petstore       -
left out  Secret          gloo-system  token          -
"
    );
    assert_eq!(
        run.stderr,
        "\
5 objects: 3 created, 2 left out
1 field left out of objects that were taken
1 document left out: no object that Biplane has, or given twice
2 objects without the status that Gloo wrote: `biplane status` tells it
"
    );
    let stored =
        fs::read_to_string(place.path("own/Gateway/gloo-system/gateway-proxy.yaml")).expect("written");
    assert_eq!(
        stored,
        "\
# The edge. Ask the platform team before you touch it.
kind: Gateway
metadata:
  name: gateway-proxy
  namespace: gloo-system
bindAddress: 127.0.0.1
bindPort: 8080 # behind the load balancer
httpGateway: {}
"
    );
}

#[test]
fn nothing_left_out_is_success_and_again_changes_nothing() {
    let place = Place::with(&WHOLE);
    let run = import(&place, &["--to", "own"]);
    assert_eq!((run.code, run.stderr.lines().next()), (Some(0), Some("2 objects: 2 created")), "{run:?}");
    let written = modified(&place.path("own/Upstream/gloo-system/petstore.yaml"));
    let again = import(&place, &["--to", "own"]);
    assert_eq!((again.code, again.stderr.lines().next()), (Some(0), Some("2 objects: 2 unchanged")));
    assert_eq!(modified(&place.path("own/Upstream/gloo-system/petstore.yaml")), written);
}

fn modified(path: &Path) -> std::time::SystemTime {
    fs::metadata(path).and_then(|file| file.modified()).expect("a file")
}

#[test]
fn a_document_of_an_object_that_is_given_twice_counts_as_left_out() {
    let place = Place::with(&WHOLE);
    place.write("gloo/upstreams/gloo-system/z.yaml", UPSTREAM);
    let run = import(&place, &["--dry-run"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("2 objects, nothing written: 2 created\n1 document left out"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_imported_is_served_as_what_was_there() {
    let place = everything();
    import(&place, &["--to", "own"]);
    let configuration = |store: &str| {
        let run = place.run(&["translate", store, "-o", "json"]);
        run.json()
    };
    assert_eq!(configuration("own"), configuration("gloo"));
    let run = place.run(&["validate", "own"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn what_gloo_computes_for_itself_is_no_mistake_in_a_directory_that_is_served_as_it_is() {
    let place = Place::with(&[&WHOLE[..], &REST[4..]].concat());
    let run = place.run(&["validate", "gloo", "--strict"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{run:?}");
    place.write("gloo/proxies/gloo-system/mine.yaml", "kind: Upstraem\nmetadata: {name: a}\n");
    assert!(place.run(&["validate", "gloo"]).stdout.contains("Upstraem"));
}

#[test]
fn an_object_that_says_something_else_is_overwritten_only_by_force() {
    let place = Place::with(&WHOLE);
    let theirs = UPSTREAM.replace("8081", "9999");
    place.write("own/Upstream/gloo-system/petstore.yaml", &theirs);
    let stored = || fs::read_to_string(place.path("own/Upstream/gloo-system/petstore.yaml")).expect("a file");

    let run = import(&place, &["--to", "own"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("differs  Upstream"), "{}", run.stdout);
    assert!(
        run.stdout.contains("-  - {addr: 127.0.0.1, port: 9999}\n+  - {addr: 127.0.0.1, port: 8081}\n"),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("--force") && run.stderr.contains("nothing written"), "{}", run.stderr);
    assert_eq!(stored(), theirs);
    assert!(!place.path("own/Gateway").exists(), "all or nothing");

    let run = import(&place, &["--to", "own", "--force"]);
    assert_eq!((run.code, run.stderr.lines().next()), (Some(0), Some("2 objects: 1 created, 1 overwritten")));
    assert_eq!(stored(), format!("kind: Upstream\n{UPSTREAM}"));
}

#[test]
fn a_dry_run_tells_the_same_and_writes_nothing_with_a_target_and_without() {
    let place = everything();
    for target in [&["--dry-run", "--to", "own"][..], &["--dry-run"]] {
        let run = import(&place, target);
        assert_eq!(run.code, Some(1), "{run:?}");
        let first = run.stderr.lines().next();
        assert_eq!(first, Some("5 objects, nothing written: 3 created, 2 left out"));
        assert!(!place.path("own").exists());
    }
}

#[test]
fn machines_get_the_whole_report_as_one_object() {
    let place = everything();
    let report = import(&place, &["--to", "own", "-o", "json"]).json();
    assert_eq!(
        report["summary"],
        json!({
            "created": 3, "unchanged": 0, "overwritten": 0, "differing": 0, "leftOut": 2,
            "documentsLeftOut": 1, "fieldsLeftOut": 1, "statusesDropped": 2, "errors": 0,
        })
    );
    assert_eq!(
        report["objects"][1],
        json!({
            "kind": "VirtualService", "namespace": "gloo-system", "name": "petstore", "result": "created",
            "location": "gloo/virtualservices/gloo-system/petstore.yaml:1", "fieldsLeftOut": 1,
        })
    );
    let finding = &report["findings"][3];
    assert_eq!(
        (finding["leftOut"].as_str(), finding["path"].as_str()),
        (Some("field"), Some("virtualHost.routes[0].options.extauth"))
    );
    assert_eq!(report["dryRun"], false);
}

#[test]
fn what_validation_says_about_the_whole_is_told_at_its_place_in_the_source() {
    let place = Place::with(&WHOLE);
    place.write(
        "gloo/virtualservices/gloo-system/petstore.yaml",
        &SERVICE.replace("{name: petstore, ", "{name: gone, "),
    );
    let run = import(&place, &["--dry-run"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stdout.contains("gloo/virtualservices/gloo-system/petstore.yaml:") && run.stdout.contains("gone"),
        "{}",
        run.stdout
    );
}

#[test]
fn no_secret_is_in_anything_that_is_said() {
    let place = everything();
    let secret = |identity: &Identity| {
        let indented = |pem: &str| format!("    {}\n", pem.trim_end().replace('\n', "\n    "));
        let (certificate, key) = (indented(&identity.certificate), indented(&identity.key));
        format!(
            "metadata: {{name: good, namespace: gloo-system}}\ntls:\n  certChain: |\n{certificate}  privateKey: |\n{key}"
        )
    };
    let authority = Authority::new("test");
    let (old, new) = (authority.issue(&["a"]), authority.issue(&["a"]));
    place.write("own/Secret/gloo-system/good.yaml", &secret(&old));
    place.write("gloo/secrets/gloo-system/good.yaml", &secret(&new));
    place.write("gloo/secrets/gloo-system/odd.yaml", "metadata: {name: odd, namespace: gloo-system}\ntls: {certChain: canary, privateKey: canary, odd: canary}\n");
    let keys = [&old.key, &new.key].into_iter().chain([&old.certificate, &new.certificate]);
    let canaries: Vec<_> =
        keys.flat_map(|pem| pem.lines().filter(|line| !line.starts_with("--"))).chain(["canary"]).collect();
    for output in ["text", "json"] {
        for more in [&["--dry-run"][..], &["--to", "own"], &["--to", "own", "--force"]] {
            let run = import(&place, &[more, &["-o", output]].concat());
            assert!(run.stdout.contains("good") && run.code == Some(1), "{run:?}");
            for canary in &canaries {
                assert!(!run.stdout.contains(canary) && !run.stderr.contains(canary), "{run:?}");
            }
        }
        place.write("own/Secret/gloo-system/good.yaml", &secret(&old));
    }
}

#[test]
fn mistakes_say_what_to_try() {
    let place = Place::with(&WHOLE);
    let refused = |arguments: &[&str]| {
        let run = place.run(&[&["import", "gloo"], arguments].concat());
        (run.code, run.stderr)
    };
    let (code, said) = refused(&["--from", "gloo"]);
    assert!(code == Some(2) && said.contains("--to"), "{said}");
    let (code, said) = refused(&["--from", "etcd://127.0.0.1:1/gloo", "--dry-run"]);
    assert!(code == Some(2) && said.contains("hint: ") && said.contains("consul://"), "{said}");
    let (code, said) = refused(&["--from", "nowhere", "--dry-run"]);
    assert!(code == Some(3) && said.contains("nowhere") && said.contains("hint: "), "{said}");
    fs::create_dir(place.path("empty")).expect("a folder");
    let (code, said) = refused(&["--from", "empty", "--dry-run"]);
    assert!(code == Some(1) && said.contains("no objects at"), "{said}");
}
