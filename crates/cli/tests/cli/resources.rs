//! Reading and changing resources, through a control plane and straight to a store: both ways do and say
//! the same.

use serde_json::json;

use crate::server::{STORE, Server, World};
use crate::support::Place;

const UPSTREAM: &str = "\
# the demo
kind: Upstream
metadata: {name: demo, namespace: default, labels: {app: web}}
spec:
  static:
    hosts: [{addr: 127.0.0.1, port: 8081}]
";

const SERVICE: &str = "\
kind: VirtualService
metadata: {name: demo, namespace: default}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - routeAction: {single: {upstream: {name: demo}}}
";

/// An upstream in a namespace.
fn upstream(namespace: &str, name: &str) -> String {
    format!(
        "kind: Upstream\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{static: {{hosts: [{{addr: a, port: 1}}]}}}}\n"
    )
}

fn both() -> String {
    format!("{UPSTREAM}---\n{SERVICE}")
}

#[tokio::test]
async fn what_was_applied_is_read_back_in_every_form() {
    for world in World::both().await {
        world.place.write("app.yaml", &both());
        let applied = world.done(&["apply", "-f", "app.yaml"]);
        assert_eq!(applied.stdout, "created VirtualService default/demo\ncreated Upstream default/demo\n");
        assert!(applied.stderr.starts_with("2 created; the store is at revision "), "{applied:?}");
        assert_eq!(
            world.done(&["get"]).stdout,
            "KIND            NAMESPACE  NAME\n\
             VirtualService  default    demo\n\
             Upstream        default    demo\n"
        );
        assert_eq!(
            world.done(&["get", "VS"]).stdout,
            "NAMESPACE  NAME  DOMAINS  ROUTES  TLS\ndefault    demo  *        1       -\n"
        );
        assert_eq!(
            world.done(&["get", "upstreams", "demo"]).stdout,
            "NAMESPACE  NAME  TYPE    HOSTS\ndefault    demo  static  127.0.0.1:8081\n"
        );
        assert_eq!(world.done(&["get", "us/demo", "-o", "yaml"]).stdout, UPSTREAM);
        assert_eq!(world.done(&["get", "-o", "yaml"]).stdout, format!("{SERVICE}---\n{UPSTREAM}"));
        assert_eq!(
            world.done(&["get", "-o", "name"]).stdout,
            "VirtualService/default/demo\nUpstream/default/demo\n"
        );
        let wide = world.done(&["get", "us", "-o", "wide"]).stdout;
        let columns: Vec<_> = wide.lines().next().into_iter().flat_map(str::split_whitespace).collect();
        assert_eq!(columns[4..], ["STATE", "REVISION", "LABELS", "KEPT", "AT"], "{wide}");
        assert!(wide.contains("  accepted  "), "{wide}");
        assert!(wide.contains("app=web  managed/Upstream/default/demo.yaml:1"), "{wide}");
    }
}

#[tokio::test]
async fn json_is_one_resource_or_a_list_with_the_revision() {
    for world in World::both().await {
        world.holds(&both());
        let one = world.done(&["get", "upstream", "default/demo", "-o", "json"]).json();
        assert_eq!(one["document"]["spec"]["static"]["hosts"][0]["port"], 8081);
        assert_eq!(one["text"], UPSTREAM);
        let list = world.done(&["get", "-o", "json"]).json();
        let kinds: Vec<_> =
            list["items"].as_array().expect("a list").iter().map(|item| &item["kind"]).collect();
        assert_eq!(
            (kinds, list["revision"].is_u64()),
            (vec![&json!("VirtualService"), &json!("Upstream")], true)
        );
        let none = world.done(&["get", "secrets", "-o", "json"]);
        assert_eq!(none.json()["items"], json!([]));
        assert_eq!(none.stderr, "no such resources\n");
    }
}

#[tokio::test]
async fn labels_and_namespaces_choose() {
    for world in World::both().await {
        world.holds(&format!("{UPSTREAM}---\n{}---\n{}", upstream("edge", "a"), upstream("edge", "b")));
        let names = |more: &[&str]| world.done(&[&["get", "us", "-o", "name"], more].concat()).stdout;
        assert_eq!(names(&["-l", "app=web"]), "Upstream/default/demo\n");
        assert_eq!(names(&["-l", "!app"]), "Upstream/edge/a\nUpstream/edge/b\n");
        assert_eq!(names(&["-n", "edge"]), "Upstream/edge/a\nUpstream/edge/b\n");
        assert_eq!(names(&["-n", "nowhere"]), "");
        assert_eq!(world.run(&["get", "us", "-l", "a=b=c,="]).code, Some(2));
    }
}

