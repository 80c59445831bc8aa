//! What the history holds on bad days: changes told late, versions that the store does not take, objects that
//! went long ago.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::location::Location;
use biplane_core::scalars::Timestamp;
use biplane_store::history::{self, Entry};
use biplane_store::{
    Change, Changes, Fence, MemoryStore, Record, RecordWrite, Records, Revision, Seat, SourceEvent,
    Store as _, StoreError, StoredObject, Write, clock,
};
use tokio::time::sleep;

use super::replica::{Replica, until};
use super::{BAD, GOOD, record, upstream, versions, write};

/// Records of a store that takes no large ones.
#[derive(Debug)]
struct Narrow {
    inner: Arc<dyn Records>,
    most: usize,
}

#[async_trait]
impl Records for Narrow {
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError> {
        self.inner.read(path).await
    }

    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.inner.read_below(prefix).await
    }

    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError> {
        for write in &writes {
            if matches!(&write.write, Write::Put(value) if value.len() > self.most) {
                return Err(StoreError::invalid(format!("the record {} is too large", write.path)));
            }
        }
        self.inner.write(writes, fence).await
    }

    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
        self.inner.campaign(owner).await
    }
}

fn changes(revision: Revision, change: Change) -> SourceEvent {
    SourceEvent::Changes(Changes { revision, changes: vec![change], faults: None })
}

#[tokio::test(start_paused = true)]
async fn older_change_that_is_told_after_a_newer_one_is_written_down() {
    let store = MemoryStore::new("late");
    write(&store, "u", GOOD).await;
    let replica = Replica::start(&store, "first");
    until("the present version", async || versions(&store, "u").await.len() == 1).await;
    // This revision's other change is on its way from a slower part of the store.
    let earlier = write(&store, "v", GOOD).await;
    let later = write(&store, "w", GOOD).await;
    until("the later one", async || versions(&store, "w").await.len() == 1).await;
    let mark = record(&store, "meta/history").await.unwrap();
    let late = StoredObject {
        key: upstream("late"),
        value: "{}".into(),
        location: Location::file("late.yaml", 1),
        revision: earlier,
        created: None,
    };
    replica.tell(changes(later, Change::Put(late))).await;
    replica.tell(changes(later, Change::Deleted(upstream("u")))).await;
    until("the late version", async || versions(&store, "late").await.len() == 1).await;
    assert_eq!(versions(&store, "late").await[0].0, earlier);
    until("the late deletion", async || versions(&store, "u").await.len() == 2).await;
    let (revision, deletion) = versions(&store, "u").await.remove(1);
    assert_eq!((revision, deletion.value), (later, None));
    assert_eq!(record(&store, "meta/history").await.unwrap(), mark, "the mark never goes back");
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn version_that_the_store_does_not_take_costs_only_itself() {
    let store = MemoryStore::new("narrow");
    let records = Arc::new(Narrow { inner: store.records().unwrap(), most: 1000 });
    let replica = Replica::start_beside(Arc::new(store.clone()), records, "first");
    until("a reading", async || replica.engine.lock().store().readings > 0).await;
    let large = format!("{GOOD}\n# {}", "x".repeat(1000));
    let revision = write(&store, "large", &large).await;
    write(&store, "small", GOOD).await;
    until("the small one", async || versions(&store, "small").await.len() == 1).await;
    let noted = versions(&store, "large").await;
    let text = noted[0].1.value.as_deref().unwrap();
    assert_eq!((noted.len(), noted[0].0), (1, revision));
    assert!(text.starts_with("# this version is not kept"), "{text}");
    let report = || {
        let reports = replica.board.reports().into_iter();
        reports.clone().find(|report| report.object.as_deref() == Some(&*upstream("large").to_string()))
    };
    let told = report().expect("a report of the object");
    assert!(told.message.contains("too large"), "{told}");
    assert_eq!(replica.board.reports().len(), 1, "and of nothing else");

    write(&store, "large", GOOD).await;
    until("no report", async || report().is_none()).await;
    write(&store, "large", BAD).await;
    until("all versions", async || versions(&store, "large").await.len() == 3).await;
    replica.stop().await;
}

#[tokio::test(start_paused = true)]
async fn versions_of_what_was_deleted_go_after_a_month_and_not_before() {
    let store = MemoryStore::new("months");
    write(&store, "there", GOOD).await;
    let ago = |days: i64| Timestamp(clock::now().0 - days * 24 * 60 * 60);
    let leave = |name: &str, days: i64, entries: &[Option<&str>]| {
        let put = |(number, value): (u64, Option<&str>)| {
            let value = value.map(str::to_owned);
            let entry = Entry { at: ago(days), value, ..Entry::default() };
            RecordWrite::put(history::path(&upstream(name), Revision(number)), entry.encode())
        };
        (1..).zip(entries.iter().copied()).map(put).collect::<Vec<_>>()
    };
    let deleted = [Some("{}"), None];
    let old = [
        leave("old", 31, &deleted),
        leave("young", 29, &deleted),
        leave("there", 31, &deleted),
        leave("unseen", 31, &[Some("{}")]),
    ];
    store.records().unwrap().write(old.concat(), None).await.unwrap();
    let replica = Replica::start(&store, "first");
    until("nothing of the old one", async || versions(&store, "old").await.is_empty()).await;
    until("word that the unseen one is gone", async || versions(&store, "unseen").await.len() == 2).await;
    assert_eq!(versions(&store, "unseen").await[1].1.value, None);
    sleep(Duration::from_hours(7)).await;
    assert_eq!(versions(&store, "young").await.len(), 2);
    assert!(versions(&store, "there").await.len() >= 2);
    assert_eq!(versions(&store, "unseen").await.len(), 2);
    replica.stop().await;
}
