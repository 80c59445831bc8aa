//! Rules of the store that need a look inside: how much is read, and lost events.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use biplane_store::Change;

use super::*;

fn document(name: &str, note: &str) -> String {
    format!("kind: Upstream\nmetadata: {{name: {name}, annotations: {{note: {note}}}}}\n")
}

fn save(root: &Path, name: &str, note: &str) {
    let hidden = root.join(format!(".{name}.new"));
    std::fs::write(&hidden, document(name, note)).expect("write");
    std::fs::rename(hidden, root.join(format!("{name}.yaml"))).expect("rename");
}

async fn changed(watch: &mut WatchStream) -> Vec<String> {
    let event = tokio::time::timeout(Duration::from_secs(20), watch.next()).await.expect("an event in time");
    match event.expect("the watch goes on").expect("the watch works") {
        WatchEvent::Changes(changes) => {
            changes.changes.iter().map(Change::key).map(|key| key.name.clone()).collect()
        }
        WatchEvent::Resync => panic!("no history was lost"),
    }
}

async fn opened(root: &Path) -> (FileStore, WatchStream) {
    let store = FileStore::new(FileOptions::new(root)).expect("a path");
    let listing = store.list().await.expect("the root is there");
    let watch = store.watch(listing.revision).await.expect("watched");
    (store, watch)
}

#[tokio::test]
async fn a_change_of_one_file_among_a_thousand_reads_one_file() {
    let root = tempfile::tempdir().expect("a temporary directory");
    for n in 0..1000 {
        save(root.path(), &format!("n{n:03}"), "old");
    }
    let (store, mut watch) = opened(root.path()).await;
    let before = store.tree.lock().await.reads();
    save(root.path(), "n500", "new");
    assert_eq!(changed(&mut watch).await, ["n500"]);
    assert_eq!(store.tree.lock().await.reads() - before, 1);
}

#[tokio::test]
async fn a_full_read_in_the_middle_of_an_edit_is_not_told_yet() {
    let root = tempfile::tempdir().expect("a temporary directory");
    save(root.path(), "a", "old");
    let (store, _watch) = opened(root.path()).await;
    let before = store.log.head();
    save(root.path(), "a", "new");
    let written = notify::EventKind::Modify(notify::event::ModifyKind::Data(notify::event::DataChange::Any));
    let mut half = std::fs::File::create(root.path().join("b.yaml")).expect("create");
    std::io::Write::write_all(&mut half, b"kind: Upstream").expect("write");
    store.inbox.handle(Ok(notify::Event::new(written).add_path(root.path().join("b.yaml"))));
    let patience = Patience { for_git: true, for_writer: true, for_more: true };
    let step = store.step(Scope::Whole(Mode::Everything), patience, |_| ()).await.expect("it is read");
    assert!(matches!(step, Step::MoreToRead), "{step:?}");
    assert_eq!(store.log.head(), before);
}

#[tokio::test]
async fn what_a_failed_reading_found_is_not_told_by_the_next_one() {
    let root = tempfile::tempdir().expect("a temporary directory");
    save(root.path(), "a", "old");
    let mut options = FileOptions::new(root.path());
    options.limits.objects = 8;
    let store = FileStore::new(options).expect("a path");
    store.list().await.expect("the root is there");
    let before = store.log.head();
    save(root.path(), "a", "new");
    (0..8).for_each(|n| save(root.path(), &format!("many{n}"), "1"));
    store.list().await.expect_err("nine are more than eight");
    store.advance().await.expect_err("so they are now");
    assert_eq!(store.log.head(), before);
}

#[tokio::test]
async fn events_lost_to_an_overflow_are_made_good_and_told_at_once() {
    let root = tempfile::tempdir().expect("a temporary directory");
    save(root.path(), "stays", "1");
    save(root.path(), "changes", "1");
    save(root.path(), "goes", "1");
    let (store, mut watch) = opened(root.path()).await;
    store.tree.lock().await.stop_watching();
    save(root.path(), "changes", "2");
    save(root.path(), "comes", "1");
    std::fs::remove_file(root.path().join("goes.yaml")).expect("remove");
    store.inbox.lose("the test says so", std::time::Instant::now());
    let told: BTreeSet<_> = changed(&mut watch).await.into_iter().collect();
    assert_eq!(told, ["changes", "comes", "goes"].map(str::to_owned).into());
    save(root.path(), "after", "1");
    assert_eq!(changed(&mut watch).await, ["after"], "the directory is watched again");
}

#[tokio::test]
async fn a_tree_that_cannot_be_watched_is_compared_from_time_to_time() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let options = FileOptions { poll: Some(Duration::from_millis(20)), ..FileOptions::new(root.path()) };
    let store = FileStore::new(options).expect("a path");
    let listing = store.list().await.expect("the root is there");
    store.tree.lock().await.stop_watching();
    let mut watch = store.watch(listing.revision).await.expect("watched");
    save(root.path(), "a", "1");
    assert_eq!(changed(&mut watch).await, ["a"]);
}
