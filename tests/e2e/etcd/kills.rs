//! Biplane itself is killed, with etcd away or while everybody edits: it comes back with what it had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use biplane_testkit::{Etcd, FaultProxy, biplane, eventually};
use tokio::time::{Instant, sleep};

use super::served::{QUICK, Served, options, url, url_of};
use crate::harness::{PATIENCE, Tree, ports_open, status};

/// How soon the last good configuration is served.
const SOON: Duration = Duration::from_secs(2);

/// Editions on disk, the oldest first.
fn editions(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let is_edition =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot-"));
    let mut editions: Vec<_> = entries.filter(is_edition).collect();
    editions.sort();
    editions
}

/// Waits until an edition is on disk that is not among `known`.
async fn another_edition(state: &Path, known: &[PathBuf]) {
    eventually("an edition on disk", PATIENCE, async || {
        ensure!(editions(state).iter().any(|edition| !known.contains(edition)), "none yet");
        Ok(())
    })
    .await;
}

/// Starts Biplane, and an Envoy that has nothing; the world is to be live in no time.
async fn comes_back_with_everything(served: &mut Served) {
    served.site.envoy.stop().await;
    served.site.biplane.start_again().await;
    let started = Instant::now();
    eventually("the gate", SOON, async || {
        let ready = served.site.biplane.get("/ready").await?;
        ensure!(ready.status == 200, "{}", ready.text());
        Ok(())
    })
    .await;
    assert!(started.elapsed() < SOON, "served after {:?}", started.elapsed());
    served.site.envoy.start_again().await;
    served.site.envoy.ready().await;
    ports_open(&[served.site.port]).await;
    served.live().await;
}

#[tokio::test]
async fn killed_while_etcd_is_down_it_serves_the_last_good_configuration_at_once() {
    let mut served = Served::start(20).await;
    another_edition(served.site.biplane.state(), &[]).await;
    let traffic = served.traffic().await;
    served.etcd.kill(0);
    served.site.biplane.kill();
    served.site.biplane.start_again().await;
    served.until_state("restored").await;
    served.site.in_sync().await;
    served.unharmed(traffic).await;

    served.site.biplane.kill();
    comes_back_with_everything(&mut served).await;
    let source = served.until_state("restored").await;
    assert!(source["ageSeconds"].is_u64(), "{source:#}");

    served.etcd.start_again(0);
    served.etcd.ready().await;
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.live().await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn killed_while_etcd_is_silent_it_serves_the_last_good_configuration_at_once() {
    let tree = Tree::new();
    let etcd = Etcd::start(&tree.directory).await;
    let link = FaultProxy::start(etcd.address(0));
    // With the patience of default, which is longer than anybody is to wait.
    let through = options(&url(&[link.address()], ""));
    let mut served = Served::on(tree, etcd, &through, 20).await;
    another_edition(served.site.biplane.state(), &[]).await;
    link.blackhole();
    served.site.biplane.kill();
    comes_back_with_everything(&mut served).await;
    link.heal();
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.live().await;
    served.until_state("complete").await;
}

#[tokio::test]
async fn newest_edition_that_is_damaged_is_passed_over_for_the_one_before() {
    let mut served = Served::start(20).await;
    let state = served.site.biplane.state().to_owned();
    another_edition(&state, &[]).await;
    served.site.biplane.stop().await;
    let known = editions(&state);
    let edits = served.world.edit([19]);
    let edited = served.world.remember();
    served.write(&edits).await;
    served.site.biplane.start_again().await;
    served.live().await;
    another_edition(&state, &known).await;
    served.site.biplane.kill();
    served.etcd.kill(0);
    let newest = editions(&state).pop().expect("an edition");
    let mut bytes = fs::read(&newest).expect("it is ours");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&newest, bytes).expect("it is ours");
    let mut before = edited.clone();
    before.insert(19, 1);
    served.world.go_back(before);
    comes_back_with_everything(&mut served).await;
    assert!(served.site.biplane.process().log().contains("snapshot passed over"), "it says so");

    served.etcd.start_again(0);
    served.etcd.ready().await;
    served.world.go_back(edited);
    served.live().await;
}

