//! What steps of etcd come to.

use biplane_core::key::Kind;
use biplane_store::sentinel::Sentinel;
use biplane_store::{Batch, FaultKind};

use super::*;

/// A reader of a store at revision 10, and the store's sentinel.
struct Reader {
    feed: Feed,
    sentinel: Sentinel,
    now: Instant,
}

impl Reader {
    fn new() -> Self {
        let sentinel = Sentinel::new();
        let base = Base {
            revision: 10,
            cluster: 1,
            identity: sentinel.identity(),
            faults: BTreeMap::new(),
            open: None,
        };
        let place = Arc::new(Place::new("etcd://h:2379/r".to_owned(), "r"));
        let now = Instant::now();
        Self { feed: Feed::new(place, base, now), sentinel, now }
    }

    fn take(&mut self, events: &[Happened]) -> Result<Vec<Changes>, End> {
        self.feed.take(events, self.now)
    }

    /// What is told, in short: revision, `+` or `-` with the name, and the number of faults.
    fn told(&mut self, events: &[Happened]) -> Vec<String> {
        self.take(events).expect("it goes on").iter().map(short).collect()
    }
}

fn short(changes: &Changes) -> String {
    let change = |change: &Change| match change {
        Change::Put(object) => format!(" +{}", object.key.name),
        Change::Deleted(key) => format!(" -{}", key.name),
    };
    let faults = changes.faults.as_ref().map(|faults| format!(" !{}", faults.len())).unwrap_or_default();
    format!("{}{}{faults}", changes.revision, changes.changes.iter().map(change).collect::<String>())
}

fn put(revision: u64, created: u64, below: &str, value: impl Into<bytes::Bytes>) -> Happened {
    let key = format!("r/config/{below}").into_bytes();
    Happened::Put(Raw { key, value: value.into(), created, revision })
}

fn object(revision: u64, name: &str) -> Happened {
    put(revision, 1, &format!("Upstream/default/{name}"), "kind: Upstream")
}

fn made(revision: u64, name: &str) -> Happened {
    put(revision, revision, &format!("Upstream/default/{name}"), "kind: Upstream")
}

fn gone(revision: u64, below: &str) -> Happened {
    Happened::Deleted { key: format!("r/config/{below}").into_bytes(), revision }
}

fn removed(revision: u64, name: &str) -> Happened {
    gone(revision, &format!("Upstream/default/{name}"))
}

fn manifest() -> Manifest {
    Manifest::open(&Batch::new())
}

fn open(revision: u64, manifest: &Manifest) -> Happened {
    put(revision, 1, "_batch", manifest.encode())
}

fn closed(revision: u64, manifest: &Manifest) -> Happened {
    put(revision, 1, "_batch", manifest.closed().encode())
}

#[test]
fn one_revision_is_one_telling() {
    let mut reader = Reader::new();
    assert_eq!(reader.told(&[object(11, "b"), made(11, "a"), removed(11, "c")]), ["11 +a +b -c"]);
    assert_eq!(reader.told(&[object(15, "a")]), ["15 +a"]);
}

#[test]
fn a_fault_comes_and_goes_with_its_key() {
    let mut reader = Reader::new();
    assert_eq!(reader.told(&[put(11, 11, "Upstreem/default/a", "")]), ["11 !1"]);
    assert_eq!(reader.told(&[object(12, "a")]), ["12 +a"]);
    assert_eq!(reader.told(&[gone(13, "Upstreem/default/a")]), ["13 !0"]);
}

#[test]
fn a_sentinel_that_goes_takes_its_whole_step_with_it() {
    let mut reader = Reader::new();
    let end = reader.take(&[removed(11, "a"), gone(11, "_store")]).expect_err("the end");
    assert!(matches!(end, End::Failed(StoreError::Unmarked { .. })), "{end:?}");
}

#[test]
fn a_sentinel_that_is_written_again_changes_nothing_and_another_one_everything() {
    let mut reader = Reader::new();
    let same = put(11, 1, "_store", reader.sentinel.encode());
    assert_eq!(reader.told(&[same]), ["11"]);
    let other = put(12, 1, "_store", Sentinel::new().encode());
    assert_eq!(reader.take(&[other]), Err(End::Resync));
}

