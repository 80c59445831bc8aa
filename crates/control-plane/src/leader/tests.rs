//! Leaders over the memory store: what they write, when, and that a deposed one writes nothing.

mod replica;
mod versions;

use std::time::Duration;

use biplane_admin_api::status::{ObjectState, StatusRecord, StatusSummary};
use biplane_core::key::{Kind, ObjectKey};
use biplane_store::faulty::Mode;
use biplane_store::history::{self, Entry, KEPT};
use biplane_store::{
    Author, Batch, FaultyStore, Intent, MemoryStore, Precondition, Record, RecordWrite, Revision, Store as _,
    StoreError, intent, layout,
};
use tokio::time::{Instant, sleep};

use super::Role;
use replica::{Replica, until};

const GOOD: &str = "static: {hosts: [{addr: 127.0.0.1, port: 9000}]}";
const BAD: &str = "static: {hosts: [{adr: 127.0.0.1, port: 9000}]}";

fn upstream(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, "default", name)
}

fn put(batch: Batch, name: &str, fields: &str) -> Batch {
    let text = format!("metadata: {{name: {name}, namespace: default}}\n{fields}\n");
    batch.put(upstream(name), text, Precondition::Any)
}

async fn write(store: &MemoryStore, name: &str, fields: &str) -> Revision {
    store.commit(put(Batch::new(), name, fields)).await.unwrap()
}

async fn record(store: &MemoryStore, path: &str) -> Option<Record> {
    store.records().unwrap().read(path).await.unwrap()
}

fn status_path(name: &str) -> String {
    format!("status/{}", layout::format_key(&upstream(name)))
}

async fn status(store: &MemoryStore, name: &str) -> Option<StatusRecord> {
    let record = record(store, &status_path(name)).await?;
    Some(serde_json::from_slice(&record.value).unwrap())
}

async fn summary(store: &MemoryStore) -> Option<StatusSummary> {
    let record = record(store, super::status_records::SUMMARY).await?;
    Some(serde_json::from_slice(&record.value).unwrap())
}

async fn versions(store: &MemoryStore, name: &str) -> Vec<(Revision, Entry)> {
    let found = store.records().unwrap().read_below(&history::folder(&upstream(name))).await.unwrap();
    let version = |(path, record): (String, Record)| {
        (history::revision(&path).unwrap(), Entry::decode(&record.value).unwrap())
    };
    found.into_iter().map(version).collect()
}

