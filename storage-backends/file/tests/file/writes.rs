//! What Biplane writes into a directory, and what it leaves alone.

use std::fs;
use std::path::Path;

use biplane_core::key::ObjectKey;
use biplane_store::conformance::{document, key};
use biplane_store::{Batch, FaultKind, Precondition, Store, StoreError, StoreExt as _};
use biplane_store_file::{FileOptions, FileStore};

use crate::harness::{Files, documents, service};

const FILE: &str = "managed/VirtualService/default/a.yaml";

async fn put(files: &Files, name: &str, note: &str) -> Result<(), StoreError> {
    let written = files.store.put(key(name), service(name, note), Precondition::Any).await;
    written.map(|_| ())
}

async fn delete(files: &Files, name: &str) -> Result<(), StoreError> {
    files.store.delete(key(name), Precondition::Any).await.map(|_| ())
}

async fn names(files: &Files) -> Vec<ObjectKey> {
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.faults, []);
    listing.items.into_iter().map(|object| object.key).collect()
}

/// The error says that the file is not ours, and which one it is.
fn assert_elsewhere(result: Result<(), StoreError>, file: &str) {
    let error = result.expect_err("the file is somebody else's");
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains(file) && error.hint().is_some(), "{error}");
}

fn is_empty_of_leftovers(directory: &Path) -> bool {
    fs::read_dir(directory).expect("it is there").all(|entry| {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let is_leftover = name.to_string_lossy().ends_with(".tmp");
        !is_leftover && (!entry.path().is_dir() || is_empty_of_leftovers(&entry.path()))
    })
}

#[tokio::test]
async fn an_object_is_a_file_of_its_own_as_it_was_written() {
    let files = Files::managed();
    put(&files, "a", "one").await.expect("a write");
    assert_eq!(fs::read(files.at(FILE)).expect("read"), service("a", "one"));
    put(&files, "a", "two").await.expect("a write");
    assert_eq!(fs::read(files.at(FILE)).expect("read"), service("a", "two"));
    delete(&files, "a").await.expect("a write");
    assert!(!files.at(FILE).exists());
    assert!(is_empty_of_leftovers(&files.root));
}

#[tokio::test]
async fn an_object_that_is_given_elsewhere_is_left_alone() {
    let files = Files::managed();
    files.save("theirs.yaml", service("a", "theirs"));
    assert_elsewhere(put(&files, "a", "ours").await, "theirs.yaml");
    assert_elsewhere(delete(&files, "a").await, "theirs.yaml");
    assert_eq!(names(&files).await, [key("a")]);
}

#[tokio::test]
async fn a_file_that_holds_more_than_the_object_is_left_alone() {
    let files = Files::managed();
    files.save("managed/both.yaml", documents(&[("a", "1"), ("b", "1")]));
    assert_elsewhere(put(&files, "a", "2").await, "managed/both.yaml");
    assert_elsewhere(delete(&files, "b").await, "managed/both.yaml");
    assert_eq!(names(&files).await, [key("a"), key("b")]);
}

#[tokio::test]
async fn a_file_in_the_directory_that_is_the_objects_alone_may_have_any_name() {
    let files = Files::managed();
    files.save("managed/by-hand.yaml", service("a", "1"));
    put(&files, "a", "2").await.expect("a write");
    assert_eq!(fs::read(files.at("managed/by-hand.yaml")).expect("read"), service("a", "2"));
    delete(&files, "a").await.expect("a write");
    assert_eq!(names(&files).await, []);
}

/// Otherwise the other one would take its place, and the object would not be gone.
#[tokio::test]
async fn an_object_that_is_given_twice_is_not_deleted_once() {
    let files = Files::managed();
    files.save(FILE, service("a", "1"));
    files.save("zz.yaml", service("a", "2"));
    assert_elsewhere(delete(&files, "a").await, "zz.yaml");
    assert!(files.at(FILE).exists());
}

#[tokio::test]
async fn another_object_in_the_file_of_this_one_is_left_alone() {
    let files = Files::managed();
    files.save(FILE, service("other", "1"));
    assert_elsewhere(put(&files, "a", "1").await, FILE);
    assert_eq!(names(&files).await, [key("other")]);
}

#[tokio::test]
async fn a_file_that_somebody_broke_is_mended_by_writing_it() {
    let files = Files::managed();
    put(&files, "a", "1").await.expect("a write");
    files.save(FILE, "kind: VirtualServise\n");
    let broken = files.store.list().await.expect("the root is there");
    assert_eq!(broken.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Unidentified]);
    put(&files, "a", "2").await.expect("a write");
    assert_eq!(names(&files).await, [key("a")]);
}

#[tokio::test]
async fn a_value_that_would_not_read_as_its_object_is_refused() {
    let files = Files::managed();
    for (value, word) in [
        (service("b", "1"), "says that it is"),
        ("kind: VirtualServise\nmetadata: {name: a}\n".into(), "VirtualServise"),
        (documents(&[("a", "1"), ("a", "2")]).into(), "not one document"),
        ("# nothing\n".into(), "not one document"),
        (vec![0xff, 0xfe].into(), "UTF-8"),
    ] {
        let error = files.store.put(key("a"), value, Precondition::Any).await.expect_err(word);
        assert!(matches!(error, StoreError::Invalid { .. }) && error.to_string().contains(word), "{error}");
    }
    assert_eq!(names(&files).await, []);
}

#[tokio::test]
async fn what_the_document_leaves_out_its_place_says() {
    let files = Files::managed();
    let value = "spec: {}\n";
    files.store.put(key("a"), value.into(), Precondition::Any).await.expect("a write");
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(
        listing.items.iter().map(|object| (&object.key, &*object.value)).collect::<Vec<_>>(),
        [(&key("a"), value.as_bytes())]
    );
}

