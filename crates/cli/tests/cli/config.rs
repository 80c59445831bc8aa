//! Where settings come from, and what happens to settings that nobody knows.

use serde_json::json;

use crate::support::Place;

const SHOW: [&str; 3] = ["config", "show", "--origin"];

fn origins(place: &Place, variables: &[(&str, &str)], flags: &[&str], name: &str) -> serde_json::Value {
    let arguments: Vec<_> = SHOW.iter().chain(&["-o", "json"]).chain(flags).copied().collect();
    let run = place.run_with(variables, &arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    run.json()[name].clone()
}

#[test]
fn each_layer_wins_over_those_below_it_and_is_named() {
    let place = Place::with(&[("biplane.yaml", "# settings\nxds: 127.0.0.1:2\n")]);
    let empty = Place::new();
    let variable = [("BIPLANE_XDS", "127.0.0.1:3")];
    let flag = ["--xds", "127.0.0.1:4"];
    let shown = |value: &str, origin: &str| json!({ "value": value, "origin": origin });
    assert_eq!(origins(&empty, &[], &[], "xds"), shown("127.0.0.1:9977", "default"));
    assert_eq!(origins(&place, &[], &[], "xds"), shown("127.0.0.1:2", "biplane.yaml:2"));
    assert_eq!(origins(&place, &variable, &[], "xds"), shown("127.0.0.1:3", "BIPLANE_XDS"));
    assert_eq!(origins(&place, &variable, &flag, "xds"), shown("127.0.0.1:4", "--xds"));
}

#[test]
fn a_layer_that_says_nothing_about_a_setting_leaves_it() {
    let place = Place::with(&[("biplane.yaml", "xds: 127.0.0.1:2\nstateDir:\n")]);
    let shown = origins(&place, &[("BIPLANE_XDS", "")], &["--drain", "1s"], "xds");
    assert_eq!(shown["origin"], "biplane.yaml:1");
    assert_eq!(origins(&place, &[], &[], "stateDir"), json!({ "value": null, "origin": "not set" }));
}

#[test]
fn state_directory_of_the_service_manager_counts_unless_a_setting_names_another() {
    let place = Place::new();
    let both = [("STATE_DIRECTORY", "/var/lib/biplane:/var/lib/other"), ("BIPLANE_STATE_DIR", "/srv")];
    let given = json!({ "value": "/var/lib/biplane", "origin": "STATE_DIRECTORY" });
    assert_eq!(origins(&place, &both[..1], &[], "stateDir"), given);
    let set = json!({ "value": "/srv", "origin": "BIPLANE_STATE_DIR" });
    assert_eq!(origins(&place, &both, &[], "stateDir"), set);
}

#[test]
fn rust_log_is_honoured_and_biplane_log_goes_before_it() {
    let place = Place::new();
    let both = [("RUST_LOG", "debug"), ("BIPLANE_LOG", "warn")];
    assert_eq!(origins(&place, &both[..1], &[], "log"), json!({ "value": "debug", "origin": "RUST_LOG" }));
    assert_eq!(origins(&place, &both, &[], "log"), json!({ "value": "warn", "origin": "BIPLANE_LOG" }));
}

#[test]
fn the_file_is_the_one_that_is_named() {
    let place = Place::with(&[
        ("biplane.yaml", "drain: 1s"),
        ("other.yaml", "drain: 2s"),
        ("third.yaml", "drain: 3s"),
    ]);
    let variable = [("BIPLANE_CONFIG", "third.yaml")];
    assert_eq!(origins(&place, &[], &[], "drain")["origin"], "biplane.yaml:1");
    assert_eq!(origins(&place, &variable, &[], "drain")["origin"], "third.yaml:1");
    assert_eq!(origins(&place, &variable, &["--config", "other.yaml"], "drain")["origin"], "other.yaml:1");
    let run = place.run(&["config", "show", "--config", "missing.yaml"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("no settings file missing.yaml"), "{}", run.stderr);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let settings = "store: file:///r\nadmim: 127.0.0.1:1\nholdDeletions: 30\nresync: [5m]\nlogFormat: xml\n";
    let place = Place::with(&[("biplane.yaml", settings)]);
    let run = place.run_with(
        &[("BIPLANE_STOER", "x"), ("BIPLANE_DRAIN", "soon"), ("BIPLANE_BIN", "x"), ("BIPLANE_ENVOY", "x")],
        &["config", "show", "--xds", "0.0.0.0:9977"],
    );
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let told = [
        "biplane.yaml:2: there is no setting \"admim\"\n  hint: did you mean \"admin\"?\n",
        "biplane.yaml:3: holdDeletions: \"30\" is not a duration",
        "biplane.yaml:4: resync is one value, not a list or a map\n",
        "biplane.yaml:5: logFormat: \"xml\" is neither \"human\" nor \"json\"",
        "BIPLANE_STOER: no setting has this variable\n  hint: did you mean BIPLANE_STORE?\n",
        "BIPLANE_DRAIN: \"soon\" is not a duration",
        "--xds: 0.0.0.0:9977 is not on loopback",
    ];
    for told in told {
        assert!(run.stderr.contains(told), "{told:?} is not in {}", run.stderr);
    }
    assert!(!run.stderr.contains("BIPLANE_BIN") && !run.stderr.contains("BIPLANE_ENVOY"), "{}", run.stderr);
}

#[test]
fn settings_of_the_api_must_fit_together() {
    let settings = "adminTlsCert: a.pem\nguardPercent: 101\nguard: maybe\napi: http://u:canary@h\n";
    let place = Place::with(&[("biplane.yaml", settings)]);
    let run = place.run(&["config", "show", "--admin", "0.0.0.0:9978", "--leader", "no"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    for told in [
        "biplane.yaml:1: adminTlsCert: it is of no use without adminTlsKey\n",
        "biplane.yaml:2: guardPercent: \"101\" is no percentage from 0 to 100\n",
        "biplane.yaml:3: guard: \"maybe\" is neither on nor off\n",
        "biplane.yaml:4: api: \"http://[redacted]@h\" is none of http://127.0.0.1:9978",
        "--leader: \"no\" is neither on nor off",
    ] {
        assert!(run.stderr.contains(told), "{told:?} is not in {}", run.stderr);
    }
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
}

#[test]
fn the_api_is_served_beyond_loopback_only_with_tls_and_tokens() {
    let place = Place::new();
    let open = ["config", "show", "--admin", "0.0.0.0:9978", "--admin-tokens-file", "tokens"];
    assert!(place.run(&open).stderr.contains("that takes adminTlsCert, adminTlsKey and adminTokensFile"));
    let tls = ["--admin-tls-cert", "cert.pem", "--admin-tls-key", "key.pem"];
    assert_eq!(place.run(&[&open[..], &tls].concat()).code, Some(0));
}

#[test]
fn credentials_in_a_url_do_not_show() {
    let place = Place::with(&[("biplane.yaml", "store: etcd://root:canary@a:2379,b:2379/biplane\n")]);
    for format in ["table", "yaml", "json"] {
        let run = place.run(&[&SHOW[..], &["-o", format]].concat());
        assert!(run.stdout.contains("etcd://[redacted]@a:2379,b:2379/biplane"), "{}", run.stdout);
        assert!(!run.stdout.contains("canary"), "{}", run.stdout);
    }
}

#[test]
fn a_file_that_is_no_yaml_is_refused_with_its_line() {
    for (text, line) in [("xds: a\nadmin: [\n", 2), ("store: a\nstore: b\n", 2), ("- a\n", 1)] {
        let run = Place::with(&[("biplane.yaml", text)]).run(&SHOW);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(&format!("biplane.yaml:{line}: ")), "{}", run.stderr);
    }
}

#[test]
fn limits_of_the_xds_server_that_would_shut_everybody_out_are_refused() {
    let run = Place::with(&[("biplane.yaml", "xdsMaxStreams: 0\nxdsMaxConnections: many\n")]).run(&SHOW);
    assert_eq!(run.code, Some(2), "{run:?}");
    for line in [
        "biplane.yaml:1: xdsMaxStreams: \"0\" is no number from 1 on",
        "biplane.yaml:2: xdsMaxConnections: \"many\" is no number from 1 on",
    ] {
        assert!(run.stderr.contains(line), "{line} in {}", run.stderr);
    }
}

#[test]
fn the_table_is_made_for_people_and_for_awk() {
    let run = Place::new().run(&SHOW);
    let first: Vec<_> = run.stdout.lines().take(2).collect();
    assert_eq!(
        first,
        [
            "SETTING                   VALUE                          ORIGIN",
            "store                     file:///etc/biplane/resources  default"
        ]
    );
    assert!(run.stderr.contains("no settings file"), "{}", run.stderr);
}
