//! Keeps the records of status as they should be: at most one round of writes a second, only what differs.
//!
//! Invariant: what is remembered as written is what the store holds; where that is in doubt (at the start,
//! after a failure) the store is read first.

use std::collections::BTreeMap;
use std::time::Duration;

use biplane_admin_api::status::{StatusRecord, StatusSummary};
use biplane_core::scalars::Timestamp;
use biplane_store::records::STATUS;
use biplane_store::{Fence, RecordWrite, StoreError};
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::board::Duty;
use super::record_writer::{within, write};
use super::{Leader, now, status_records};
use crate::backoff::Backoff;

/// The least time between two rounds.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until somebody else leads.
pub(super) async fn run(leader: &Leader, fence: &Fence, since: Timestamp) -> StoreError {
    let mut writer = Writer { leader, fence, since, written: None };
    let mut activity = leader.activity.clone();
    // Before the store was read there is nothing to say, which is not the same as that all is well.
    drop(activity.wait_for(|activity| activity.readings > 0).await);
    let mut backoff = Backoff::new(PAUSE, Duration::from_mins(1));
    loop {
        activity.mark_unchanged();
        match writer.round().await {
            Ok(()) => {
                leader.board.done(Duty::Status);
                backoff.reset();
                sleep(PAUSE).await;
                if activity.changed().await.is_err() {
                    return StoreError::unavailable("Biplane is stopping");
                }
            }
            Err(error @ StoreError::Deposed { .. }) => return error,
            Err(error) => {
                leader.board.failed(Duty::Status, &error);
                sleep(backoff.delay()).await;
            }
        }
    }
}

struct Writer<'a> {
    leader: &'a Leader,
    fence: &'a Fence,
    since: Timestamp,
    /// By path, the text without what changes from writer to writer.
    written: Option<BTreeMap<String, Vec<u8>>>,
}

impl Writer<'_> {
    async fn round(&mut self) -> Result<(), StoreError> {
        let before = match self.written.take() {
            Some(written) => written,
            None => self.read().await?,
        };
        // Much may be read under the engine's lock: not on a worker that serves Envoys.
        let (leader, since) = (self.leader.clone(), self.since);
        let wanted = spawn_blocking(move || wanted(&leader, since)).await;
        let wanted = wanted.map_err(|error| StoreError::unavailable(format!("a task stopped: {error}")))?;
        let mut writes = Vec::new();
        for (path, (essence, record)) in &wanted {
            if before.get(path) != Some(essence) {
                writes.push(RecordWrite::put(path.clone(), record.clone()));
            }
        }
        writes.extend(before.keys().filter(|path| !wanted.contains_key(*path)).map(RecordWrite::delete));
        write(&*self.leader.records, self.fence, writes).await?;
        self.written = Some(wanted.into_iter().map(|(path, (essence, _))| (path, essence)).collect());
        Ok(())
    }

    /// What an earlier leader has left.
    async fn read(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let found = within(self.leader.records.read_below(&format!("{STATUS}/"))).await?;
        let essence = |path: &str, value: &[u8]| {
            if path == status_records::SUMMARY {
                return serde_json::from_slice(value)
                    .ok()
                    .map(|summary| text(&status_records::essence_of(summary)));
            }
            serde_json::from_slice::<StatusRecord>(value).ok().map(|record| text(&record.essence()))
        };
        let entry = |(path, record): (String, biplane_store::Record)| {
            let essence = essence(&path, &record.value).unwrap_or_default();
            (path, essence)
        };
        Ok(found.into_iter().map(entry).collect())
    }
}

/// By path, what tells a record from another, and the record itself.
fn wanted(leader: &Leader, since: Timestamp) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let (name, at) = (&*leader.name, now());
    let records = status_records::wanted(&leader.engine, &leader.source).into_iter();
    let mut wanted: BTreeMap<_, _> = records
        .map(|(path, record)| {
            let essence = text(&record.essence());
            (path, (essence, text(&StatusRecord { at, by: name.to_owned(), ..record })))
        })
        .collect();
    let summary = status_records::summary(&leader.engine);
    let summary = StatusSummary { by: name.to_owned(), leading_since: since, at, ..summary };
    let essence = text(&status_records::essence_of(summary.clone()));
    wanted.insert(status_records::SUMMARY.to_owned(), (essence, text(&summary)));
    wanted
}

fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}
