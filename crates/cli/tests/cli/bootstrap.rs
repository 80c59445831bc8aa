//! The bootstrap that Envoys start from: the settings that matter, and a real Envoy's opinion.

use biplane_testkit::envoy;
use serde_json::json;

use crate::support::Place;

const BOOTSTRAP: [&str; 4] = ["envoy", "bootstrap", "--id", "edge-1"];

fn bootstrap(more: &[&str]) -> String {
    let arguments: Vec<_> = BOOTSTRAP.iter().chain(more).copied().collect();
    let run = Place::new().run(&arguments);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    run.stdout
}

#[test]
fn envoy_accepts_every_form() {
    let forms: [&[&str]; 5] = [
        &[],
        &["-o", "json"],
        &["--sotw"],
        &["--xds", "biplane.internal:9977", "--fleet", "edge~1", "--admin", "127.0.0.1:0"],
        &["--xds", "[::1]:9977", "--admin", "[::1]:19000"],
    ];
    for form in forms {
        envoy::validate(&bootstrap(form)).unwrap_or_else(|error| panic!("{form:?}: {error:#}"));
    }
}

#[test]
fn the_bootstrap_has_what_keeps_traffic_flowing() {
    let text = bootstrap(&["-o", "json", "--fleet", "edge"]);
    let bootstrap: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bootstrap["node"], json!({ "id": "edge-1", "cluster": "edge" }));
    let dynamic = &bootstrap["dynamic_resources"];
    assert_eq!(dynamic["ads_config"]["api_type"], "DELTA_GRPC");
    assert_eq!(dynamic["ads_config"]["set_node_on_first_message_only"], true);
    let retries = &dynamic["ads_config"]["grpc_services"][0]["envoy_grpc"]["retry_policy"];
    assert_eq!(retries["retry_back_off"], json!({ "base_interval": "0.5s", "max_interval": "5s" }));
    let source = json!({ "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s" });
    assert_eq!((&dynamic["cds_config"], &dynamic["lds_config"]), (&source, &source));
    let layer = &bootstrap["layered_runtime"]["layers"][0]["static_layer"];
    assert!(layer["re2.max_program_size.error_level"].as_u64().is_some_and(|size| size > 100), "{layer}");
    let admin = &bootstrap["admin"]["address"]["socket_address"];
    assert_eq!(admin["address"], "127.0.0.1", "Envoy's admin interface must not be open to others");
}

#[test]
fn help_says_what_a_second_envoy_on_one_machine_needs() {
    let run = Place::new().run(&["envoy", "bootstrap", "--help"]);
    for flag in ["own --id and --admin", "--base-id 1", "--use-dynamic-base-id"] {
        assert!(run.stdout.contains(flag), "{flag} is not in {}", run.stdout);
    }
}

#[test]
fn an_envoy_that_would_get_nothing_is_refused() {
    let wrong: [&[&str]; 4] =
        [&["--fleet", ""], &["--id", ""], &["--xds", "9977"], &["--admin", "localhost"]];
    for wrong in wrong {
        let arguments: Vec<_> = ["envoy", "bootstrap"].iter().chain(wrong).copied().collect();
        let run = Place::new().run(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong:?}: {run:?}");
    }
}
