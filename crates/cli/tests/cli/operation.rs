//! Looking after a running control plane: `check`, `source`, `watch`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use biplane_testkit::eventually;
use rustix::process::Signal;
use serde_json::Value;

use crate::server::{PATIENCE, STORE, Server, World};
use crate::support::Place;

fn upstream(name: &str) -> String {
    format!(
        "kind: Upstream\nmetadata: {{name: {name}, namespace: default}}\n\
         spec: {{static: {{hosts: [{{addr: 127.0.0.1, port: 1}}]}}}}\n"
    )
}

#[tokio::test]
async fn check_names_the_object_the_line_and_the_field_and_is_silent_when_all_is_well() {
    for world in World::both().await {
        world.place.write("resources/good.yaml", &upstream("good"));
        let well = eventually("all is well", PATIENCE, async || {
            let run = world.run(&["check"]);
            anyhow::ensure!(run.stderr.contains("1 object in use"), "{run:?}");
            Ok(run)
        })
        .await;
        assert_eq!((well.code, well.stdout.as_str()), (Some(0), ""), "{well:?}");
        assert_eq!(well.stderr, "nothing wrong; 1 object in use\n");
        world.place.write("resources/bad.yaml", &upstream("bad").replace("port: 1", "prot: 1"));
        let wrong = eventually("the mistake is told", PATIENCE, async || {
            let run = world.run(&["check"]);
            anyhow::ensure!(run.code == Some(1), "{run:?}");
            Ok(run)
        })
        .await;
        let told = "bad.yaml:3: error: Upstream default/bad: static.hosts[0].prot: ";
        assert!(wrong.stdout.contains(told), "{told:?} is not in {wrong:?}");
        assert!(wrong.stdout.contains("\n  hint: did you mean \"port\"?\n"), "{wrong:?}");
        let machine = world.run(&["check", "-o", "json"]);
        assert_eq!(machine.code, Some(1), "{machine:?}");
        let (verdict, finding) = (&machine.json()["verdict"], machine.json()["findings"][0].clone());
        assert_eq!(
            (verdict.as_str(), finding["name"].as_str()),
            (Some("error"), Some("Upstream default/bad"))
        );
        assert_eq!(finding["path"], "static.hosts[0].prot");
    }
}

