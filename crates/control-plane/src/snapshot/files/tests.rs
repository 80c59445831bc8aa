//! What a restart finds after a write was interrupted, a file was damaged, or a key was lost.

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
    snapshots.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    snapshots.write(&Sources::default(), new().iter(), (&[], &[])).unwrap();
    let (_, newest) = snapshots.editions().unwrap().pop().unwrap();
    (directory, snapshots, newest)
}

fn numbers(snapshots: &SnapshotDirectory) -> Vec<u64> {
    snapshots.editions().unwrap().into_iter().map(|(number, _)| number).collect()
}

fn key_file(directory: &tempfile::TempDir, name: &str, byte: u8) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, [byte; 32]).unwrap();
    path
}

#[test]
fn newest_edition_is_read() {
    let (_directory, snapshots, _) = two_editions();
    assert_eq!(snapshots.load().objects, new());
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
    snapshots.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    snapshots.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    assert_eq!(numbers(&snapshots), [2, 3, 4]);
}

#[test]
fn edition_cut_anywhere_falls_back_to_the_one_before() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    for length in 0..whole.len() {
        fs::write(&newest, &whole[..length]).unwrap();
        assert_eq!(snapshots.load().objects, old(), "cut to {length} of {} bytes", whole.len());
    }
    fs::write(&newest, [&whole[..], b"{}\n"].concat()).unwrap();
    assert_eq!(snapshots.load().objects, old(), "lengthened");
    fs::write(&newest, &whole).unwrap();
    assert_eq!(snapshots.load().objects, new());
}

#[test]
fn edition_with_any_flipped_bit_falls_back_to_the_one_before() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&newest, &flipped).unwrap();
        assert_eq!(snapshots.load().objects, old(), "byte {position}");
    }
}

#[test]
fn edition_of_a_future_format_is_passed_over_and_stays() {
    let (_directory, snapshots, newest) = two_editions();
    let future = fs::read_to_string(&newest).unwrap().replace("snapshot 5", "snapshot 9");
    fs::write(&newest, &future).unwrap();
    assert_eq!(snapshots.load().objects, old());
    for _ in 0..4 {
        snapshots.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    }
    assert_eq!(fs::read_to_string(&newest).unwrap(), future);
}

#[test]
fn edition_of_another_store_is_not_served_and_stays() {
    let (_directory, snapshots, _) = two_editions();
    let other = SnapshotDirectory::open(&snapshots.path, "file:///b", None).unwrap();
    assert_eq!(other.load().objects, []);
    snapshots.claim.give_up();
    for _ in 0..4 {
        other.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    }
    assert_eq!(snapshots.load().objects, new());
}

#[test]
fn process_killed_anywhere_in_a_write_leaves_the_last_edition() {
    let (_directory, snapshots, newest) = two_editions();
    let whole = fs::read(&newest).unwrap();
    let temporary = snapshots.path.join("snapshot.tmp");
    for length in 0..=whole.len() {
        fs::write(&temporary, &whole[..length]).unwrap();
        assert_eq!(snapshots.load().objects, new(), "killed after {length} bytes");
    }
    snapshots.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    assert_eq!(snapshots.load().objects, old());
    assert!(!temporary.exists());
}

#[test]
fn process_killed_anywhere_in_making_the_key_starts_again() {
    for length in 0..=32 {
        let (_directory, snapshots) = opened();
        fs::create_dir(&snapshots.path).unwrap();
        fs::write(snapshots.path.join("snapshot.key.tmp"), &[1; 32][..length]).unwrap();
        let again = SnapshotDirectory::open(&snapshots.path, STORE, None).unwrap();
        again.write(&Sources::default(), new().iter(), (&[], &[])).unwrap();
        assert_eq!(snapshots.load().objects, new(), "killed after {length} bytes");
    }
}

#[test]
fn opening_makes_nothing_and_the_first_write_everything() {
    let (_directory, snapshots) = opened();
    assert_eq!(snapshots.load().objects, []);
    assert!(!snapshots.path.exists());
    snapshots.write(&Sources::default(), new().iter(), (&[], &[])).unwrap();
    assert_eq!(snapshots.load().objects, new());
}