#[test]
fn a_revision_that_was_heard_already_asks_to_resync() {
    let mut reader = Reader::new();
    assert_eq!(reader.take(&[object(10, "a")]), Err(End::Resync));
    assert_eq!(reader.feed.progress(9), Err(End::Resync));
    assert_eq!(reader.feed.progress(10), Ok(None));
    let told = reader.feed.progress(20).expect("it goes on").expect("news");
    assert_eq!(short(&told), "20");
}

#[test]
fn a_batch_is_told_when_it_is_closed() {
    let (mut reader, batch) = (Reader::new(), manifest());
    assert_eq!(reader.told(&[open(11, &batch)]), [""; 0]);
    assert_eq!(reader.told(&[made(12, "a"), object(12, "b")]), [""; 0]);
    assert_eq!(reader.feed.progress(12), Ok(None), "half a batch is not up to date");
    assert_eq!(reader.told(&[made(13, "c"), closed(13, &batch)]), ["13 +a +b +c"]);
    assert_eq!(reader.feed.holds_until(), None);
}

#[test]
fn what_comes_and_goes_within_a_batch_is_nothing() {
    let (mut reader, batch) = (Reader::new(), manifest());
    reader.told(&[open(11, &batch)]);
    reader.told(&[made(12, "new"), object(12, "old"), removed(12, "back"), removed(12, "gone")]);
    let back = [removed(13, "new"), removed(13, "old"), made(13, "back")];
    reader.told(&back);
    reader.told(&[removed(14, "back")]);
    assert_eq!(reader.told(&[closed(15, &batch)]), ["15 -back -gone -old"]);
}

#[test]
fn a_batch_that_is_never_closed_is_told_with_its_author() {
    let mut reader = Reader::new();
    let batch = Manifest { author: "ci-job".to_owned(), ..manifest() };
    reader.told(&[open(11, &batch)]);
    reader.told(&[made(12, "a")]);
    assert_eq!(reader.feed.holds_until(), Some(reader.now + PATIENCE));
    let told = reader.feed.give_up().expect("something was held");
    assert_eq!(short(&told), "12 +a !1");
    let faults = told.faults.expect("it was never finished");
    assert_eq!(faults[0].kind, FaultKind::Unfinished);
    assert!(faults[0].message.contains("ci-job"), "{}", faults[0]);
    assert_eq!(reader.told(&[made(13, "b")]), ["13 +b"]);
    assert_eq!(reader.told(&[gone(14, "_batch")]), ["14 !0"]);
}

#[test]
fn another_writer_takes_over_a_batch() {
    let (mut reader, one, two) = (Reader::new(), manifest(), manifest());
    reader.told(&[open(11, &one)]);
    reader.told(&[made(12, "a")]);
    assert_eq!(reader.told(&[open(13, &two)]), ["12 +a"]);
    assert_eq!(reader.told(&[made(14, "b"), closed(14, &two)]), ["14 +b"]);
}

#[test]
fn a_manifest_that_nobody_understands_holds_nothing_back() {
    let mut reader = Reader::new();
    assert_eq!(reader.told(&[put(11, 1, "_batch", "hello"), made(11, "a")]), ["11 +a"]);
}

#[test]
fn a_watch_that_begins_within_a_batch_waits_for_its_end() {
    let batch = manifest();
    let Happened::Put(raw) = open(9, &batch) else { unreachable!("just put") };
    let mut reader = Reader::new();
    let base = Base {
        revision: 10,
        cluster: 1,
        identity: reader.sentinel.identity(),
        faults: BTreeMap::new(),
        open: Some((batch.clone(), raw)),
    };
    reader.feed = Feed::new(reader.feed.place.clone(), base, reader.now);
    assert_eq!(reader.told(&[made(11, "a")]), [""; 0]);
    assert_eq!(reader.told(&[closed(12, &batch)]), ["12 +a"]);
}

#[test]
fn objects_are_told_in_order_of_their_keys() {
    let mut reader = Reader::new();
    let told = reader
        .take(&[put(11, 1, "VirtualService/a/a", ""), put(11, 1, "Gateway/z/z", "")])
        .expect("it goes on");
    let kinds: Vec<_> = told[0].changes.iter().map(|change| change.key().kind).collect();
    assert_eq!(kinds, [Kind::Gateway, Kind::VirtualService]);
}
