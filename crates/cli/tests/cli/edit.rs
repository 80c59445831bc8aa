//! `edit`: what a person types is written, or kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use biplane_testkit::Authority;

use crate::server::World;
use crate::support::Run;

const UPSTREAM: &str = "\
# the demo
kind: Upstream
metadata: {name: demo, namespace: default}
spec:
  static:
    hosts: [{addr: 127.0.0.1, port: 8081}]
";

/// Edits the upstream with a shell script as the editor; `$2` is the file.
fn edit(world: &World, script: &str) -> Run {
    edit_object(world, "us/default/demo", script)
}

fn edit_object(world: &World, object: &str, script: &str) -> Run {
    world.place.write("editor", &format!("#!/bin/sh\nset -e\n{script}\n"));
    let path = world.place.path("editor");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    // A flag in front of the file, as people write it for editors that return at once.
    let editor = format!("{} --wait", path.display());
    let way = world.way();
    world.place.run_with(&[("VISUAL", &editor)], &["edit", object, way[0], way[1]])
}

fn port(world: &World) -> String {
    let text = world.done(&["get", "us", "demo", "-o", "yaml"]).stdout;
    text.split("port: ").nth(1).expect("a port").trim_end_matches("}]\n").to_owned()
}

/// The file that a failure says it has kept.
fn kept(run: &Run) -> PathBuf {
    let place = run.stderr.split("the text is kept in ").nth(1).unwrap_or_else(|| panic!("{run:?}"));
    PathBuf::from(place.lines().next().expect("a path"))
}

#[tokio::test]
async fn what_is_saved_is_written_and_the_comments_stay() {
    for world in World::both().await {
        world.holds(UPSTREAM);
        let edited = edit(&world, "sed -i s/8081/8082/ \"$2\"");
        assert_eq!(
            (edited.code, edited.stdout.as_str()),
            (Some(0), "changed Upstream default/demo\n"),
            "{edited:?}"
        );
        let text = world.done(&["get", "us", "demo", "-o", "yaml"]).stdout;
        assert_eq!(text, UPSTREAM.replace("8081", "8082"));
    }
}

#[tokio::test]
async fn nothing_edited_is_nothing_written_and_an_editor_that_fails_says_so() {
    for world in World::both().await {
        world.holds(UPSTREAM);
        let left = edit(&world, "test \"$(stat -c %a \"$2\")\" = 600");
        assert_eq!((left.code, left.stdout.as_str()), (Some(0), ""), "{left:?}");
        assert!(left.stderr.contains("nothing was written"), "{left:?}");
        let failed = edit(&world, "exit 3");
        assert_eq!(failed.code, Some(4), "{failed:?}");
        assert!(failed.stderr.contains("hint: set VISUAL or EDITOR"), "{failed:?}");
        fs::remove_file(kept(&failed)).expect("it was kept");
    }
}

#[tokio::test]
async fn a_text_that_is_refused_is_opened_again_with_the_findings_on_top() {
    for world in World::both().await {
        world.holds(UPSTREAM);
        // The second time the findings are there, and what was wrong is put right.
        let mended = edit(
            &world,
            "if grep -q '^#biplane: .*static.hosts\\[0\\].port' \"$2\"; then sed -i s/70000/8083/ \"$2\"; \
             else sed -i s/8081/70000/ \"$2\"; fi",
        );
        assert_eq!(mended.code, Some(0), "{mended:?}");
        assert_eq!(world.done(&["get", "us", "demo", "-o", "yaml"]).stdout, UPSTREAM.replace("8081", "8083"));
    }
}

#[tokio::test]
async fn who_gives_up_on_a_refused_text_keeps_it() {
    for world in World::both().await {
        world.holds(UPSTREAM);
        let given_up = edit(&world, "sed -i s/8081/70000/ \"$2\"");
        assert_eq!((given_up.code, given_up.stdout.as_str()), (Some(1), ""), "{given_up:?}");
        let path = kept(&given_up);
        assert!(fs::read_to_string(&path).expect("it was kept").contains("port: 70000"));
        fs::remove_file(path).expect("ours");
        assert_eq!(port(&world), "8081");
    }
}

#[tokio::test]
async fn an_edit_never_undoes_what_somebody_else_has_changed_meanwhile() {
    for world in World::both().await {
        world.holds(UPSTREAM);
        world.place.write("other.yaml", &UPSTREAM.replace("8081", "9090"));
        let [flag, place] = world.way();
        let biplane = env!("CARGO_BIN_EXE_biplane");
        let script = format!("sed -i s/8081/8082/ \"$2\"; {biplane} apply -f other.yaml {flag} '{place}'");
        let conflict = edit(&world, &script);
        assert_eq!(conflict.code, Some(5), "{conflict:?}");
        assert!(conflict.stderr.contains("was changed by someone else"), "{conflict:?}");
        let path = kept(&conflict);
        assert!(fs::read_to_string(&path).expect("it was kept").contains("port: 8082"));
        fs::remove_file(path).expect("ours");
        assert_eq!(port(&world), "9090");
    }
}

#[tokio::test]
async fn a_secret_keeps_its_values_when_something_else_is_edited() {
    let pair = Authority::new("test").issue(&["example.com"]);
    for world in World::both().await {
        let indented = |pem: &str| format!("    {}\n", pem.trim_end().replace('\n', "\n    "));
        world.holds(&format!(
            "kind: Secret\nmetadata: {{name: tls, namespace: default}}\ntls:\n  certChain: |\n{}  privateKey: |\n{}",
            indented(&pair.certificate),
            indented(&pair.key)
        ));
        let edited =
            edit_object(&world, "secret/tls", "sed -i 's/^  namespace: .*/&\\n  labels: {app: web}/' \"$2\"");
        assert_eq!(edited.code, Some(0), "{edited:?}");
        let file = world.place.path("resources/managed/Secret/default/tls.yaml");
        let stored = fs::read_to_string(file).expect("it is there");
        assert!(stored.contains("PRIVATE KEY") && stored.contains("app: web"), "{stored}");
        assert!(
            !edited.stdout.contains("PRIVATE KEY") && !edited.stderr.contains("PRIVATE KEY"),
            "{edited:?}"
        );
    }
}
