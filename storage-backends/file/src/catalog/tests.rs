//! The catalog's rules, file by file and without files.

use biplane_core::key::Kind;

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, "default", name)
}

/// A file of `name=note` documents, one a line; `!text` is a document that cannot be identified.
fn parsed(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (line, word) in (1..).zip(text.split_whitespace()) {
        if let Some(broken) = word.strip_prefix('!') {
            parsed.faults.push(Fault::new(FaultKind::Unidentified, Location::file("f", line), broken));
            parsed.unidentified.insert(broken.bytes().map(u64::from).sum());
        } else {
            let (name, note) = word.split_once('=').expect("name=note");
            parsed.documents.push(Document { key: key(name), value: note.to_owned().into(), line });
        }
    }
    parsed
}

/// A catalog, and what commits told in words: `a=1` for a put, `-a` for a deletion.
#[derive(Default)]
struct Told(Catalog);

impl Told {
    fn put(&mut self, path: &str, text: &str) -> Vec<String> {
        self.0.put(Path::new(path), &path.into(), parsed(text));
        self.told()
    }

    fn fail(&mut self, path: &str) -> Vec<String> {
        self.0.fail(Path::new(path), Fault::new(FaultKind::Unreadable, Location::file(path, 1), "denied"));
        self.told()
    }

    fn remove(&mut self, path: &str) -> Vec<String> {
        self.0.remove(Path::new(path));
        self.told()
    }

    fn told(&mut self) -> Vec<String> {
        let changes = self.0.commit().map(|changes| changes.changes).unwrap_or_default();
        changes.iter().map(in_words).collect()
    }

    fn faults(&self) -> usize {
        self.0.faults().len()
    }
}

fn in_words(change: &Change) -> String {
    match change {
        Change::Put(object) => format!("{}={}", object.key.name, String::from_utf8_lossy(&object.value)),
        Change::Deleted(key) => format!("-{}", key.name),
    }
}

#[test]
fn only_what_differs_is_told() {
    let mut catalog = Told::default();
    assert_eq!(catalog.put("f", "a=1 b=1"), ["a=1", "b=1"]);
    assert_eq!(catalog.put("f", "a=1 b=2"), ["b=2"]);
    assert_eq!(catalog.put("f", "a=1 b=2"), [""; 0]);
    assert_eq!(catalog.put("f", "a=1"), ["-b"]);
}

#[test]
fn a_broken_document_keeps_its_predecessor_until_it_is_mended_or_removed() {
    let mut catalog = Told::default();
    catalog.put("f", "a=1 b=1");
    assert_eq!(catalog.put("f", "a=2 !b"), ["a=2"]);
    assert_eq!(catalog.faults(), 1);
    assert_eq!(catalog.put("f", "a=3 !b"), ["a=3"]);
    assert_eq!(catalog.put("f", "a=3 b=2"), ["b=2"]);
    catalog.put("f", "a=3 !b");
    assert_eq!(catalog.put("f", "a=3"), ["-b"]);
    assert_eq!(catalog.faults(), 0);
}

#[test]
fn a_foreign_document_that_was_always_there_hides_no_removal() {
    let mut catalog = Told::default();
    catalog.put("f", "a=1 b=1 !foreign");
    assert_eq!(catalog.put("f", "a=1 !foreign"), ["-b"]);
}

#[test]
fn an_unreadable_file_keeps_everything_until_it_is_gone() {
    let mut catalog = Told::default();
    catalog.put("f", "a=1");
    assert_eq!(catalog.fail("f"), [""; 0]);
    assert_eq!(catalog.fail("f"), [""; 0]);
    assert_eq!(catalog.faults(), 1);
    assert_eq!(catalog.remove("f"), ["-a"]);
    assert_eq!(catalog.faults(), 0);
}

#[test]
fn the_first_document_of_a_key_wins_whichever_came_first() {
    let mut catalog = Told::default();
    catalog.put("b", "a=late");
    assert_eq!(catalog.put("a", "a=early a=again"), ["a=early"]);
    assert_eq!(catalog.faults(), 2);
    assert_eq!(catalog.remove("a"), ["a=late"]);
    assert_eq!(catalog.faults(), 0);
}

#[test]
fn a_document_that_is_there_goes_before_one_that_is_kept() {
    let mut catalog = Told::default();
    catalog.put("a", "x=old");
    catalog.put("a", "!x");
    assert_eq!(catalog.put("b", "x=new"), ["x=new"]);
    assert_eq!(catalog.faults(), 1, "a kept object is no duplicate");
}

#[test]
fn what_an_unreadable_directory_held_gives_way_to_what_is_seen_elsewhere() {
    let mut catalog = Told::default();
    catalog.put("d/one", "x=old y=old");
    catalog.put("e", "x=new");
    assert_eq!(catalog.fail("d"), ["x=new"]);
    assert_eq!(catalog.faults(), 1);
    assert_eq!(catalog.remove("d"), ["-y"]);
}

#[test]
fn a_directory_takes_everything_below_it_along_and_nothing_else() {
    let mut catalog = Told::default();
    catalog.put("d/one", "a=1");
    catalog.put("d/two/three", "b=1");
    catalog.put("d-not", "c=1");
    catalog.fail("d/two");
    assert_eq!(catalog.remove("d"), ["-a", "-b"]);
    assert_eq!(catalog.faults(), 0);
}

#[test]
fn a_moved_line_is_told_and_a_fault_alone_is_a_change() {
    let mut catalog = Told::default();
    catalog.put("f", "a=1");
    assert_eq!(catalog.put("f", "!x a=1"), ["a=1"], "its line is another");
    let before = catalog.0.revision();
    catalog.0.put(Path::new("f"), &"f".into(), parsed("!y a=1"));
    let changes = catalog.0.commit().expect("another fault");
    assert_eq!((changes.revision, changes.changes.len()), (before.next(), 0));
    assert_eq!(changes.faults.map(|faults| faults.len()), Some(1));
}