#[tokio::test]
async fn applying_again_changes_what_differs_and_diff_says_it_before() {
    for world in World::both().await {
        world.holds(&both());
        world.place.write("app.yaml", &both().replace("8081", "8082"));
        let diff = world.run(&["diff", "-f", "app.yaml"]);
        assert_eq!(diff.code, Some(1), "{diff:?}");
        assert!(
            diff.stdout.contains("\n-    hosts: [{addr: 127.0.0.1, port: 8081}]\n+    hosts: "),
            "{diff:?}"
        );
        let tried = world.done(&["apply", "-f", "app.yaml", "--dry-run"]);
        assert_eq!(
            tried.stdout,
            "unchanged VirtualService default/demo (dry run)\nchanged Upstream default/demo (dry run)\n"
        );
        assert!(tried.stderr.contains("nothing was written"), "{tried:?}");
        assert!(world.done(&["get", "us", "-o", "yaml"]).stdout.contains("8081"), "a dry run wrote");
        assert_eq!(world.done(&["apply", "-f", "app.yaml", "-o", "name"]).stdout, "Upstream/default/demo\n");
        let same = world.done(&["diff", "-f", "app.yaml"]);
        assert_eq!((same.stdout.as_str(), same.stderr.as_str()), ("", ""));
    }
}

