//! Rules of the walk that need the world to change in the middle of it.

use super::events::RETRIES;
use super::poll::GRACE;
use super::*;
use crate::interest::Interest;
use crate::pending::Batch;

fn document(name: &str) -> String {
    format!("kind: Upstream\nmetadata: {{name: {name}}}\n")
}

fn tree(root: &Path) -> Tree {
    let inbox = Arc::new(Inbox::new(Interest::Documents));
    Tree::new(root.to_owned(), &FileOptions::new(root), inbox, Revision::default())
}

#[test]
fn what_is_missing_below_a_root_that_is_away_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists").join("root");
    std::fs::create_dir(&root).expect("create");
    std::fs::write(root.join("a.yaml"), document("a")).expect("write");
    let mut tree = tree(&root);
    tree.sweep(Mode::Everything).expect("the root is there");
    assert!(tree.commit().is_some());
    std::fs::rename(&root, root.with_file_name("away")).expect("rename");
    tree.visit(&root.join("a.yaml")).expect_err("the root is away");
    assert!(tree.commit().is_none());
    std::fs::create_dir(&root).expect("create");
    tree.visit(&root.join("a.yaml")).expect_err("the root is another one");
    assert!(tree.commit().is_none());
}

#[test]
fn after_a_failed_reading_the_next_one_reads_everything() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists").join("root");
    std::fs::create_dir(&root).expect("create");
    let mut tree = tree(&root);
    tree.sweep(Mode::Everything).expect("the root is there");
    std::fs::rename(&root, root.with_file_name("away")).expect("rename");
    tree.apply(&Batch::default()).expect_err("the root is away");
    std::fs::write(root.with_file_name("away/a.yaml"), document("a")).expect("write");
    std::fs::rename(root.with_file_name("away"), &root).expect("rename");
    tree.apply(&Batch::default()).expect("the root is back");
    assert_eq!(tree.commit().map(|changes| changes.changes.len()), Some(1));
}

#[test]
fn an_event_below_a_vanished_mount_removes_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists");
    std::fs::create_dir_all(root.join("mount/deep")).expect("create");
    std::fs::write(root.join("mount/deep/a.yaml"), document("a")).expect("write");
    let mut tree = tree(&root);
    tree.sweep(Mode::Everything).expect("the root is there");
    assert!(tree.commit().is_some());
    for mounted in ["mount", "mount/deep"].map(|path| root.join(path)) {
        let id = tree.reach.id(&mounted).expect("it was read");
        tree.reach.set_id(&mounted, FileId { device: id.device + 1, ..id });
    }
    std::fs::remove_dir_all(root.join("mount/deep")).expect("remove");
    tree.visit(&root.join("mount/deep/a.yaml")).expect("the root is there");
    let changes = tree.commit().expect("there is a fault");
    assert_eq!((changes.changes, changes.faults.map(|faults| faults.len())), (Vec::new(), Some(1)));
}

#[test]
fn all_that_cannot_be_read_takes_turns_in_being_tried_again() {
    let mut tree = tree(Path::new("/nowhere"));
    tree.failed = (0..RETRIES * 2).map(|n| PathBuf::from(format!("/nowhere/{n:04}"))).collect();
    let (first, second) = (tree.next_retries(), tree.next_retries());
    assert_eq!((first.len(), second.len()), (RETRIES, RETRIES));
    assert!(first.is_disjoint(&second));
    assert_eq!(tree.next_retries(), first);
}

#[test]
fn a_directory_whose_mode_changes_is_not_read_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists");
    let team = root.join("team");
    std::fs::create_dir_all(team.join("deep")).expect("create");
    std::fs::write(team.join("a.yaml"), document("a")).expect("write");
    std::fs::write(team.join("deep/b.yaml"), document("b")).expect("write");
    let mut tree = tree(&root);
    tree.sweep(Mode::Everything).expect("the root is there");
    let before = tree.reads();
    std::fs::remove_file(team.join("a.yaml")).expect("remove");
    std::fs::write(team.join("c.yaml"), document("c")).expect("write");
    for directory in [&root, &team, &team.join("deep")] {
        let touched = BTreeSet::from([directory.clone()]);
        let batch = Batch { paths: touched.clone(), touched, rescan: false };
        tree.apply(&batch).expect("the root is there");
    }
    assert_eq!(tree.reads() - before, 1, "only what is new is read");
    assert_eq!(tree.catalog.len(), 2, "b and c");
}

/// Polls, and says how many objects have changed.
fn poll(tree: &mut Tree) -> usize {
    tree.poll().expect("the root is there");
    tree.commit().map_or(0, |changes| changes.changes.len())
}

fn let_the_grace_pass(tree: &mut Tree) {
    for since in tree.waiting.values_mut() {
        *since -= GRACE;
    }
}

#[test]
fn a_poll_gives_what_is_missing_or_new_the_time_to_be_complete() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists");
    std::fs::write(root.join("a.yaml"), document("a")).expect("write");
    let mut tree = tree(&root);
    tree.sweep(Mode::Everything).expect("the root is there");
    assert!(tree.commit().is_some());
    std::fs::remove_file(root.join("a.yaml")).expect("remove");
    std::fs::write(root.join("b.yaml"), document("b")).expect("write");
    assert_eq!((poll(&mut tree), tree.waiting.len()), (0, 2));
    let_the_grace_pass(&mut tree);
    assert_eq!((poll(&mut tree), tree.waiting.len()), (2, 0));
}
