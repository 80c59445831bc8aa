//! The command line straight at Consul, with an Envoy that shows what came of it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::ensure;
use biplane_testkit::{Output, Process, biplane, eventually};
use serde_json::Value;

use super::served::Served;
use crate::etcd::served::ROOT;
use crate::etcd::world::{key, name, service};
use crate::harness::{PATIENCE, status};

/// Writes documents where commands find them.
fn file(served: &Served, name: &str, objects: &[String]) -> String {
    let path = served.site.directory.join(name);
    std::fs::write(&path, objects.join("---\n")).expect("the test's directory is writable");
    path.to_str().expect("UTF-8").to_owned()
}

/// Runs a command that must succeed, and gives what it prints.
async fn prints(served: &Served, arguments: &[&str]) -> String {
    let output = served.straight(arguments).await;
    assert_eq!(output.code, 0, "{arguments:?}: {output:?}");
    output.stdout
}

/// Runs `biplane edit` with a script of sed as the person.
async fn edit(served: &Served, name: &str, script: &str) -> Output {
    let editor = format!("sed -i '{script}'");
    let arguments = ["edit", "vs", name, "--store", &served.url];
    biplane::run_with(arguments, &[("EDITOR", &editor), ("VISUAL", &editor)], "").await
}

/// How often Envoy has taken routes.
async fn reloads(served: &Served) -> u64 {
    let all: BTreeMap<String, u64> =
        served.site.envoy.stats_matching("rds.*config_reload$").await.expect("statistics");
    all.values().sum()
}