#[tokio::test(start_paused = true)]
async fn status_of_a_bad_object_is_written_beside_it_and_taken_away_when_it_is_mended() {
    let store = MemoryStore::new("status");
    let revision = write(&store, "u", BAD).await;
    let replica = Replica::start(&store, "first");
    until("a status", async || status(&store, "u").await.is_some()).await;
    let told = status(&store, "u").await.unwrap();
    assert_eq!((told.state, told.revision, &*told.by), (ObjectState::Rejected, Some(revision.0), "first"));
    assert!(told.reports[0].message.contains("adr"), "{:?}", told.reports);
    assert_eq!(summary(&store).await.unwrap().errors, 1);

    write(&store, "u", GOOD).await;
    until("no status", async || status(&store, "u").await.is_none()).await;
    until("a summary", async || summary(&store).await.unwrap().errors == 0).await;
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn status_of_what_is_held_says_why_and_what_to_do() {
    let store = MemoryStore::new("held");
    for number in 0..6 {
        write(&store, &format!("u{number}"), GOOD).await;
    }
    let replica = Replica::start(&store, "first");
    until("a reading", async || replica.engine.lock().store().readings > 0).await;
    let batch = (0..6)
        .fold(Batch::new(), |batch, number| batch.delete(upstream(&format!("u{number}")), Precondition::Any));
    store.commit(batch).await.unwrap();
    until("a status", async || status(&store, "u5").await.is_some()).await;
    let told = status(&store, "u5").await.unwrap();
    assert_eq!(told.state, ObjectState::Held);
    let hint = told.reports[0].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("biplane source accept memory://held"), "{hint}");
    assert_eq!(summary(&store).await.unwrap().held, 6);
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_written_already_is_not_written_again_by_the_next_leader() {
    let store = MemoryStore::new("again");
    write(&store, "u", BAD).await;
    let first = Replica::start(&store, "first");
    until("a status", async || status(&store, "u").await.is_some()).await;
    first.stop().await;
    let before = record(&store, &status_path("u")).await.unwrap();
    // What nobody says any more goes, whatever it is.
    let stray = RecordWrite::put(status_path("gone"), "{}");
    store.records().unwrap().write(vec![stray], None).await.unwrap();
    let second = Replica::start(&store, "second");
    until("a summary", async || summary(&store).await.unwrap().by == "second").await;
    until("no stray", async || status(&store, "gone").await.is_none()).await;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(record(&store, &status_path("u")).await.unwrap(), before);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn leader_that_has_nothing_new_to_say_writes_nothing() {
    let store = MemoryStore::new("quiet");
    write(&store, "u", BAD).await;
    let replica = Replica::start(&store, "first");
    until("a summary", async || summary(&store).await.is_some()).await;
    sleep(Duration::from_secs(10)).await;
    let before = store.records().unwrap().read_below("").await.unwrap();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(store.records().unwrap().read_below("").await.unwrap(), before);
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn changes_within_a_second_are_few_writes_of_one_record() {
    let store = MemoryStore::new("coalesce");
    let replica = Replica::start(&store, "first");
    until("a summary", async || summary(&store).await.is_some()).await;
    let began = Instant::now();
    let mut seen = std::collections::BTreeSet::new();
    while began.elapsed() < Duration::from_secs(5) {
        write(&store, "u", &format!("{BAD}\n# {:?}", began.elapsed())).await;
        sleep(Duration::from_millis(50)).await;
        seen.extend(record(&store, &status_path("u")).await.map(|record| record.revision));
    }
    assert!((2..=6).contains(&seen.len()), "{} writes", seen.len());
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn deposed_leader_writes_nothing_more_and_stands_again() {
    let store = MemoryStore::new("deposed");
    let (first, second) = (Replica::start(&store, "first"), Replica::start(&store, "second"));
    let leads = |replica: &Replica| replica.board.role() == Role::Leader;
    until("one leader", async || leads(&first) != leads(&second)).await;
    until("a summary", async || summary(&store).await.is_some()).await;
    let (old, new) = if leads(&first) { (&first, &second) } else { (&second, &first) };
    assert!(store.expire_seat());
    until("another leader", async || leads(new) && !leads(old)).await;
    write(&store, "u", BAD).await;
    until("a status", async || status(&store, "u").await.is_some()).await;
    assert_eq!(status(&store, "u").await.unwrap().by, *new.name);
    until("word of it", async || {
        let status = old.board.status().unwrap();
        !status.is_me && status.name.as_deref() == Some(&*new.name)
    })
    .await;
    let (stopped, left) = if leads(&first) { (first, second) } else { (second, first) };
    stopped.stop().await;
    until("the seat at once", async || leads(&left)).await;
    left.stop().await;
}

#[tokio::test(start_paused = true)]
async fn late_write_of_a_leader_that_slept_is_refused() {
    let store = MemoryStore::new("late");
    let records = store.records().unwrap();
    let seat = records.campaign("sleeper").await.unwrap();
    let fence = seat.fence();
    assert!(store.expire_seat());
    let write = vec![RecordWrite::put(status_path("u"), "late")];
    let refused = super::record_writer::write(&*records, &fence, write).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    assert_eq!(record(&store, &status_path("u")).await, None);
}

#[tokio::test(start_paused = true)]
async fn store_that_refuses_writes_is_told_once_and_written_when_it_takes_them_again() {
    let store = MemoryStore::new("full");
    let broken = FaultyStore::new(std::sync::Arc::new(store.clone()));
    let faults = broken.faults();
    let replica = Replica::start_on(std::sync::Arc::new(broken), "first");
    until("a summary", async || summary(&store).await.is_some()).await;
    let full = StoreError::unavailable("NOSPACE").with_hint("etcdctl alarm disarm");
    faults.on_records(Mode::Fail(full));
    write(&store, "u", BAD).await;
    let told =
        || replica.board.reports().into_iter().find(|report| report.message.contains("status cannot be"));
    until("a report", async || told().is_some()).await;
    let report = told().unwrap();
    assert!(report.message.contains("NOSPACE"), "{report}");
    assert_eq!(report.hint.as_deref(), Some("etcdctl alarm disarm"));
    assert!(replica.board.write_failures() > 0);
    assert_eq!(replica.board.role(), Role::Leader, "the seat is ours all the same");
    faults.heal();
    until("a status", async || status(&store, "u").await.is_some()).await;
    until("a history", async || !versions(&store, "u").await.is_empty()).await;
    until("no report", async || replica.board.reports().is_empty()).await;
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn history_has_every_version_with_its_author() {
    let store = MemoryStore::new("history");
    let first = write(&store, "u", GOOD).await;
    let replica = Replica::start(&store, "first");
    until("the present version", async || versions(&store, "u").await.len() == 1).await;
    // By hand, and then by somebody with a name, faster than they are written down.
    let second = write(&store, "u", BAD).await;
    let ann = Author { name: "ann".to_owned(), message: "as it was".to_owned() };
    let third = store.commit(put(Batch::new(), "u", GOOD).by(ann.clone())).await.unwrap();
    let fourth = store.commit(Batch::new().delete(upstream("u"), Precondition::Any).by(ann)).await.unwrap();
    until("all versions", async || versions(&store, "u").await.len() == 4).await;
    let versions = versions(&store, "u").await;
    let told: Vec<_> =
        versions.iter().map(|(revision, entry)| (*revision, &*entry.author, entry.value.is_some())).collect();
    assert_eq!(told, [(first, "", true), (second, "", true), (third, "ann", true), (fourth, "ann", false)]);
    assert_eq!(versions[2].1.message, "as it was");
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn old_versions_go_and_the_last_ones_stay() {
    let store = MemoryStore::new("kept");
    write(&store, "u", GOOD).await;
    let replica = Replica::start(&store, "first");
    until("a mark", async || record(&store, "meta/history").await.is_some()).await;
    for number in 0..KEPT + 10 {
        write(&store, "u", &format!("{GOOD}\n# {number}")).await;
    }
    until("the last version", async || {
        let versions = versions(&store, "u").await;
        let value = versions.last().and_then(|(_, entry)| entry.value.clone()).unwrap_or_default();
        value.ends_with(&format!("# {}\n", KEPT + 9))
    })
    .await;
    assert_eq!(versions(&store, "u").await.len(), KEPT);
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn new_leader_adds_what_is_missing_in_history_and_no_more() {
    let store = MemoryStore::new("takeover");
    write(&store, "u", GOOD).await;
    write(&store, "v", GOOD).await;
    let first = Replica::start(&store, "first");
    until("a mark", async || record(&store, "meta/history").await.is_some()).await;
    first.stop().await;
    let untouched = store.records().unwrap().read_below(&history::folder(&upstream("v"))).await.unwrap();
    // While nobody leads.
    let revision = write(&store, "u", &format!("{GOOD}\n# two")).await;
    let second = Replica::start(&store, "second");
    until("two versions", async || versions(&store, "u").await.len() == 2).await;
    assert_eq!(versions(&store, "u").await[1].0, revision);
    let after = store.records().unwrap().read_below(&history::folder(&upstream("v"))).await.unwrap();
    assert_eq!(after, untouched);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replica_that_only_watched_knows_what_was_deleted_while_nobody_led() {
    let store = MemoryStore::new("watched");
    write(&store, "u", GOOD).await;
    let records = store.records().unwrap();
    let replica = Replica::start(&store, "second");
    until("a mark", async || record(&store, "meta/history").await.is_some()).await;
    // Somebody else takes the seat and does nothing with it.
    assert!(store.expire_seat());
    let seat = records.campaign("idle").await.unwrap();
    let revision = store.commit(Batch::new().delete(upstream("u"), Precondition::Any)).await.unwrap();
    seat.resign().await;
    until("a deletion", async || versions(&store, "u").await.len() == 2).await;
    let versions = versions(&store, "u").await;
    assert_eq!((versions[1].0, &versions[1].1.value), (revision, &None));
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn intents_go_after_a_week_and_not_before() {
    let store = MemoryStore::new("intents");
    let now = biplane_store::clock::now();
    let day = 24 * 60 * 60;
    let [old, young] = [8, 6].map(|days| intent::path(biplane_core::scalars::Timestamp(now.0 - days * day)));
    let intent =
        Intent { author: Author::default(), at: now, puts: Vec::new(), deletes: Vec::new(), accepts: None };
    let writes = [&old, &young].map(|path| RecordWrite::put(path.as_str(), intent.encode()));
    store.records().unwrap().write(writes.to_vec(), None).await.unwrap();
    let replica = Replica::start(&store, "first");
    until("no old intent", async || record(&store, &old).await.is_none()).await;
    assert!(record(&store, &young).await.is_some());
    replica.stop().await;
}
