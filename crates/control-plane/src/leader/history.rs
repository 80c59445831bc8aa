//! Keeps versions of objects below `history/`, whoever wrote them and by whatever means.
//!
//! A mark tells up to which revision everything is written down, so that a new leader adds what is missing
//! and no more. Where changes came too fast, or nobody led, the versions in between are not known; the
//! present one always is.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::history::{Entry, KEPT, folder, path, revision};
use biplane_store::{Fence, Intent, RecordWrite, Revision, StoreError, layout};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::board::Duty;
use super::feed::Version;
use super::record_writer::{within, write};
use super::{Leader, now};
use crate::backoff::Backoff;
use crate::intents;

/// Where the mark lies.
const MARK: &str = "meta/history";
/// The least time between two rounds: changes that come together are written together.
const PAUSE: Duration = Duration::from_millis(500);
/// How many versions are made ready at a time: memory holds no more of them.
const SLICE: usize = 128;
/// How many objects' versions are remembered.
const REMEMBERED: usize = 10_000;

/// Up to where everything is written down.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Mark {
    revision: u64,
}

/// Runs until somebody else leads.
pub(super) async fn run(leader: &Leader, fence: &Fence) -> StoreError {
    let mut writer = Writer { leader, fence, mark: None, known: HashMap::new() };
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
    loop {
        match writer.round().await {
            Ok(()) => {
                leader.board.done(Duty::History);
                backoff.reset();
                sleep(PAUSE).await;
                leader.feed.changed().await;
            }
            Err(error @ StoreError::Deposed { .. }) => return error,
            Err(error) => {
                writer.mark = None;
                leader.board.failed(Duty::History, &error);
                sleep(backoff.delay()).await;
            }
        }
    }
}

struct Writer<'a> {
    leader: &'a Leader,
    fence: &'a Fence,
    /// As the store has it; nothing: to be read, and what the store shows to be looked at as a whole.
    mark: Option<Revision>,
    /// The versions that the store keeps, of objects that were looked at.
    known: HashMap<ObjectKey, BTreeSet<Revision>>,
}

impl Writer<'_> {
    async fn round(&mut self) -> Result<(), StoreError> {
        let pending = self.leader.feed.pending();
        if pending.lost {
            self.mark = None;
        }
        let mut versions = pending.versions;
        let mark = if let Some(mark) = self.mark {
            mark
        } else {
            versions.extend(self.shown());
            self.read_mark().await?
        };
        versions.retain(|version| version.revision > mark);
        versions.sort_by(|a, b| (a.revision, &a.key).cmp(&(b.revision, &b.key)));
        versions.dedup_by(|a, b| a.revision == b.revision && a.key == b.key);
        self.write(versions).await?;
        self.mark = Some(self.mark.unwrap_or(mark));
        self.leader.feed.done(pending.until);
        Ok(())
    }

    /// The present versions, as far as they have been read.
    fn shown(&self) -> Vec<Version> {
        let engine = self.leader.engine.lock();
        let ingest = engine.ingest();
        let good = ingest.good().values().filter(|object| !ingest.refused().contains_key(&object.key));
        good.chain(ingest.refused().values()).map(Version::from).collect()
    }

    async fn read_mark(&mut self) -> Result<Revision, StoreError> {
        self.known.clear();
        let record = within(self.leader.records.read(MARK)).await?;
        let mark = record.and_then(|record| serde_json::from_slice::<Mark>(&record.value).ok());
        Ok(Revision(mark.unwrap_or_default().revision))
    }

    async fn write(&mut self, versions: Vec<Version>) -> Result<(), StoreError> {
        let Some(last) = versions.last().map(|version| version.revision) else { return Ok(()) };
        let intents = intents::read(&*self.leader.records).await?;
        let mut coming: HashMap<&ObjectKey, BTreeSet<Revision>> = HashMap::new();
        for version in &versions {
            coming.entry(&version.key).or_default().insert(version.revision);
        }
        for slice in versions.chunks(SLICE) {
            let mut writes = Vec::new();
            for version in slice {
                let author = author(version, &coming[&version.key], &intents);
                writes.extend(self.record(version, author).await?);
            }
            write(&*self.leader.records, self.fence, writes).await?;
        }
        let mark = serde_json::to_vec(&Mark { revision: last.0 }).expect("plain data");
        write(&*self.leader.records, self.fence, vec![RecordWrite::put(MARK, mark)]).await?;
        self.mark = Some(last);
        Ok(())
    }

    /// The version's record, and the removal of those that are too old beside it.
    async fn record(
        &mut self,
        version: &Version,
        author: Option<&Intent>,
    ) -> Result<Vec<RecordWrite>, StoreError> {
        let known = self.known(&version.key).await?;
        let entry = entry(version, author);
        known.insert(version.revision);
        let mut writes = vec![RecordWrite::put(path(&version.key, version.revision), entry.encode())];
        while known.len() > KEPT
            && let Some(oldest) = known.pop_first()
        {
            writes.push(RecordWrite::delete(path(&version.key, oldest)));
        }
        Ok(writes)
    }

    /// The versions of an object that the store keeps.
    async fn known(&mut self, key: &ObjectKey) -> Result<&mut BTreeSet<Revision>, StoreError> {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        if !self.known.contains_key(key) {
            let found = within(self.leader.records.read_below(&folder(key))).await?;
            let revisions = found.iter().filter_map(|(path, _)| revision(path)).collect();
            self.known.insert(key.clone(), revisions);
        }
        Ok(self.known.entry(key.clone()).or_default())
    }
}

fn entry(version: &Version, author: Option<&Intent>) -> Entry {
    Entry {
        at: now(),
        author: author.map(|intent| intent.author.name.clone()).unwrap_or_default(),
        message: author.map(|intent| intent.author.message.clone()).unwrap_or_default(),
        value: version.value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()),
    }
}

/// Who wrote a version: the first intent from its revision on that names the object. It is a later one when
/// a batch was written in several steps; one that wrote a later version of the same object, which is among
/// those that are coming, is not it.
fn author<'a>(
    version: &Version,
    coming: &BTreeSet<Revision>,
    intents: &'a [(Revision, Intent)],
) -> Option<&'a Intent> {
    let key = layout::format_key(&version.key);
    let names = |intent: &Intent| match version.value {
        Some(_) => intent.puts.contains(&key),
        None => intent.deletes.contains(&key),
    };
    let later = intents.iter().filter(|(at, intent)| *at >= version.revision && names(intent));
    let (at, intent) = later.min_by_key(|(at, _)| *at)?;
    let next = coming.range(version.revision.next()..).next();
    next.is_none_or(|next| next > at).then_some(intent)
}
