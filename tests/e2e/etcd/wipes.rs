//! Keys that are deleted by hand, many at once: nothing goes before an operator has said that it was meant.
//! What is deleted through Biplane needs no second word.

use anyhow::ensure;
use biplane_testkit::{biplane, eventually};

use super::served::{ROOT, Served, held_of, metric};
use super::world::{key, name, service};
use crate::harness::resources::{gateway, keyed};
use crate::harness::{PATIENCE, status};

#[tokio::test]
async fn wiped_store_removes_nothing_and_one_that_is_put_back_is_followed_again() {
    let mut served = Served::start(20).await;
    let traffic = served.traffic().await;
    served.etcd.delete_prefix(&format!("{ROOT}/")).await.expect("etcd takes deletions");
    let source = served.until_state("unmarked").await;
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("biplane init")), "{source:#}");
    served.stays().await;

    served.write(&keyed(ROOT, &[gateway(served.site.port)])).await;
    served.write(&served.world.entries()).await;
    super::served::init(&served.url).await;
    served.until_state("complete").await;
    let edits = served.world.edit(0..3);
    served.write(&edits).await;
    served.live().await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn store_that_is_made_anew_and_says_something_else_is_accepted_first() {
    let mut served = Served::start(20).await;
    let traffic = served.traffic().await;
    served.etcd.delete_prefix(&format!("{ROOT}/")).await.expect("etcd takes deletions");
    served.until_state("unmarked").await;
    // Somebody's copy, in which three hosts differ, one is missing and one is new.
    let before = served.world.remember();
    served.world.edit(0..3);
    served.world.edit([30]);
    served.world.remove([19]);
    served.write(&keyed(ROOT, &[gateway(served.site.port)])).await;
    served.write(&served.world.entries()).await;
    let wanted = served.world.remember();
    super::served::init(&served.url).await;
    let source = served.until_held(4).await;
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("another store")), "{source:#}");
    served.world.go_back(before.into_iter().chain([(30, 1)]).collect());
    served.live().await;
    served.stays().await;
    served.accept().await;
    served.world.go_back(wanted);
    served.live().await;
    served.until_state("complete").await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn wiped_store_is_emptied_when_an_operator_accepts_it() {
    let mut served = Served::start(20).await;
    served.etcd.delete_prefix(&format!("{ROOT}/")).await.expect("etcd takes deletions");
    served.until_state("unmarked").await;
    served.stays().await;
    served.accept().await;
    let all: Vec<_> = (0..20).collect();
    served.world.remove(all);
    served.until_state("complete").await;
    let port = served.site.port;
    served.site.until_stat("listener_manager.total_listeners_active", |active| active == 0).await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the listener is gone");
    // It is a store like any other now.
    let edits = served.world.edit(0..3);
    served.write(&keyed(ROOT, &[gateway(port)])).await;
    served.write(&served.world.entries()).await;
    served.write(&edits).await;
    crate::harness::ports_open(&[port]).await;
    served.world.live(&[port], PATIENCE).await;
}

#[tokio::test]
async fn deleted_prefix_is_held_while_additions_flow_until_it_is_accepted() {
    let mut served = Served::start(20).await;
    served.leads().await;
    let traffic = served.traffic().await;
    served.etcd.delete_prefix(&format!("{ROOT}/config/VirtualService/")).await.expect("etcd takes deletions");
    let source = served.until_held(20).await;
    assert_eq!(source["state"], "suspect", "{source:#}");
    assert!(source["reason"].as_str().is_some_and(|reason| reason.contains("20 of 20")), "{source:#}");
    assert!(source["hint"].as_str().is_some_and(|hint| hint.contains("biplane source accept")), "{source:#}");
    served.stays().await;
    let check = served.command(&["check"]).await;
    assert_ne!(check.code, 0, "{check:?}");
    assert!(format!("{}{}", check.stdout, check.stderr).contains("biplane source accept"), "{check:?}");
    eventually("the word about it in the store", PATIENCE, async || {
        let record = served.etcd.get(&format!("{ROOT}/status/VirtualService/gloo-system/host-0")).await?;
        ensure!(record.as_ref().is_some_and(|record| record.contains("\"held\"")), "{record:?}");
        Ok(())
    })
    .await;

    // A new host and a changed one flow, one that comes back is held no longer.
    let edits = served.world.edit([40, 5]);
    served.write(&edits).await;
    served.write(&served.world.again([6])).await;
    served.until_held(18).await;
    served.live().await;
    served.unharmed(traffic).await;

    served.accept().await;
    served.world.remove((0..20).filter(|number| ![5, 6].contains(number)).collect::<Vec<_>>());
    served.live().await;
    served.until_state("complete").await;
    served.until_held(0).await;
}

#[tokio::test]
async fn wipe_in_small_steps_is_a_wipe() {
    let mut served = Served::start(20).await;
    let before = served.world.remember();
    for number in (0..20).rev() {
        served.etcd.delete(&key(number)).await.expect("etcd takes deletions");
    }
    status::until(&served.site.biplane, "a suspect source", |status| {
        status["sources"][0]["state"] == "suspect" && !held_of(status).is_empty()
    })
    .await;
    let passed = 20 - metric(&served.site.biplane, "biplane_guard_held_removals").await.expect("a metric");
    assert!(passed <= 7, "{passed} of 20 hosts went without a word");
    served.world.go_back(before);
    let gone: Vec<_> = (0..20).rev().take(usize::try_from(passed).expect("few")).collect();
    served.world.remove(gone);
    served.live().await;
    served.stays().await;
}

#[tokio::test]
async fn few_deletions_by_hand_pass_at_once() {
    let mut served = Served::start(20).await;
    let removed = served.world.remove([17, 18, 19]);
    for key in removed {
        served.etcd.delete(&key).await.expect("etcd takes deletions");
    }
    served.live().await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn what_is_deleted_through_biplane_needs_no_second_word() {
    let mut served = Served::start(20).await;
    let names: Vec<_> = (8..20).map(name).collect();
    let mut arguments = vec!["delete", "VirtualService"];
    arguments.extend(names.iter().map(String::as_str));
    arguments.extend(["-n", "gloo-system"]);
    let output = served.command(&arguments).await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.remove(8..20);
    served.live().await;
    served.until_state("complete").await;

    let file = served.site.directory.join("rest.yaml");
    let rest: Vec<_> = (0..2).map(|number| service(number, 9)).collect();
    std::fs::write(&file, rest.join("---\n")).expect("the test's directory is writable");
    let file = file.to_str().expect("UTF-8");
    // Not through the process that serves: what is meant is written beside what is changed.
    let output = biplane::run_with(["apply", "-f", file, "--prune", "--store", &served.url], &[], "").await;
    assert_eq!(output.code, 0, "{output:?}");
    served.world.remove(2..8);
    for number in 0..2 {
        while served.world.remember()[&number] < 9 {
            served.world.edit([number]);
        }
    }
    eventually("the rest and no more", PATIENCE, async || {
        let status = status::fetch(&served.site.biplane).await?;
        ensure!(status["objects"]["VirtualService"] == 2, "{:#}", status["objects"]);
        ensure!(status["sources"][0]["state"] == "complete", "{:#}", status["sources"]);
        Ok(())
    })
    .await;
}
