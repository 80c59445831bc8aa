//! Keeps versions of objects below `history/`, whoever wrote them and by whatever means.
//!
//! A mark tells up to which revision an earlier leader has written everything down, so that a new one adds what is
//! missing and no more. It says nothing about what is told from then on: a store that is watched in parts tells of
//! an older change after a newer one. Where changes came too fast, or nobody led, the versions in between are not
//! known; the present one always is.

mod author;
mod keep;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use biplane_core::key::ObjectKey;
use biplane_store::history::{folder, revision};
use biplane_store::{Fence, RecordWrite, Revision, StoreError, intent};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::Leader;
use super::board::Duty;
use super::feed::Version;
use super::record_writer::{within, write};
use crate::backoff::Backoff;
use author::authors;
use keep::Keeping;

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
    let began = leader.feed.lead();
    let intents = intent::Known::default();
    let mut writer = Writer { leader, fence, began, mark: None, known: HashMap::new(), intents };
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
    /// What the feed has numbered from here on came in this term.
    began: u64,
    /// As the store has it; nothing: to be read, and what the store shows to be looked at as a whole.
    mark: Option<Revision>,
    /// The versions that the store keeps, of objects that were looked at.
    known: HashMap<ObjectKey, BTreeSet<Revision>>,
    /// Who wrote them.
    intents: intent::Known,
}

impl Writer<'_> {
    async fn round(&mut self) -> Result<(), StoreError> {
        let pending = self.leader.feed.pending();
        if pending.lost {
            self.mark = None;
        }
        let (mark, shown) = match self.mark {
            Some(mark) => (mark, Vec::new()),
            None => (self.read_mark().await?, self.shown()),
        };
        let earlier = pending.versions.iter().filter(|(number, _)| *number < self.began);
        let old = earlier.map(|(_, version)| version.clone()).chain(shown);
        let mut versions: Vec<_> = old.filter(|version| version.revision > mark).collect();
        let in_term = pending.versions.into_iter().filter(|(number, _)| *number >= self.began);
        versions.extend(in_term.map(|(_, version)| version));
        versions.sort_by(|a, b| (a.revision, &a.key).cmp(&(b.revision, &b.key)));
        versions.dedup_by(|a, b| a.revision == b.revision && a.key == b.key);
        self.write(versions, mark).await?;
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

    /// Writes what the store does not keep yet, and then the mark if that moves on.
    async fn write(&mut self, versions: Vec<Version>, mark: Revision) -> Result<(), StoreError> {
        let last = versions.last().map_or(mark, |version| version.revision.max(mark));
        if !versions.is_empty() {
            within(self.intents.refresh(&*self.leader.records)).await?;
        }
        let authors = authors(&versions, self.intents.all());
        let mut authors = authors.into_iter();
        for slice in versions.chunks(SLICE) {
            let mut keeping = Keeping::default();
            for (version, author) in slice.iter().zip(authors.by_ref()) {
                keeping.add(version, author, self.known(&version.key).await?);
            }
            keeping.write(self.leader, self.fence).await?;
        }
        if last > mark {
            let mark = serde_json::to_vec(&Mark { revision: last.0 }).expect("plain data");
            write(&*self.leader.records, self.fence, vec![RecordWrite::put(MARK, mark)]).await?;
        }
        self.mark = Some(last);
        Ok(())
    }

    /// The versions of an object that the store keeps.
    async fn known(&mut self, key: &ObjectKey) -> Result<&mut BTreeSet<Revision>, StoreError> {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        if !self.known.contains_key(key) {
            let found = within(self.leader.records.paths_below(&folder(key))).await?;
            let revisions = found.iter().filter_map(|path| revision(path)).collect();
            self.known.insert(key.clone(), revisions);
        }
        Ok(self.known.entry(key.clone()).or_default())
    }
}
