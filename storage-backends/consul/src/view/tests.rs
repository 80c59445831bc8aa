//! What answers become, without a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::key::Kind;
use biplane_store::layout::Layout;
use biplane_store::manifest::{Manifest, PATIENCE};
use biplane_store::{Batch, FaultKind, Precondition};
use serde_json::json;

use super::*;

fn view() -> View {
    View::new(Place::new("consul://here/r", "r", Layout::Biplane))
}

/// Entries as Consul tells them: what is below `config/`, its value, and when it last changed.
fn take(view: &mut View, prefix: &str, entries: &[(&str, &[u8], u64)]) -> Result<Effect, Stop> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(below, value, index)| {
            json!({ "Key": format!("r/config/{below}"), "Value": STANDARD.encode(value),
                "CreateIndex": 1, "ModifyIndex": index })
        })
        .collect();
    let text = json!(entries).to_string();
    view.take(prefix, serde_json::from_str(&text).expect("as Consul tells them"), Instant::now())
}

fn mark() -> Vec<u8> {
    Sentinel { id: "one".into(), ..Sentinel::new() }.encode().into()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, "a", name)
}

fn manifest() -> Manifest {
    let put = |batch: Batch, name| batch.put(key(name), "", Precondition::Any);
    Manifest::open(&["x", "y"].into_iter().fold(Batch::new(), put))
}

fn deleted(changes: &Changes) -> Vec<&ObjectKey> {
    fn gone(change: &Change) -> Option<&ObjectKey> {
        match change {
            Change::Deleted(key) => Some(key),
            Change::Put(_) => None,
        }
    }
    changes.changes.iter().filter_map(gone).collect()
}

#[tokio::test]
async fn only_what_moved_is_told_and_what_an_answer_lacks_is_gone() {
    let mut view = view();
    let mark = mark();
    let first = [("Upstream/a/x", &b"1"[..], 2), ("Upstream/a/y", b"1", 3), ("_store", &mark, 1)];
    take(&mut view, "", &first).expect("good");
    assert_eq!(view.tell(3, Instant::now()).expect("two objects").changes.len(), 2);
    assert_eq!(view.tell(3, Instant::now()), None, "nothing twice");
    let second = [("Upstream/a/x", &b"1"[..], 2), ("_store", &mark, 1)];
    let effect = take(&mut view, "", &second).expect("good");
    assert_eq!(effect, Effect { changed: true, shrunk: true });
    assert_eq!(deleted(&view.tell(4, Instant::now()).expect("a deletion")), [&key("y")]);
}

#[tokio::test]
async fn an_answer_speaks_for_its_part_only() {
    let mut view = view();
    take(&mut view, "", &[("Upstream/a/x", b"1", 2), ("Upstream/b/x", b"1", 3)]).expect("good");
    view.tell(3, Instant::now());
    take(&mut view, "Upstream/a", &[]).expect("good");
    assert_eq!(deleted(&view.tell(4, Instant::now()).expect("a deletion")), [&key("x")]);
}

#[tokio::test]
async fn a_lost_mark_stops_everything_before_any_deletion() {
    let mut view = view();
    let mark = mark();
    take(&mut view, "", &[("Upstream/a/x", b"1", 2), ("_store", &mark, 1)]).expect("good");
    view.tell(2, Instant::now());
    assert_eq!(take(&mut view, "", &[]), Err(Stop::Unmarked));
    assert!(view.tell(3, Instant::now()).is_none_or(|told| told.changes.is_empty()));
}

#[tokio::test]
async fn another_mark_or_an_index_that_went_back_is_another_history() {
    let mut view = view();
    take(&mut view, "", &[("Upstream/a/x", b"1", 7), ("_store", &mark(), 5)]).expect("good");
    assert_eq!(take(&mut view, "", &[("Upstream/a/x", b"1", 6), ("_store", &mark(), 5)]), Err(Stop::Resync));
    let other = Sentinel::new().encode();
    assert_eq!(take(&mut view, "_", &[("_store", &other, 9)]), Err(Stop::Resync));
}

#[tokio::test]
async fn folders_that_the_web_interface_makes_are_no_faults() {
    let mut view = view();
    take(&mut view, "", &[("Upstream/", b"", 2), ("Upstream/a/", b"", 3), ("typo", b"", 4)]).expect("good");
    let told = view.tell(4, Instant::now()).expect("a fault");
    let faults = told.faults.expect("a fault");
    assert_eq!((told.changes.len(), faults.len()), (0, 1));
    assert_eq!(faults[0].kind, FaultKind::Unidentified);
}

#[tokio::test(start_paused = true)]
async fn an_open_batch_is_held_back_for_a_bounded_time_and_then_told_with_its_fault() {
    let mut view = view();
    let open = manifest().encode();
    take(&mut view, "", &[("Upstream/a/x", b"1", 3), ("_batch", &open, 2)]).expect("good");
    assert!(matches!(view.hold(Instant::now()), Some(Hold::Open(_))));
    assert_eq!(view.tell(3, Instant::now()), None);
    tokio::time::advance(PATIENCE).await;
    let told = view.tell(3, Instant::now()).expect("patience has ended");
    assert_eq!(told.faults.expect("a fault")[0].kind, FaultKind::Unfinished);
    assert_eq!(told.changes.len(), 1);
}

#[tokio::test]
async fn a_closed_batch_waits_for_the_parts_that_hold_its_folders() {
    let mut view = view();
    for part in ["Upstream/a/", "Secret/"] {
        view.reached(part, 1);
    }
    let closed = manifest().closed().encode();
    take(&mut view, "_", &[("_batch", &closed, 9)]).expect("good");
    take(&mut view, "Upstream/a/", &[("Upstream/a/x", b"1", 8)]).expect("good");
    view.reached("Upstream/a/", 8);
    let Some(Hold::Behind(parts, _)) = view.hold(Instant::now()) else { panic!("the batch ended at 9") };
    assert_eq!(parts, ["Upstream/a/"]);
    view.reached("Upstream/a/", 9);
    assert_eq!(view.tell(9, Instant::now()).expect("all is there").changes.len(), 1);
}
