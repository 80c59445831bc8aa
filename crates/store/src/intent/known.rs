//! The intents of a store as a reader gets to know them: all of them once, and then what is new.
//!
//! The name of an intent begins with the time of its writer's clock, so that what is new lies at the end of the
//! folder. Clocks differ: what was written in the last minutes is read again each time, and the folder as a whole
//! now and then, for writers whose clocks are far behind.
//!
//! Invariant: what is kept is bounded in number and in bytes; the oldest go first.

use std::collections::BTreeMap;
use std::time::Duration;

use biplane_core::scalars::Timestamp;
use tokio::time::Instant;

use super::{Intent, folder};
use crate::clock;
use crate::error::StoreError;
use crate::object::Revision;
use crate::records::{Record, Records};

/// How many intents are worth keeping, by a reader and in a store.
pub const MOST: usize = 5000;
/// How many bytes of them.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// How far the clocks of writers may be behind ours before their intents are noticed late.
const SLACK: Duration = Duration::from_mins(2);
/// How late.
const WHOLE: Duration = Duration::from_mins(5);

/// What a reader knows.
#[derive(Debug, Default)]
pub struct Known {
    by_path: BTreeMap<String, Kept>,
    bytes: usize,
    /// When everything was read, and when something was read last, by our clock.
    read: Option<(Instant, Timestamp)>,
}

#[derive(Debug)]
struct Kept {
    intent: (Revision, Intent),
    bytes: usize,
}

impl Known {
    /// Reads what may be new. After an error it knows what it knew.
    pub async fn refresh(&mut self, records: &dyn Records) -> Result<(), StoreError> {
        let (now, at) = (Instant::now(), clock::now());
        let recent = self.read.filter(|(whole, _)| now.saturating_duration_since(*whole) < WHOLE);
        let found = match recent {
            Some((_, last)) => records.read_below_after(&folder(), &before(last)).await?,
            None => records.read_below(&folder()).await?,
        };
        if recent.is_none() {
            self.by_path.clear();
            self.bytes = 0;
        }
        self.read = Some((recent.map_or(now, |(whole, _)| whole), at));
        for (path, record) in found {
            self.keep(path, &record);
        }
        Ok(())
    }

    /// All that is known, with the revisions at which they were written, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &(Revision, Intent)> {
        self.by_path.values().map(|kept| &kept.intent)
    }

    fn keep(&mut self, path: String, record: &Record) {
        let Some(intent) = Intent::decode(&record.value) else { return };
        let kept = Kept { intent: (record.revision, intent), bytes: path.len() + record.value.len() };
        self.bytes += kept.bytes;
        let replaced = self.by_path.insert(path, kept);
        self.bytes -= replaced.map_or(0, |kept| kept.bytes);
        while self.by_path.len() > MOST || self.bytes > MOST_BYTES {
            let (_, oldest) = self.by_path.pop_first().expect("what is too much is something");
            self.bytes -= oldest.bytes;
        }
    }
}

/// The name that every intent is behind that was written since, give or take what clocks differ.
fn before(last: Timestamp) -> String {
    let slack = i64::try_from(SLACK.as_secs()).expect("minutes");
    format!("{}{:012}", folder(), last.0.saturating_sub(slack).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::{Author, path};
    use crate::memory::MemoryStore;
    use crate::records::RecordWrite;
    use crate::store::Store as _;

    const HOUR: i64 = 60 * 60;

    async fn leave(records: &dyn Records, ago: i64, deletes: Vec<String>) -> String {
        let at = Timestamp(clock::now().0 - ago);
        let intent = Intent { author: Author::default(), at, puts: Vec::new(), deletes, accepts: None };
        let path = path(at);
        let write = RecordWrite::put(path.as_str(), intent.encode());
        records.write(vec![write], None).await.expect("a write");
        path
    }

    fn ages(known: &Known) -> Vec<i64> {
        let hours = |(_, intent): &(Revision, Intent)| (clock::now().0 - intent.at.0) / HOUR;
        known.all().map(hours).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_already_is_not_read_again() {
        let records = MemoryStore::new("known").records().expect("a memory store has records");
        leave(&*records, 3 * HOUR, Vec::new()).await;
        let mut known = Known::default();
        known.refresh(&*records).await.expect("intents can be read");
        assert_eq!(ages(&known), [3]);
        // The clock of one writer is right, that of the other is not.
        leave(&*records, 0, Vec::new()).await;
        leave(&*records, 2 * HOUR, Vec::new()).await;
        known.refresh(&*records).await.expect("intents can be read");
        assert_eq!(ages(&known), [3, 0], "only what lies at the end is read");
        tokio::time::advance(WHOLE).await;
        known.refresh(&*records).await.expect("intents can be read");
        assert_eq!(ages(&known), [3, 2, 0], "and everything now and then");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_removed_from_the_store_is_forgotten_in_time() {
        let records = MemoryStore::new("removed").records().expect("a memory store has records");
        let path = leave(&*records, HOUR, Vec::new()).await;
        let mut known = Known::default();
        known.refresh(&*records).await.expect("intents can be read");
        records.write(vec![RecordWrite::delete(path)], None).await.expect("a write");
        tokio::time::advance(WHOLE).await;
        known.refresh(&*records).await.expect("intents can be read");
        assert!(ages(&known).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_are_forgotten_when_there_are_too_many_or_they_are_too_large() {
        let records = MemoryStore::new("many").records().expect("a memory store has records");
        let large = "k".repeat(MOST_BYTES / 3);
        for ago in [5, 4, 3] {
            leave(&*records, ago * HOUR, vec![large.clone()]).await;
        }
        let mut known = Known::default();
        known.refresh(&*records).await.expect("intents can be read");
        assert_eq!(ages(&known), [4, 3]);
        for _ in 0..MOST {
            leave(&*records, HOUR, Vec::new()).await;
        }
        tokio::time::advance(WHOLE).await;
        known.refresh(&*records).await.expect("intents can be read");
        assert_eq!(ages(&known), vec![1; MOST]);
    }
}