#[tokio::test]
async fn a_warning_counts_only_for_who_is_strict() {
    for world in World::both().await {
        world.place.write(
            "resources/service.yaml",
            "kind: VirtualService\nmetadata: {name: a, namespace: default}\nspec: {virtualHost: {domains: ['*'], \
             routes: [{routeAction: {single: {upstream: {name: gone}}}}]}}\n",
        );
        eventually("the warning is told", PATIENCE, async || {
            let run = world.run(&["check"]);
            anyhow::ensure!(run.code == Some(0) && run.stdout.contains("warning: VirtualService"), "{run:?}");
            Ok(())
        })
        .await;
        assert_eq!(world.run(&["check", "--strict"]).code, Some(1));
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_worse_than_any_object() {
    let place = Place::new();
    let server = Server::start(&place, "nowhere", &[], &[]).await;
    let api = server.admin.to_string();
    let critical = eventually("the source fails", PATIENCE, async || {
        let run = place.run(&["check", "--api", &api]);
        anyhow::ensure!(run.code == Some(8) && run.stdout.contains("critical: source "), "{run:?}");
        Ok(run)
    })
    .await;
    assert!(critical.stdout.contains("critical: nothing is served yet: waiting for "), "{critical:?}");
    let sources = place.run(&["source", "list", "--api", &api]);
    assert!(sources.stdout.starts_with("SOURCE ") && sources.stdout.contains("failed"), "{sources:?}");
    assert_eq!(place.run(&["check", "--store", "nowhere"]).code, Some(3), "nobody says how it is");
}

#[tokio::test]
async fn removals_that_are_held_are_shown_and_carried_out_only_when_an_operator_says_so() {
    let world = World::served().await;
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        world.place.write(&format!("resources/{name}.yaml"), &upstream(name));
    }
    let in_use = async |count: &str| {
        eventually("the store is followed", PATIENCE, async || {
            let run = world.run(&["check"]);
            anyhow::ensure!(run.stderr.contains(count), "{run:?}");
            Ok(run)
        })
        .await
    };
    in_use("6 objects in use").await;
    let well = world.done(&["source", "accept"]);
    assert!(well.stderr.contains("nothing is held back"), "{well:?}");
    for name in &names[..5] {
        fs::remove_file(world.place.path(format!("resources/{name}.yaml"))).expect("it is there");
    }
    let held = in_use("1 critical").await;
    assert_eq!(held.code, Some(8), "{held:?}");
    assert!(held.stdout.contains("suspect") && held.stdout.contains("Upstream default/a"), "{held:?}");
    let status = world.run(&["status"]);
    assert!(status.stdout.contains("HELD REMOVAL"), "{}", status.stdout);
    let unasked = world.run(&["source", "accept"]);
    assert_eq!((unasked.code, unasked.stdout.as_str()), (Some(2), ""), "{unasked:?}");
    assert!(
        unasked.stderr.contains("  Upstream default/e") && unasked.stderr.contains("--yes"),
        "{unasked:?}"
    );
    let missing = world.run(&["source", "accept", "other", "--yes"]);
    assert_eq!(missing.code, Some(6), "{missing:?}");
    let accepted = world.done(&["source", "accept", "--yes"]);
    assert!(accepted.stdout.starts_with("removed Upstream default/a\n"), "{accepted:?}");
    assert!(accepted.stderr.ends_with("5 objects removed\n"), "{accepted:?}");
    in_use("nothing wrong; 1 object in use").await;
}

/// A `watch` that runs, and what it has printed so far.
struct Watching {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watching {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let arguments = [&["watch"], arguments, &world.way()].concat();
        let mut child = world
            .place
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is built");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                seen.lock().expect("no panic").push(line);
            }
        });
        Self { child, lines }
    }

    async fn until(&self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        eventually(what, PATIENCE, async || {
            let lines = self.lines.lock().expect("no panic");
            anyhow::ensure!(wanted(&lines), "{lines:?}");
            Ok(())
        })
        .await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_every_change() {
    for world in World::both().await {
        world.holds(&upstream("a"));
        let watching = Watching::start(&world, &["us", "-o", "name"]);
        let events = Watching::start(&world, &["-o", "json"]);
        watching.until("what is there", |lines| lines == ["Upstream/default/a"]).await;
        world.place.write("b.yaml", &upstream("b"));
        // Where there is no control plane, the watch and the verbs follow the directory each by itself.
        world.done(&["apply", "-f", "b.yaml"]);
        watching.until("the new one", |lines| lines.len() == 2 && lines[1] == "Upstream/default/b").await;
        world.done(&["delete", "us", "a"]);
        watching.until("the deletion", |lines| lines.len() == 3 && lines[2] == "Upstream/default/a").await;
        events
            .until("events in JSON", |lines| {
                let event = |line: &String| {
                    let value: Value = serde_json::from_str(line).expect("JSON");
                    value["event"].as_str().expect("an event").to_owned()
                };
                lines.iter().map(event).collect::<Vec<_>>() == ["put", "listed", "put", "deleted"]
            })
            .await;
    }
}

#[tokio::test]
async fn a_watch_outlives_the_control_plane_and_tells_what_happened_meanwhile() {
    let mut world = World::served().await;
    world.holds(&format!("{}---\n{}", upstream("a"), upstream("b")));
    let watching = Watching::start(&world, &["us", "-o", "name"]);
    watching.until("what is there", |lines| lines.len() == 2).await;
    let mut server = world.server.take().expect("served");
    server.signal(Signal::TERM);
    assert_eq!(server.end().await, Some(0));
    fs::remove_file(world.place.path("resources/managed/Upstream/default/a.yaml")).expect("it is there");
    world.server = Some(Server::start(&world.place, STORE, &["--admin-socket", "admin.sock"], &[]).await);
    watching.until("the deletion", |lines| lines[2..].iter().any(|line| line == "Upstream/default/a")).await;
}

#[tokio::test]
async fn a_watch_ends_when_nobody_reads_any_more() {
    let world = World::direct();
    let arguments = [&["watch", "-o", "name"][..], &world.way()].concat();
    let mut child =
        world.place.command(&arguments).stdout(Stdio::piped()).spawn().expect("the binary is built");
    drop(child.stdout.take());
    world.holds(&upstream("a"));
    let ended = eventually("the watch ends", PATIENCE, async || {
        child.try_wait()?.ok_or_else(|| anyhow::anyhow!("it still runs"))
    });
    assert_eq!(ended.await.code(), Some(0));
}

#[tokio::test]
async fn a_watch_that_cannot_begin_says_why_and_ends() {
    let place = Place::new();
    let unreachable = place.run(&["watch", "--api", "127.0.0.1:1"]);
    assert_eq!((unreachable.code, unreachable.stdout.as_str()), (Some(3), ""), "{unreachable:?}");
    let world = World::served().await;
    let kind = world.run(&["watch", "pod"]);
    assert_eq!(kind.code, Some(2), "{kind:?}");
}