#[tokio::test]
async fn what_makes_it_worse_is_refused_with_every_finding_unless_it_is_forced() {
    for world in World::both().await {
        let bad = both().replace("port: 8081", "port: 0").replace("domains:", "domain:");
        world.place.write("dir/bad.yaml", &bad);
        let refused = world.run(&["apply", "-f", "dir"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        for told in [
            "dir/bad.yaml:6: error: Upstream default/demo: static.hosts[0].port: ",
            "dir/bad.yaml:12: error: VirtualService default/demo: virtualHost.domain: ",
            "hint: did you mean \"domains\"?",
            "error: nothing was changed: 2 errors would come in by it\n  hint: correct",
        ] {
            assert!(refused.stderr.contains(told), "{told:?} is not in {}", refused.stderr);
        }
        assert_eq!(world.done(&["get", "-o", "name"]).stdout, "");
        let forced = world.done(&["apply", "-f", "dir", "--force"]);
        assert_eq!(forced.stdout.lines().count(), 2, "{forced:?}");
    }
}

#[tokio::test]
async fn documents_that_are_no_objects_send_nothing() {
    for world in World::both().await {
        world.place.write("dir/good.yaml", UPSTREAM);
        world.place.write("dir/bad.yaml", "kind: Ingress\nmetadata: {name: a}\n");
        let refused = world.run(&["apply", "-f", "dir"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("dir/bad.yaml:1: "), "{refused:?}");
        let stdin = [&["apply", "-f", "-"][..], &world.way()].concat();
        let refused = world.place.run_reading("\nkind: Ingress\nmetadata: {name: a}\n", &stdin);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("stdin:2: "), "{refused:?}");
        assert_eq!(world.done(&["get", "-o", "name"]).stdout, "");
    }
}

#[tokio::test]
async fn stdin_and_directories_in_gloos_form_are_taken() {
    for world in World::both().await {
        let stdin = [&["apply", "-f", "-"][..], &world.way()].concat();
        let taken = world.place.run_reading(&both(), &stdin);
        assert_eq!((taken.code, taken.stdout.lines().count()), (Some(0), 2), "{taken:?}");
        let gloo = "metadata: {name: petstore, namespace: edge}\nstatic: {hosts: [{addr: a, port: 1}]}\n";
        world.place.write("gloo/upstreams/edge/petstore.yaml", gloo);
        assert_eq!(world.done(&["apply", "-f", "gloo"]).stdout, "created Upstream edge/petstore\n");
        // What only the place said is in what is printed, so that it can be applied anywhere.
        let printed = world.done(&["get", "us", "petstore", "-o", "yaml"]).stdout;
        assert!(printed.ends_with(gloo) && printed.contains("kind: Upstream"), "{printed}");
    }
}

#[tokio::test]
async fn pruning_deletes_what_is_not_mentioned_of_the_same_kinds_and_namespaces() {
    for world in World::both().await {
        world.holds(&format!("{}---\n{}---\n{}", upstream("edge", "a"), upstream("edge", "b"), UPSTREAM));
        world.place.write("edge.yaml", &upstream("edge", "a"));
        let diff = world.run(&["diff", "-f", "edge.yaml", "--prune"]);
        assert_eq!(diff.code, Some(1), "{diff:?}");
        assert!(diff.stdout.contains("+++ /dev/null"), "{diff:?}");
        let pruned = world.done(&["apply", "-f", "edge.yaml", "--prune"]);
        assert_eq!(pruned.stdout, "unchanged Upstream edge/a\npruned Upstream edge/b\n");
        assert_eq!(world.done(&["get", "-o", "name"]).stdout, "Upstream/default/demo\nUpstream/edge/a\n");
    }
}

#[tokio::test]
async fn deleting_by_name_by_file_and_by_what_get_prints() {
    for world in World::both().await {
        let many: Vec<_> = ["a", "b", "c", "d"].map(|name| upstream("edge", name)).into();
        world.holds(&many.join("---\n"));
        let deleted = world.done(&["delete", "us", "a", "edge/b"]);
        assert_eq!(deleted.stdout, "deleted Upstream edge/a\ndeleted Upstream edge/b\n");
        assert_eq!(world.done(&["delete", "Upstream/edge/c"]).stdout, "deleted Upstream edge/c\n");
        let none = world.run(&["delete", "-f", "given.yaml"]);
        assert_eq!(none.code, Some(6), "{none:?}");
        let rest = world.done(&["delete", "-f", "given.yaml", "--ignore-not-found"]);
        assert_eq!(rest.stdout, "deleted Upstream edge/d\n");
        assert_eq!(world.done(&["delete", "us/a", "--ignore-not-found"]).stderr, "nothing to delete\n");
    }
}

#[tokio::test]
async fn an_object_that_is_not_there_or_not_the_only_one_is_told_with_what_may_be_meant() {
    for world in World::both().await {
        world.holds(&format!(
            "{}---\n{}---\n{UPSTREAM}",
            upstream("edge", "petstore"),
            upstream("core", "petstore")
        ));
        for verb in ["get", "describe", "edit", "delete"] {
            let slip = world.run(&[verb, "us", "demp"]);
            assert_eq!((slip.code, slip.stdout.as_str()), (Some(6), ""), "{verb}: {slip:?}");
            assert!(
                slip.stderr.contains("Upstream demp does not exist\n  hint: did you mean default/demo?"),
                "{slip:?}"
            );
            let two = world.run(&[verb, "us", "petstore"]);
            assert_eq!((two.code, two.stdout.as_str()), (Some(2), ""), "{verb}: {two:?}");
            assert!(two.stderr.contains("in core, edge\n  hint: say which with -n NAMESPACE"), "{two:?}");
            let kind = world.run(&[verb, "upsteam", "demo"]);
            assert_eq!(kind.code, Some(2), "{verb}: {kind:?}");
            assert!(kind.stderr.contains("hint: did you mean Upstream?"), "{kind:?}");
        }
        let gone = world.run(&["history", "us", "demp"]);
        assert_eq!(gone.code, Some(6), "{gone:?}");
        assert!(
            gone.stderr.contains("hint: there is none of this name now; of one that is gone"),
            "{gone:?}"
        );
        assert_eq!(world.run(&["rollback", "us", "demo", "--to", "4711"]).code, Some(6));
    }
}

#[tokio::test]
async fn a_description_says_where_it_is_and_what_is_wrong_with_it() {
    for world in World::both().await {
        world.place.write("service.yaml", SERVICE);
        world.done(&["apply", "-f", "service.yaml"]);
        let told = |text: &str| {
            text.starts_with("Kind:      VirtualService\nNamespace: default\nName:      demo\n")
                && text.contains("Kept at:   managed/VirtualService/default/demo.yaml:1\n")
                && text.contains("State:     accepted, with warnings\n")
                && text.contains("Upstream default/demo does not exist")
                && text.contains("Versions:\n  REVISION  ")
                && text.ends_with(
                    "\n      - routeAction: {single: {upstream: {name: demo}}}\n".trim_start_matches('\n'),
                )
        };
        biplane_testkit::eventually("the warning is known", crate::server::PATIENCE, async || {
            let run = world.done(&["describe", "vs", "demo"]);
            anyhow::ensure!(told(&run.stdout), "{}", run.stdout);
            Ok(())
        })
        .await;
        let versions = world.done(&["history", "vs/default/demo", "-o", "json"]).json();
        let revision = versions[0]["revision"].as_u64().expect("a revision").to_string();
        // The revisions of files are counted by each process, and without a server each verb is one.
        if world.server.is_some() {
            assert_eq!(world.done(&["history", "vs", "demo", "--show", &revision]).stdout, SERVICE);
        }
        assert_eq!(world.run(&["history", "vs", "demo", "--show", "4711"]).code, Some(6));
    }
}

#[test]
fn a_store_that_may_not_be_written_says_how_it_could_be() {
    let place = Place::with(&[("resources/a.yaml", UPSTREAM), ("b.yaml", SERVICE)]);
    for store in ["resources", "file://resources"] {
        let refused = place.run(&["apply", "-f", "b.yaml", "--store", store]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(7), ""), "{refused:?}");
        assert!(refused.stderr.contains("read-only here\n  hint: "), "{refused:?}");
    }
    // Only the folder is ours: what a person keeps elsewhere is not touched.
    let other = place.run(&["delete", "us", "demo", "--store", STORE]);
    assert_eq!(other.code, Some(7), "{other:?}");
    assert!(other.stderr.contains("a.yaml"), "{other:?}");
}

#[tokio::test]
async fn a_setting_names_the_folder_that_the_api_may_write() {
    let place = Place::with(&[("resources/a.yaml", UPSTREAM), ("b.yaml", SERVICE)]);
    let flags = ["--admin-socket", "admin.sock", "--admin-writable-directory", "managed"];
    let _server = Server::start(&place, "resources", &flags, &[]).await;
    let api = format!("unix://{}", place.path("admin.sock").display());
    let applied = place.run_with(&[("BIPLANE_API", &api)], &["apply", "-f", "b.yaml"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(place.path("resources/managed/VirtualService/default/demo.yaml").exists());
    let refused = place.run(&["serve", "--store", "consul://127.0.0.1:1", "--admin-writable-directory", "a"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[tokio::test]
async fn one_object_in_two_files_is_refused_with_both_places() {
    for world in World::both().await {
        world.place.write("a.yaml", UPSTREAM);
        world.place.write("b.yaml", UPSTREAM);
        let refused = world.run(&["apply", "-f", "a.yaml", "-f", "b.yaml"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains("occurs twice: a.yaml:1 and b.yaml:1"), "{refused:?}");
    }
}

#[test]
fn a_variable_that_names_the_store_of_serve_leads_no_verb_around_the_control_plane() {
    let place = Place::with(&[("resources/a.yaml", UPSTREAM), ("biplane.yaml", "store: resources\n")]);
    let asked = place.run_with(&[("BIPLANE_STORE", "resources")], &["get", "--api", "127.0.0.1:1"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(3), ""), "{asked:?}");
    assert!(asked.stderr.contains("name its address with --api, or a store with --store"), "{asked:?}");
    let both = place.run(&["get", "--api", "127.0.0.1:1", "--store", "resources"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn verbs_that_are_told_nothing_say_what_they_need() {
    let place = Place::new();
    for (verb, word) in [
        (&["apply"][..], "Name it with -f"),
        (&["diff"], "Name it with -f"),
        (&["delete"], "KIND NAME..., or -f FILE"),
        (&["describe", "vs"], "`biplane get vs` lists them"),
        (&["apply", "-f", "."], "no .yaml, .yml or .json with resources below ."),
        (&["apply", "-f", "missing.yaml"], "missing.yaml"),
    ] {
        let run = place.run(&[verb, &["--api", "127.0.0.1:1"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{verb:?}: {run:?}");
        assert!(run.stderr.contains(word), "{verb:?}: {run:?}");
    }
}

#[test]
fn init_says_which_store_it_is_as_often_as_it_is_asked() {
    let world = World::direct();
    let first = world.done(&["init"]);
    assert_eq!(first.stdout, world.done(&["init"]).stdout);
    assert!(first.stderr.contains("is a store of Biplane's"), "{first:?}");
}