#[tokio::test]
async fn long_killed_200_times_under_edits_it_always_comes_back() {
    killed_under_edits(200).await;
}

#[tokio::test]
async fn killed_20_times_under_edits_it_always_comes_back() {
    killed_under_edits(20).await;
}

async fn killed_under_edits(times: u64) {
    let mut served = Served::start(20).await;
    let traffic = served.traffic().await;
    for round in 0..times {
        let number = usize::try_from(round).expect("few") % 20;
        let edits = served.world.edit([number, (number + 7) % 20]);
        served.write(&edits).await;
        // Any moment will do, of start, reading, publishing or writing to disk; that is what is tried.
        sleep(Duration::from_millis(round * 7919 % 400)).await;
        served.site.biplane.kill();
        served.site.biplane.start_again().await;
    }
    served.live().await;
    served.site.in_sync().await;
    served.unharmed(traffic).await;
    let log = served.site.biplane.process().log();
    assert!(!log.contains("snapshot passed over"), "no power cut leaves half an edition");
    let state = served.site.biplane.state().to_owned();
    served.site.biplane.stop().await;
    served.etcd.kill(0);
    assert!(editions(&state).len() <= 3, "{:?}", editions(&state));
    comes_back_with_everything(&mut served).await;
}

/// A file system of one mebibyte, where the user who runs the tests may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&at).status()?;
        ensure!(status.success(), "mount ended with {status}");
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn full_disk_is_an_alarm_and_no_more() {
    let tree = Tree::new();
    let etcd = Etcd::start(&tree.directory).await;
    let state = tree.directory.join("small");
    let (disk, options) = (SmallDisk::mount(state.clone()), options(&url_of(&etcd)));
    // Who may not mount fills the same place in another way: a directory stands where the file is to be.
    let filler = if disk.is_ok() { state.join("filler") } else { state.join("snapshot.tmp") };
    let options = biplane::Options { state: Some(state.clone()), ..options };
    let mut served = Served::on(tree, etcd, &options, 20).await;
    another_edition(&state, &[]).await;
    let traffic = served.traffic().await;
    if disk.is_ok() {
        let _ = fs::write(&filler, vec![0; 2 * 1024 * 1024]);
    } else {
        fs::create_dir(&filler).expect("the state directory is ours");
    }
    let edits = served.world.edit(0..20);
    served.write(&edits).await;
    served.live().await;
    status::until(&served.site.biplane, "an alarm about the disk", |status| {
        let reports = status::list(status, "reports");
        reports.iter().any(|report| {
            report["severity"] == "error"
                && report["message"].as_str().is_some_and(|text| text.contains("not kept on disk"))
        })
    })
    .await;
    for _ in 0..5 {
        served.site.biplane.kill();
        served.site.biplane.start_again().await;
        let edits = served.world.edit(0..3);
        served.write(&edits).await;
        served.live().await;
    }
    assert!(!editions(&state).is_empty(), "what was there is not lost");
    let known = editions(&state);

    if disk.is_ok() {
        fs::remove_file(&filler).expect("it is ours");
    } else {
        fs::remove_dir(&filler).expect("it is ours");
    }
    another_edition(&state, &known).await;
    status::until(&served.site.biplane, "no alarm", |status| {
        !status["reports"].to_string().contains("not kept on disk")
    })
    .await;
    served.unharmed(traffic).await;
    // Ended in order, it leaves the last edit on disk.
    served.site.biplane.stop().await;
    served.etcd.kill(0);
    comes_back_with_everything(&mut served).await;
    // Before the directory that it is mounted in.
    drop(disk);
}

#[tokio::test]
async fn start_on_a_disk_that_is_full_serves_from_etcd() {
    let tree = Tree::new();
    let etcd = Etcd::start(&tree.directory).await;
    let state = tree.directory.join("no-directory");
    fs::write(&state, "a file where the directory is to be").expect("the test's directory is writable");
    let options = biplane::Options { state: Some(state), ..options(&url(&[etcd.address(0)], QUICK)) };
    let served = Served::on(tree, etcd, &options, 5).await;
    status::until(&served.site.biplane, "an alarm about the disk", |status| {
        status["reports"].to_string().contains("not kept on disk")
    })
    .await;
}
