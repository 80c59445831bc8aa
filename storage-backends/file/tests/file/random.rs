//! Random edits of a random tree. Whatever happened, what the watch told in the end is what a fresh
//! reader finds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use biplane_store::conformance::Follower;
use biplane_store::{Fault, FaultKind, Listing, Revision, StoredObject};

use crate::harness::{Files, documents, open, settle};

/// A small generator of its own: a failing seed can be played again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let last = from.len() as u64;
        from[usize::try_from(self.below(last)).expect("small")]
    }
}

const DIRECTORIES: [&str; 7] = ["", "x", "x/y", "z", "link", ".hidden", "x/back"];
const NAMES: [&str; 6] = ["a.yaml", "b.yaml", "c.json", "a.yaml~", ".d.yaml", "link.yaml"];
const OBJECTS: [&str; 5] = ["one", "two", "three", "four", "five"];

fn place(files: &Files, random: &mut Random) -> PathBuf {
    files.at(random.pick(&DIRECTORIES)).join(random.pick(&NAMES))
}

fn content(random: &mut Random) -> String {
    let count = random.below(4);
    let services: Vec<_> =
        (0..count).map(|_| (random.pick(&OBJECTS), random.pick(&["1", "2", "3"]))).collect();
    let broken = if random.below(6) == 0 { "---\nkind: Nonsense\n" } else { "" };
    documents(&services) + broken
}

/// One edit. Most of them fail where their place is not there, which is as good as any other edit.
fn edit(files: &Files, random: &mut Random) -> std::io::Result<()> {
    let (from, to) = (place(files, random), place(files, random));
    let (directory, other) = (files.at(random.pick(&DIRECTORIES)), files.at(random.pick(&DIRECTORIES)));
    match random.below(14) {
        0..=4 => fs::write(to, content(random)),
        5 | 6 => {
            fs::write(files.aside("new"), content(random))?;
            fs::rename(files.aside("new"), to)
        }
        7 => fs::rename(from, to),
        8 => fs::remove_file(from),
        9 => fs::create_dir_all(directory),
        10 if directory != files.root => fs::remove_dir_all(directory),
        11 if directory != files.root && other != files.root => fs::rename(directory, other),
        // No link leads upwards: an edit through it would leave the test's own directory.
        12 => symlink(random.pick(&["x", "z", ".", "nowhere", "link"]), directory),
        13 => symlink(random.pick(&["a.yaml", "x/b.yaml", "nowhere.yaml"]), to),
        _ => Ok(()),
    }
}

fn without_revisions(objects: impl IntoIterator<Item = StoredObject>) -> Vec<StoredObject> {
    objects.into_iter().map(|object| StoredObject { revision: Revision::default(), ..object }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_edits_the_watch_has_told_what_a_fresh_reader_finds() {
    for seed in 0..40 {
        let files = Files::new();
        let mut random = Random(seed);
        let mut follower = files.follow().await;
        for round in 0..6 {
            for _ in 0..random.below(12) {
                // An edit that its place does not allow is no edit.
                let _ = edit(&files, &mut random);
            }
            settle(&files, &mut follower).await;
            let fresh = open(&files.root).list().await.expect("the root is there");
            let what = format!("what a fresh reader finds, seed {seed}, round {round}: {fresh:?}");
            follower.until(&what, |seen| agree(seen, &fresh)).await;
        }
    }
}

/// Whether the two show the same, where they can: behind a bad edit the watch keeps what a fresh reader
/// never saw, and the faults below it.
fn agree(seen: &Follower, fresh: &Listing) -> bool {
    let hidden = |object: &StoredObject| seen.faults.iter().any(|fault| fault.may_hide(&object.location));
    let told = seen.objects.values().filter(|object| !hidden(object)).cloned();
    let found = fresh.items.iter().filter(|object| !hidden(object)).cloned();
    let cut_off: Vec<_> = seen.faults.iter().filter(|fault| fault.kind == FaultKind::Unreadable).collect();
    let is_fresh = |fault: &&Fault| !cut_off.iter().any(|cut| cut.may_hide(&fault.location));
    let told_faults = seen.faults.iter().filter(is_fresh);
    without_revisions(told) == without_revisions(found)
        && told_faults.eq(fresh.faults.iter().filter(is_fresh))
}
