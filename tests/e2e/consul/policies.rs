//! The policies that the example ships are enough for what they claim, and no more: with any rule less, what then
//! fails is said, and the rule is named.

use std::collections::BTreeMap;

use anyhow::ensure;
use biplane_testkit::{Biplane, Consul, Output, Request, biplane, eventually, throughout};
use serde_json::Value;

use super::served::{Guarded, MANAGEMENT, POLICY, Served, init, policy, url};
use crate::etcd::served::{ROOT, leads, options};
use crate::etcd::world::{World, key, name, service};
use crate::harness::resources::{gateway, keyed};
use crate::harness::{CALM, PATIENCE, Tree, status};

/// The rules of a policy by their first line: `key_prefix "biplane/config/"`.
fn rules(text: &str) -> BTreeMap<String, String> {
    let mut rules = BTreeMap::new();
    let mut name = None;
    for line in text.lines() {
        if let Some(head) = line.strip_suffix(" {") {
            name = Some(head.to_owned());
        }
        if let Some(name) = &name {
            let rule: &mut String = rules.entry(name.clone()).or_default();
            rule.push_str(line);
            rule.push('\n');
        }
        if line == "}" {
            name = None;
        }
    }
    rules
}

/// The policy without one rule, for each of its rules. Each has an entry in the table, and the other way around.
fn one_less<'a>(policy_name: &str, table: &'a [(&'a str, &'a [&'a str])]) -> Vec<(String, &'a [&'a str])> {
    let all = rules(&policy(policy_name));
    let mut named: Vec<_> = table.iter().map(|(rule, _)| (*rule).to_owned()).collect();
    named.sort();
    assert_eq!(all.keys().cloned().collect::<Vec<_>>(), named, "of {policy_name}.hcl");
    let without = |dropped: &str| {
        let left = all.iter().filter(|(rule, _)| *rule != dropped);
        left.map(|(_, text)| text.as_str()).collect::<String>()
    };
    table.iter().map(|(rule, words)| (without(rule), *words)).collect()
}

/// A store with rights, in which there is something.
async fn with_rights(tree: &Tree) -> Consul {
    let consul = Consul::builder().acl(true).start(&tree.directory).await;
    init(&url(consul.address())).await;
    consul.kv_put_many(&keyed(ROOT, &[gateway(tree.port)])).await.expect("Consul takes writes");
    consul.kv_put_many(&World::new(3).entries()).await.expect("Consul takes writes");
    consul
}

/// A token with these rules and no others.
async fn token(consul: &Consul, name: &str, rules: &str) -> String {
    consul.acl_policy(name, rules).await.expect("Consul takes policies");
    consul.acl_token(&[name]).await.expect("Consul makes tokens").secret
}

async fn control_plane(tree: &Tree, consul: &Consul, name: &str, token: String) -> Biplane {
    let options = options(&url(consul.address())).named(name).variable(MANAGEMENT.0, token);
    Biplane::start_with(options, &tree.directory).await
}

/// Everything that a person reads.
async fn check(biplane: &Biplane) -> Output {
    crate::etcd::served::command(biplane, &["check"]).await
}

#[tokio::test]
async fn control_plane_has_all_that_it_needs() {
    let mut guarded = Guarded::start(20).await;
    let served = &mut guarded.served;
    leads(&served.site.biplane).await;
    versions(served, 1).await;
    served.edit(0..5).await;
    let broken = service(7, 2).replacen("prefix:", "prefx:", 1);
    served.consul.kv_put(&key(7), broken).await.expect("Consul takes writes");
    for (path, word) in [
        (format!("{ROOT}/status/_summary"), "\"errors\":1"),
        (format!("{ROOT}/status/VirtualService/gloo-system/host-7"), "prefx"),
    ] {
        kept(served, &path, word).await;
    }
    versions(served, 2).await;
    served.edit([7]).await;
    // What was meant is read, so that many deletions pass.
    deleted_with_a_word(served).await;
    status::until_clean(&served.site.biplane).await;
    assert_eq!(check(&served.site.biplane).await.code, 0);
}

#[tokio::test]
async fn control_plane_that_may_only_read_says_so_to_who_writes_through_it() {
    let guarded = Guarded::start(3).await;
    let served = &guarded.served;
    let file = served.site.directory.join("host.yaml");
    std::fs::write(&file, service(1, 2)).expect("the test's directory is writable");
    let apply = ["apply", "-f", file.to_str().expect("UTF-8")];
    let refused = served.command(&apply).await;
    assert_eq!(refused.code, 7, "{refused:?}");
    let rule = "key_prefix \"biplane/config/\" with policy \"write\"";
    assert!(refused.stderr.contains(rule), "{refused:?}");
    served.stays().await;
    let more = policy(POLICY).replace("policy = \"read\"", "policy = \"write\"");
    served.consul.acl_policy(POLICY, &more).await.expect("Consul takes policies");
    assert_eq!(served.command(&apply).await.code, 0);
    served.site.until(&Request::get("host-1.example.com", "/version"), |answer| answer.text() == "2").await;
}

/// Waits until so many versions of a host are kept.
async fn versions(served: &Served, count: usize) {
    eventually(&format!("{count} versions"), PATIENCE, async || {
        let keys =
            served.consul.kv_keys(&format!("{ROOT}/history/VirtualService/gloo-system/host-4/")).await?;
        ensure!(keys.len() == count, "{keys:?}");
        Ok(())
    })
    .await;
}

/// Waits until a record has a word in it.
async fn kept(served: &Served, path: &str, word: &str) {
    eventually(&format!("{word} at {path}"), PATIENCE, async || {
        let record = served.consul.kv_get(path).await?;
        ensure!(record.as_ref().is_some_and(|record| record.contains(word)), "{record:?}");
        Ok(())
    })
    .await;
}

/// An operator deletes most of it, by the command.
async fn deleted_with_a_word(served: &mut Served) {
    let names: Vec<_> = (3..20).map(name).collect();
    let arguments: Vec<_> = ["delete", "vs"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let output = served.straight(&arguments).await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.remove(3..20);
    served.live().await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn control_plane_with_one_rule_less_names_it() {
    let tree = Tree::new();
    let consul = with_rights(&tree).await;
    let table: &[(&str, &[&str])] = &[
        ("key_prefix \"biplane/config/\"", &["denied", "key_prefix \"biplane/config/\"", "read"]),
        (
            "key_prefix \"biplane/history/\"",
            &["versions of objects", "key_prefix \"biplane/history/\"", "write"],
        ),
        (
            "key_prefix \"biplane/meta/\"",
            &["cannot become the leader", "key_prefix \"biplane/meta/\"", "write"],
        ),
        ("key_prefix \"biplane/status/\"", &["status cannot", "key_prefix \"biplane/status/\"", "write"]),
        ("session_prefix \"\"", &["cannot become the leader", "session_prefix \"\"", "write"]),
    ];
    for (number, (rules, words)) in one_less(POLICY, table).into_iter().enumerate() {
        let name = format!("less-{number}");
        let token = token(&consul, &name, &rules).await;
        let mut biplane = control_plane(&tree, &consul, &name, token).await;
        status::until(&biplane, &format!("{words:?}"), |status| {
            let text = words_of(status);
            words.iter().all(|word| text.contains(word))
        })
        .await;
        let check = check(&biplane).await;
        assert!(words.iter().all(|word| check.stdout.contains(word)), "{words:?}: {check:?}");
        biplane.stop().await;
    }
}

/// What a status says, as text without JSON's quoting.
fn words_of(status: &Value) -> String {
    status.to_string().replace("\\\"", "\"")
}

#[tokio::test]
async fn reader_serves_like_any_other_and_complains_of_nothing() {
    let mut served = reader(&policy("biplane-reader"), &["--leader=off"]).await;
    let witness = served.witness().await;
    served.edit(0..5).await;
    status::until_clean(&served.site.biplane).await;
    witness.has_seen_nothing(&served).await;
    deleted_with_a_word(&mut served).await;
    let check = check(&served.site.biplane).await;
    assert_eq!((check.code, check.stdout.as_str()), (0, ""), "{check:?}");
}

#[tokio::test]
async fn reader_that_is_told_to_lead_says_that_it_cannot_and_serves() {
    let mut served = reader(&policy("biplane-reader"), &[]).await;
    let status = status::until(&served.site.biplane, "a leader that cannot be", |status| {
        status["leader"]["lastError"].is_string()
    })
    .await;
    assert_eq!(status["ready"], true, "{status:#}");
    served.edit(0..5).await;
    let check = check(&served.site.biplane).await;
    assert_eq!(check.code, 0, "a warning: {check:?}");
    assert!(check.stdout.contains("session_prefix"), "{check:?}");
}

#[tokio::test]
async fn reader_with_one_rule_less_names_it() {
    let table: &[(&str, &[&str])] = &[
        ("key_prefix \"biplane/config/\"", &["denied", "key_prefix \"biplane/config/\"", "read"]),
        ("key_prefix \"biplane/meta/\"", &["intents", "key_prefix \"biplane/meta/\"", "read"]),
    ];
    for (rules, words) in one_less("biplane-reader", table) {
        let mut served = reader(&policy("biplane-reader"), &["--leader=off"]).await;
        let witness = served.witness().await;
        served.consul.acl_policy("reader", &rules).await.expect("Consul takes policies");
        // Nobody notices, before somebody deletes much.
        let names: Vec<_> = (3..20).map(name).collect();
        let arguments: Vec<_> =
            ["delete", "vs"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let output = served.straight(&arguments).await;
        assert_eq!(output.code, 0, "{output:?}");
        status::until(&served.site.biplane, &format!("{words:?}"), |status| {
            let text = words_of(status);
            words.iter().all(|word| text.contains(word))
        })
        .await;
        served.stays().await;
        witness.has_seen_nothing(&served).await;
        served.consul.acl_policy("reader", &policy("biplane-reader")).await.expect("Consul takes policies");
        served.world.remove(3..20);
        served.live().await;
        served.until_state("complete").await;
    }
}

/// A control plane with the rights of a reader.
async fn reader(rules: &str, arguments: &[&str]) -> Served {
    let tree = Tree::new();
    let consul = Consul::builder().acl(true).start(&tree.directory).await;
    let token = token(&consul, "reader", rules).await;
    let options =
        options(&url(consul.address())).variable(MANAGEMENT.0, token).arguments(arguments.iter().copied());
    Served::on(tree, consul, &options, 20).await
}

/// A store, and somebody who edits it with these rules.
struct Operator {
    url: String,
    token: String,
    file: String,
    consul: Consul,
    _tree: Tree,
}

impl Operator {
    async fn with(rules: &str) -> Self {
        let tree = Tree::new();
        let consul = with_rights(&tree).await;
        // As if a control plane had run.
        for record in [
            "history/VirtualService/gloo-system/host-1/00000000000000000001",
            "status/VirtualService/gloo-system/host-1",
        ] {
            consul.kv_put(&format!("{ROOT}/{record}"), "{}").await.expect("Consul takes writes");
        }
        let url = url(consul.address());
        let token = token(&consul, "operator", rules).await;
        let file = tree.directory.join("host.yaml");
        std::fs::write(&file, service(1, 2)).expect("the test's directory is writable");
        let file = file.to_str().expect("UTF-8").to_owned();
        Self { url, token, file, consul, _tree: tree }
    }

    async fn may(&self, rules: &str) {
        self.consul.acl_policy("operator", rules).await.expect("Consul takes policies");
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let all: Vec<_> = arguments.iter().copied().chain(["--store", &self.url]).collect();
        biplane::run_with(all, &[(MANAGEMENT.0, &self.token)], "").await
    }

    async fn host(&self) -> Option<String> {
        self.consul.kv_get(&key(1)).await.expect("Consul answers")
    }
}

#[tokio::test]
async fn operator_has_all_that_editing_needs() {
    let operator = Operator::with(&policy("operator")).await;
    for (arguments, code) in [
        (&["init"][..], 0),
        (&["get", "vs"], 0),
        (&["diff", "-f", &operator.file], 1),
        (&["apply", "-f", &operator.file], 0),
        (&["describe", "vs", "host-1"], 0),
        (&["check"], 0),
        (&["history", "vs", "host-1"], 0),
        (&["delete", "vs", "host-1"], 0),
    ] {
        let output = operator.run(arguments).await;
        assert_eq!(output.code, code, "{arguments:?}: {output:?}");
    }
    assert_eq!(operator.host().await, None);
}

#[tokio::test]
async fn operator_with_one_rule_less_is_told_which_and_nothing_is_written() {
    let table: &[(&str, &[&str])] = &[
        ("key_prefix \"biplane/config/\"", &["apply", "-f", "FILE"]),
        ("key_prefix \"biplane/history/\"", &["history", "vs", "gloo-system/host-1"]),
        ("key_prefix \"biplane/meta/\"", &["apply", "-f", "FILE"]),
        ("key_prefix \"biplane/status/\"", &["describe", "vs", "host-1"]),
    ];
    let operator = Operator::with(&policy("operator")).await;
    for ((rules, arguments), (rule, _)) in one_less("operator", table).into_iter().zip(table) {
        operator.may(&rules).await;
        let arguments: Vec<_> = arguments
            .iter()
            .map(|&word| if word == "FILE" { operator.file.as_str() } else { word })
            .collect();
        let output = operator.run(&arguments).await;
        if arguments[0] == "describe" {
            // What others say of an object is an addition; what it is can be read.
            assert_eq!(output.code, 0, "{output:?}");
        } else {
            assert_eq!(output.code, 7, "{rule}: {output:?}");
        }
        assert!(output.stderr.contains(rule), "{rule}: {output:?}");
        throughout("the host as it was", CALM, async || {
            ensure!(operator.host().await == Some(service(1, 1)), "it was written");
            Ok(())
        })
        .await;
    }
}
