//! What a restart finds after a write was interrupted or a file was damaged.

use std::os::unix::fs::PermissionsExt as _;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_store::Revision;
use bytes::Bytes;

use super::*;

const STORE: &str = "file:///a b";

fn object(kind: Kind, name: &str, value: &str) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(kind, "default", name),
        value: Bytes::copy_from_slice(value.as_bytes()),
        location: Location::file("a.yaml", 3),
        revision: Revision::default(),
        created: Some(7),
    }
}

fn old() -> [StoredObject; 2] {
    [object(Kind::Secret, "s", "tls: {old: 1}"), object(Kind::Upstream, "u", "static: {}")]
}

fn new() -> [StoredObject; 2] {
    [object(Kind::Secret, "s", "tls: {new: 1}"), object(Kind::Upstream, "u", "static: {}\n# new")]
}

fn opened() -> (tempfile::TempDir, SnapshotDirectory) {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = SnapshotDirectory::open(&directory.path().join("state"), STORE, None).unwrap();
    (directory, snapshots)
}

/// A directory with an old and a new edition, and the path of the new one.
fn two_editions() -> (tempfile::TempDir, SnapshotDirectory, PathBuf) {
    let (directory, snapshots) = opened();
    snapshots.write(old().iter()).unwrap();
    snapshots.write(new().iter()).unwrap();
    let (_, newest) = snapshots.editions().unwrap().pop().unwrap();
    (directory, snapshots, newest)
}

fn numbers(snapshots: &SnapshotDirectory) -> Vec<u64> {
    snapshots.editions().unwrap().into_iter().map(|(number, _)| number).collect()
}

#[test]
fn newest_edition_is_read() {
    let (_directory, snapshots, _) = two_editions();
    assert_eq!(snapshots.load(), new());
}

#[test]
fn secret_values_are_sealed_and_files_private() {
    let (_directory, snapshots, newest) = two_editions();
    assert!(!fs::read_to_string(&newest).unwrap().contains("tls"));
    for path in [&newest, &snapshots.own_key()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    assert_eq!(fs::metadata(&snapshots.path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn three_editions_are_kept() {
    let (_directory, snapshots, _) = two_editions();
    snapshots.write(old().iter()).unwrap();
    snapshots.write(old().iter()).unwrap();
    assert_eq!(numbers(&snapshots), [2, 3, 4]);
}

#[test]
fn edition_cut_anywhere_falls_back_to_the_one_before() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    for length in 0..whole.len() {
        fs::write(&newest, &whole[..length]).unwrap();
        assert_eq!(snapshots.load(), old(), "cut to {length} of {} bytes", whole.len());
    }
    fs::write(&newest, [&whole[..], b"{}\n"].concat()).unwrap();
    assert_eq!(snapshots.load(), old(), "lengthened");
    fs::write(&newest, &whole).unwrap();
    assert_eq!(snapshots.load(), new());
}

#[test]
fn edition_with_any_flipped_bit_falls_back_to_the_one_before() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&newest, &flipped).unwrap();
        assert_eq!(snapshots.load(), old(), "byte {position}");
    }
}

#[test]
fn edition_of_a_future_format_is_passed_over() {
    let (_directory, snapshots, newest) = two_editions();
    let future = fs::read_to_string(&newest).unwrap().replace("snapshot 2", "snapshot 9");
    fs::write(&newest, &future).unwrap();
    assert_eq!(snapshots.load(), old());
}

#[test]
fn edition_of_another_store_is_not_served() {
    let (_directory, snapshots, _) = two_editions();
    let other = SnapshotDirectory::open(&snapshots.path, "file:///b", None).unwrap();
    assert_eq!(other.load(), []);
}

#[test]
fn process_killed_anywhere_in_a_write_leaves_the_last_edition() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    let temporary = snapshots.path.join("snapshot.tmp");
    for length in 0..=whole.len() {
        fs::write(&temporary, &whole[..length]).unwrap();
        assert_eq!(snapshots.load(), new(), "killed after {length} bytes");
    }
    snapshots.write(old().iter()).unwrap();
    assert_eq!(snapshots.load(), old());
    assert!(!temporary.exists());
}

#[test]
fn process_killed_anywhere_in_making_the_key_starts_again() {
    for length in 0..=32 {
        let (_directory, snapshots) = opened();
        fs::remove_file(snapshots.own_key()).unwrap();
        fs::write(snapshots.path.join("snapshot.key.tmp"), &[1; 32][..length]).unwrap();
        let again = SnapshotDirectory::open(&snapshots.path, STORE, None).unwrap();
        again.write(new().iter()).unwrap();
        assert_eq!(snapshots.load(), new(), "killed after {length} bytes");
    }
}