#[tokio::test]
async fn a_batch_that_cannot_be_written_to_its_end_leaves_nothing() {
    let files = Files::managed();
    put(&files, "a", "1").await.expect("a write");
    fs::create_dir_all(files.at("managed/VirtualService/default/b.yaml")).expect("a directory in the way");
    let batch = Batch::new()
        .put(key("a"), service("a", "2"), Precondition::Any)
        .put(key("b"), service("b", "2"), Precondition::Any)
        .put(key("c"), service("c", "2"), Precondition::Any);
    files.store.commit(batch).await.expect_err("b has no place");
    assert_eq!(names(&files).await, [key("a")]);
    assert_eq!(fs::read(files.at(FILE)).expect("read"), service("a", "1"));
    assert!(is_empty_of_leftovers(&files.root));
}

/// The next process does not know what this one's revisions meant, and says so instead of guessing.
#[tokio::test]
async fn a_writer_in_another_process_is_seen_before_conditions_are_checked() {
    let files = Files::managed();
    let replica = biplane_store::conformance::Harness::replica(&files).await;
    replica.put(key("a"), service("a", "1"), Precondition::Absent).await.expect("a write");
    let result = files.store.put(key("a"), service("a", "2"), Precondition::Absent).await;
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
}

#[tokio::test]
async fn a_condition_on_what_an_earlier_process_told_does_not_hold_by_accident() {
    let files = Files::managed();
    put(&files, "a", "1").await.expect("a write");
    let told = files.store.get(&key("a")).await.expect("read").expect("there").revision;
    files.save(FILE, service("a", "by hand"));
    let restarted = biplane_store::conformance::Harness::replica(&files).await;
    let result = restarted.put(key("a"), service("a", "2"), Precondition::At(told)).await;
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
    assert_eq!(fs::read(files.at(FILE)).expect("read"), service("a", "by hand"), "the edit is there");
}

/// Objects of a batch that takes a while to rename.
const MANY: usize = 1500;

/// Names the root of the process that is to be killed.
const VICTIM: &str = "BIPLANE_TEST_VICTIM";

/// Not a rule: the process that [`a_batch_is_whole_whenever_its_writer_is_killed`] kills.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Some(root) = std::env::var_os(VICTIM) else { return };
    let options = FileOptions { writable: Some("managed".into()), ..FileOptions::new(root) };
    let store = FileStore::new(options).expect("a path");
    let put = |batch: Batch, n: usize| {
        let name = format!("n{n:04}");
        batch.put(key(&name), service(&name, "1"), Precondition::Any)
    };
    store.commit((0..MANY).fold(Batch::new(), put)).await.expect("written");
}

#[tokio::test]
async fn a_batch_is_whole_whenever_its_writer_is_killed() {
    let files = Files::managed();
    let journal = files.at("managed/.biplane.journal");
    let mut victim = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "writes::the_process_that_is_killed"])
        .env(VICTIM, &files.root)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    // From here on it renames one file after the other.
    while !journal.exists() && victim.try_wait().expect("a child").is_none() {
        std::thread::yield_now();
    }
    victim.kill().expect("killed");
    victim.wait().expect("a child");
    assert_eq!(names(&files).await.len(), MANY);
    assert!(is_empty_of_leftovers(&files.root));
    put(&files, "n0000", "2").await.expect("it goes on");
}

#[tokio::test]
async fn new_files_that_a_crash_left_are_removed() {
    let files = Files::managed();
    put(&files, "a", "1").await.expect("a write");
    files.save("managed/VirtualService/default/.biplane-0123.tmp", "left");
    let restarted = biplane_store::conformance::Harness::replica(&files).await;
    assert_eq!(restarted.list().await.expect("the root is there").items.len(), 1);
    assert!(is_empty_of_leftovers(&files.root));
}

#[tokio::test]
async fn a_batch_that_cannot_be_finished_is_a_fault_until_it_is() {
    let files = Files::managed();
    put(&files, "a", "1").await.expect("a write");
    files.save("managed/.biplane.journal", "another version's");
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Unfinished]);
    let error = put(&files, "a", "2").await.expect_err("nobody knows what else belongs to it");
    assert!(error.to_string().contains(".biplane.journal") && error.hint().is_some(), "{error:?}");
    fs::remove_file(files.at("managed/.biplane.journal")).expect("remove");
    assert_eq!(names(&files).await, [key("a")]);
    put(&files, "a", "2").await.expect("a write");
}

#[tokio::test]
async fn a_root_that_is_away_is_not_made_by_writing() {
    let files = Files::managed();
    fs::remove_dir(&files.root).expect("remove");
    let error = put(&files, "a", "1").await.expect_err("the root is away");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(!files.root.exists());
}

#[test]
fn a_directory_that_would_not_be_read_cannot_be_written() {
    for writable in ["../aside", "/elsewhere", ".hidden", "a/../../b"] {
        let options = FileOptions { writable: Some(writable.into()), ..FileOptions::new("/etc/biplane") };
        let error = FileStore::new(options).expect_err(writable);
        assert!(matches!(error, StoreError::Invalid { .. }) && error.hint().is_some(), "{error:?}");
    }
    for writable in ["managed", "/etc/biplane/managed", ""] {
        let options = FileOptions { writable: Some(writable.into()), ..FileOptions::new("/etc/biplane") };
        assert!(FileStore::new(options).expect(writable).describe().writable);
    }
}

#[tokio::test]
async fn a_new_secret_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let files = Files::managed();
    let key = ObjectKey::new(biplane_core::key::Kind::Secret, "default", "s");
    files.store.put(key.clone(), document(&key, "1"), Precondition::Any).await.expect("a write");
    let mode =
        files.at("managed/Secret/default/s.yaml").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