#[test]
fn file_in_place_of_the_directory_is_an_error_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    fs::write(&path, "mine").unwrap();
    assert!(matches!(SnapshotDirectory::open(&path, STORE, None), Err(SnapshotError::Io { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn lost_key_is_an_error_and_no_other_is_made() {
    let (_directory, snapshots, newest) = two_editions();
    let key = fs::read(snapshots.own_key()).unwrap();
    fs::remove_file(snapshots.own_key()).unwrap();
    let error = SnapshotDirectory::open(&snapshots.path, STORE, None).unwrap_err();
    assert!(error.to_string().contains("hint: put it back"), "{error}");
    assert!(
        matches!(
            snapshots.write(&Sources::default(), old().iter(), (&[], &[])),
            Err(SnapshotError::Key { .. })
        ),
        "also while running"
    );
    assert_eq!(snapshots.load().objects, []);
    assert!(!snapshots.own_key().exists());
    assert!(newest.exists());

    fs::write(snapshots.own_key(), key).unwrap();
    assert_eq!(snapshots.load().objects, new());
}

#[test]
fn missing_explicit_key_is_an_error_and_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let (state, key) = (directory.path().join("state"), directory.path().join("key"));
    let error = SnapshotDirectory::open(&state, STORE, Some(&key)).unwrap_err();
    assert!(matches!(error, SnapshotError::Key { .. }), "{error}");
    assert!(!key.exists() && !state.exists());
}

#[test]
fn editions_of_another_key_are_not_served_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let (first, second) = (key_file(&directory, "first", 1), key_file(&directory, "second", 2));
    let first = SnapshotDirectory::open(&state, STORE, Some(&first)).unwrap();
    first.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    first.write(&Sources::default(), new().iter(), (&[], &[])).unwrap();

    first.claim.give_up();
    let second = SnapshotDirectory::open(&state, STORE, Some(&second)).unwrap();
    assert_eq!(second.load().objects, [], "no objects without their secrets");
    for _ in 0..4 {
        second.write(&Sources::default(), old().iter(), (&[], &[])).unwrap();
    }
    assert_eq!(numbers(&second), [1, 2, 4, 5, 6]);
    assert_eq!((first.load().objects, second.load().objects), (new().to_vec(), old().to_vec()));
}

#[test]
fn directory_of_another_process_is_left_alone_and_read_all_the_same() {
    let (_directory, first, _) = two_editions();
    let second = SnapshotDirectory::open(&first.path, STORE, None).unwrap();
    assert!(matches!(second.claim(), Err(SnapshotError::InUse { .. })));
    let refused = second.write(&Sources::default(), old().iter(), (&[], &[]));
    assert!(matches!(refused, Err(SnapshotError::InUse { .. })));
    assert_eq!(second.load().objects, new());
    drop(first);
    second.claim().unwrap();
}

fn sources_of(store: &str, identity: &str) -> Sources {
    let record = crate::snapshot::SourceRecord {
        identity: Some(identity.to_owned()),
        ..crate::snapshot::SourceRecord::default()
    };
    Sources::from([(store.to_owned(), record)])
}

/// The state directory of a store that was reached by another name.
fn moved_to(snapshots: &SnapshotDirectory, store: &str) -> SnapshotDirectory {
    snapshots.claim.give_up();
    SnapshotDirectory::open(&snapshots.path, store, None).unwrap().marked(true)
}

#[test]
fn edition_is_found_however_the_address_of_a_marked_store_is_spelled() {
    let (a, b) = ("etcd://a:2379/biplane", "etcds://a:2379,b:2379/biplane");
    let directory = tempfile::tempdir().unwrap();
    let first = SnapshotDirectory::open(directory.path(), a, None).unwrap().marked(true);
    first.write(&sources_of(a, "x"), new().iter(), (&[], &[])).unwrap();
    let second = moved_to(&first, b);
    assert_eq!((second.load().objects, second.load().sources), (new().to_vec(), sources_of(a, "x")));
    // Known by its mark, the old one goes in turn.
    for _ in 0..3 {
        second.write(&sources_of(b, "x"), old().iter(), (&[], &[])).unwrap();
    }
    assert_eq!(numbers(&second), [2, 3, 4]);
    for other in ["etcd://a:2379/other", "consul://a:2379/biplane", "file:///biplane"] {
        assert_eq!(moved_to(&second, other).load().objects, [], "{other}");
    }
    let unmarked = moved_to(&second, "etcd://c:2379/biplane").marked(false);
    assert_eq!(unmarked.load().objects, []);
}

#[test]
fn edition_of_the_very_name_goes_before_a_later_one_of_another() {
    let (a, b) = ("etcd://a:2379/biplane", "etcd://b:2379/biplane");
    let directory = tempfile::tempdir().unwrap();
    let first = SnapshotDirectory::open(directory.path(), a, None).unwrap().marked(true);
    first.write(&sources_of(a, "x"), new().iter(), (&[], &[])).unwrap();
    let second = moved_to(&first, b);
    for _ in 0..4 {
        second.write(&sources_of(b, "y"), old().iter(), (&[], &[])).unwrap();
    }
    assert_eq!(numbers(&second), [1, 3, 4, 5], "another store's edition stays");
    assert_eq!(moved_to(&second, a).load().objects, new());
}

#[test]
fn what_is_kept_beside_editions_is_sealed_for_its_name_and_its_key() {
    let (_directory, snapshots) = opened();
    assert_eq!(snapshots.kept("certificate").unwrap(), None);
    snapshots.keep("certificate", b"canary").unwrap();
    snapshots.write(&Sources::default(), new().iter(), (&[], &[])).unwrap();
    let text = |name| snapshots.kept(name).unwrap().map(|text| text.to_vec());
    assert_eq!(text("certificate").as_deref(), Some(&b"canary"[..]));
    let path = snapshots.path.join("certificate");
    let sealed = fs::read(&path).unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::copy(&path, snapshots.path.join("another")).unwrap();
    assert_eq!(text("another"), None);
    fs::write(&path, &sealed[1..]).unwrap();
    assert_eq!(text("certificate"), None);
    assert_eq!((snapshots.load().objects, numbers(&snapshots)), (new().to_vec(), vec![1]));
}

#[test]
fn two_first_writes_at_a_time_make_one_key() {
    for _ in 0..20 {
        let (_directory, snapshots) = opened();
        std::thread::scope(|threads| {
            threads.spawn(|| snapshots.keep("certificate", b"pem").unwrap());
            threads.spawn(|| snapshots.write(&Sources::default(), new().iter(), (&[], &[])).unwrap());
        });
        assert_eq!(snapshots.load().objects, new());
        assert_eq!(snapshots.kept("certificate").unwrap().as_deref().map(Vec::as_slice), Some(&b"pem"[..]));
    }
}