#[tokio::test]
async fn batch_of_many_transactions_appears_to_envoy_at_once() {
    let mut served = Served::start(150).await;
    let (witness, before) = (served.witness().await, reloads(&served).await);
    served.world.edit(0..150);
    let objects: Vec<_> = (0..150).map(|number| service(number, 2)).collect();
    let file = file(&served, "all.yaml", &objects);
    let output = served.straight(&["apply", "-f", &file, "-m", "a new version of everything"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("150 changed"), "{output:?}");
    served.live().await;
    served.site.in_sync().await;
    assert_eq!(reloads(&served).await, before + 1, "all routes came in one step");
    witness.has_seen_nothing(&served).await;
    // Nothing is left of the announcement, and the next batch goes through too.
    let output = served.straight(&["delete", "-f", &file]).await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.remove(0..150);
    served.live().await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn objects_are_read_compared_applied_and_deleted_straight_in_consul() {
    let mut served = Served::start(3).await;
    let identity = prints(&served, &["init"]).await;
    assert_eq!(prints(&served, &["init"]).await, identity, "a marked store stays as it is");
    let names = prints(&served, &["get", "vs", "-o", "name"]).await;
    assert_eq!(names.lines().count(), 3, "{names}");
    let text = prints(&served, &["get", "vs", "host-1", "-o", "yaml"]).await;
    assert_eq!(text.trim(), service(1, 1).trim(), "the text is what was put there");

    let edited = file(&served, "host.yaml", &[service(1, 2)]);
    let diff = served.straight(&["diff", "-f", &edited]).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    let lines: Vec<_> = diff.stdout.lines().filter(|line| line.contains("body:")).collect();
    assert!(lines.iter().any(|line| line.starts_with('-') && line.contains("\"1\"")), "{diff:?}");
    assert!(lines.iter().any(|line| line.starts_with('+') && line.contains("\"2\"")), "{diff:?}");
    let dry = prints(&served, &["apply", "-f", &edited, "--dry-run"]).await;
    assert_eq!(dry.trim(), "changed VirtualService gloo-system/host-1 (dry run)");
    served.stays().await;

    let done = prints(&served, &["apply", "-f", &edited]).await;
    assert_eq!(done.trim(), "changed VirtualService gloo-system/host-1");
    served.world.edit([1]);
    served.live().await;
    assert_eq!(prints(&served, &["diff", "-f", &edited]).await, "", "nothing differs any more");
    let described = prints(&served, &["describe", "vs", "host-1"]).await;
    assert!(described.contains(&key(1)), "{described}");

    let gone = prints(&served, &["delete", "vs", &name(2)]).await;
    assert_eq!(gone.trim(), "deleted VirtualService gloo-system/host-2");
    served.world.remove([2]);
    served.live().await;
    assert_eq!(served.straight(&["get", "vs", &name(2)]).await.code, 6);
    assert_eq!(prints(&served, &["check"]).await, "");
    let status = served.command(&["status"]).await;
    assert!(status.code == 0 && status.stdout.contains("complete"), "{status:?}");
}

#[tokio::test]
async fn mistakes_are_refused_before_they_are_written() {
    let served = Served::start(3).await;
    let witness = served.witness().await;
    let typo = file(&served, "typo.yaml", &[service(1, 2).replacen("prefix:", "prefx:", 1)]);
    let refused = served.straight(&["apply", "-f", &typo]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("prefx") && refused.stderr.contains("nothing was changed"),
        "{refused:?}"
    );
    let twice = file(&served, "twice.yaml", &[service(1, 2), service(1, 3)]);
    let refused = served.straight(&["apply", "-f", &twice]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("host-1"), "{refused:?}");
    let text = served.consul.kv_get(&key(1)).await.expect("Consul answers");
    assert_eq!(text, Some(service(1, 1)));
    served.stays().await;
    witness.has_seen_nothing(&served).await;
}

#[tokio::test]
async fn editor_writes_back_what_was_saved_and_keeps_what_is_refused() {
    let mut served = Served::start(3).await;
    let output = edit(&served, "host-1", "s/body: \"1\"/body: \"2\"/").await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.edit([1]);
    served.live().await;

    let refused = edit(&served, "host-1", "s/prefix:/prefx:/").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let (_, kept) = refused.stderr.split_once("the text is kept in ").expect("it says where the text is");
    let kept = kept.lines().next().expect("a path").trim();
    let text = std::fs::read_to_string(kept).expect("the text is there");
    assert!(text.contains("prefx:"), "{text}");
    std::fs::remove_file(kept).expect("it is ours");
    let stored = served.consul.kv_get(&key(1)).await.expect("Consul answers");
    assert_eq!(stored, Some(service(1, 2)));

    let same = edit(&served, "host-1", "").await;
    assert!(same.code == 0 && same.stderr.contains("nothing was edited"), "{same:?}");
    served.stays().await;
}

/// A host's versions, the latest first, once the leader has written down so many.
async fn versions(served: &Served, number: usize, count: usize) -> Vec<Value> {
    let folder = format!("{ROOT}/history/VirtualService/gloo-system/{}/", name(number));
    eventually(&format!("{count} versions"), PATIENCE, async || {
        let keys = served.consul.kv_keys(&folder).await?;
        ensure!(keys.len() == count, "{keys:?}");
        Ok(())
    })
    .await;
    let object = format!("gloo-system/{}", name(number));
    let text = prints(served, &["history", "vs", &object, "-o", "json"]).await;
    let versions: Vec<Value> = serde_json::from_str(&text).expect("JSON, as asked for");
    assert_eq!(versions.len(), count, "{versions:#?}");
    versions
}

#[tokio::test]
async fn every_version_is_in_the_history_whoever_made_it_and_can_come_back() {
    let mut served = Served::start(3).await;
    versions(&served, 1, 1).await;
    let first = served.world.remember();
    served.edit([1]).await;
    versions(&served, 1, 2).await;
    let third = file(&served, "host.yaml", &[service(1, 3)]);
    prints(&served, &["apply", "-f", &third, "-m", "because"]).await;
    served.world.edit([1]);
    served.live().await;
    let known = versions(&served, 1, 3).await;
    assert_eq!(known[0]["message"], "because", "{known:#?}");
    assert_eq!(known[1]["author"], "", "an edit by hand names nobody: {known:#?}");
    let table = prints(&served, &["history", "vs", "host-1"]).await;
    assert_eq!(table.lines().count(), 4, "{table}");

    let to = known[2]["revision"].to_string();
    let shown = prints(&served, &["history", "vs", "host-1", "--show", &to]).await;
    assert_eq!(shown.trim(), service(1, 1).trim());
    prints(&served, &["rollback", "vs", "host-1", "--to", &to]).await;
    served.world.go_back(first.clone());
    served.live().await;

    // What was deleted comes back too.
    served.consul.kv_delete(&key(1)).await.expect("Consul takes deletions");
    served.world.remove([1]);
    served.live().await;
    versions(&served, 1, 5).await;
    prints(&served, &["rollback", "vs", "gloo-system/host-1", "--to", &to]).await;
    served.world.go_back(first);
    served.live().await;
}

#[tokio::test]
async fn watch_prints_what_is_there_and_every_change() {
    let mut served = Served::start(2).await;
    let mut command = Command::new(biplane::binary());
    command.args(["watch", "vs", "--store", &served.url]);
    let mut watch = Process::spawn("watch", command, served.site.directory.path());
    let log = watch.log_path().to_owned();
    let says = async |what: &str| {
        eventually(&format!("{what:?} of the watch"), PATIENCE, async || {
            let text = std::fs::read_to_string(&log)?;
            ensure!(text.contains(what), "{text}");
            Ok(())
        })
        .await;
    };
    says("put      VirtualService gloo-system/host-0").await;
    says("put      VirtualService gloo-system/host-1").await;
    served.edit([7]).await;
    says("put      VirtualService gloo-system/host-7").await;
    served.consul.kv_delete(&key(1)).await.expect("Consul takes deletions");
    says("deleted  VirtualService gloo-system/host-1").await;
    assert!(watch.exit_status().is_none(), "it goes on");
}

#[tokio::test]
async fn check_straight_at_the_store_says_what_the_control_plane_says() {
    let served = Served::start(3).await;
    let broken = service(1, 2).replacen("prefix:", "prefx:", 1);
    served.consul.kv_put(&key(1), broken).await.expect("Consul takes writes");
    status::until_report(&served.site.biplane, "VirtualService gloo-system/host-1", "prefx").await;
    let (of_store, of_plane) = (served.straight(&["check"]).await, served.command(&["check"]).await);
    assert_eq!((of_store.code, of_plane.code), (1, 1), "{of_store:?}");
    assert_eq!(of_store.stdout, of_plane.stdout);
    let records = format!("{ROOT}/status/VirtualService/gloo-system/host-1");
    let record = eventually("a record of it in the store", PATIENCE, async || {
        let record = served.consul.kv_get(&records).await?;
        record.ok_or_else(|| anyhow::anyhow!("none yet"))
    })
    .await;
    assert!(record.contains("prefx") && record.contains("rejected"), "{record}");
}
