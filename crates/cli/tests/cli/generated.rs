//! Schemas, completions, help, version: what other tools read, whole or in part.

use std::process::Stdio;

use crate::support::Place;

#[test]
fn a_schema_is_json_and_says_what_kind_it_is_of() {
    let place = Place::new();
    for kind in ["VirtualService", "virtualservice", "virtualservices", "vs"] {
        let run = place.run(&["schema", kind]);
        assert_eq!((run.code, run.json()["title"].as_str()), (Some(0), Some("VirtualService")));
    }
    let all = place.run(&["schema"]);
    assert_eq!(all.code, Some(0));
    for kind in ["Gateway", "RouteTable", "UpstreamGroup", "Secret"] {
        assert!(all.json().to_string().contains(&format!("\"{kind}\"")), "{kind} is missing");
    }
}

#[test]
fn a_kind_that_is_none_is_refused_with_those_that_are() {
    let run = Place::new().run(&["schema", "Ingress"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("hint: the kinds are Gateway, VirtualService"), "{}", run.stderr);
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let run = Place::new().run(&["completions", shell]);
        assert_eq!(run.code, Some(0));
        for word in ["quickstart", "describe", "virtualservices"] {
            assert!(run.stdout.contains(word), "{word} in {shell}");
        }
    }
}

#[test]
fn the_manual_has_a_page_for_every_verb_and_for_the_settings() {
    let place = Place::new();
    assert_eq!(place.run(&["man", "man"]).code, Some(0));
    let page = |name: &str| std::fs::read_to_string(place.path("man").join(name)).expect("a page");
    assert!(page("biplane-envoy-bootstrap.1").contains("TH biplane-envoy-bootstrap 1"));
    assert!(page("biplane.1").contains("biplane\\-reload(1)"));
    let settings = page("biplane.yaml.5");
    for word in ["stateDir", "BIPLANE_STATE_DIR", "\\-\\-state\\-dir"] {
        assert!(settings.contains(word), "{word}: {settings}");
    }
}

#[test]
fn help_lists_the_exit_codes_and_every_verb() {
    let run = Place::new().run(&["--help"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("Exit codes:\n  0  done, and all is well\n"), "{}", run.stdout);
    let verbs = "serve quickstart init get describe apply diff edit delete history rollback watch status check explain \
                 source admin validate translate envoy schema config completions version";
    for verb in verbs.split_whitespace() {
        assert!(run.stdout.contains(&format!("\n  {verb} ")), "{verb} is missing in {}", run.stdout);
    }
}

#[test]
fn version_is_one_line_of_data() {
    let expected = format!("biplane {}\n", env!("CARGO_PKG_VERSION"));
    for form in ["version", "--version"] {
        assert_eq!(Place::new().run(&[form]).stdout, expected);
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for wrong in [&["fly"][..], &["validate"], &["status", "--color"], &[]] {
        assert_eq!(Place::new().run(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_reader_that_closes_early_is_no_error() {
    for arguments in [&["schema"][..], &["completions", "bash"], &["--help"]] {
        let place = Place::new();
        let mut child = place
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
    }
}
