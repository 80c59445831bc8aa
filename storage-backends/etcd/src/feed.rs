//! What a watch tells, decided from what happened at each revision. No I/O and no clock.
//!
//! Invariant: what was told, taken together, is what a listing at [`told`](Feed) shows, except while a batch is
//! held. What happened at one revision is told in one piece or, if the sentinel went with it, not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_store::manifest::{Manifest, PATIENCE};
use biplane_store::{Change, Changes, Fault, Identity, Revision, StoreError};
use tokio::time::Instant;

use crate::list::{Base, by_location, open_manifest};
use crate::place::{Entry, Place};
use crate::raw::{Happened, Raw};

/// The decision of one watch.
#[derive(Debug)]
pub(crate) struct Feed {
    place: Arc<Place>,
    identity: Identity,
    /// The revision told last.
    told: u64,
    /// What is at fault, by key.
    faults: BTreeMap<Vec<u8>, Fault>,
    faults_told: BTreeMap<Vec<u8>, Fault>,
    held: Option<Held>,
    waiting: BTreeMap<ObjectKey, Net>,
    /// The newest revision that was heard of.
    heard: u64,
}

/// A batch that is being written.
#[derive(Debug)]
struct Held {
    manifest: Manifest,
    /// The manifest's key-value, for the fault of a batch that is never finished.
    raw: Raw,
    until: Instant,
}

/// What several steps come to for one object.
#[derive(Debug)]
struct Net {
    /// Whether there was such an object when something was told last.
    existed: bool,
    change: Change,
}

/// Why a watch ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What follows does not fit to what was told.
    Resync,
    /// The store is not to be believed.
    Failed(StoreError),
}

impl Feed {
    /// The feed of a reader who knows `base`.
    pub(crate) fn new(place: Arc<Place>, base: Base, now: Instant) -> Self {
        let held = base.open.map(|(manifest, raw)| Held { manifest, raw, until: now + PATIENCE });
        Self {
            place,
            identity: base.identity,
            told: base.revision,
            faults_told: base.faults.clone(),
            faults: base.faults,
            held,
            waiting: BTreeMap::new(),
            heard: base.revision,
        }
    }

    /// Until when the end of a batch is waited for.
    pub(crate) fn holds_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until)
    }

    /// Takes in all that happened at one revision; `now` begins the wait for a batch.
    pub(crate) fn take(&mut self, events: &[Happened], now: Instant) -> Result<Vec<Changes>, End> {
        let Some(revision) = events.first().map(Happened::revision) else { return Ok(Vec::new()) };
        if revision <= self.heard {
            return Err(End::Resync);
        }
        events.iter().try_for_each(|event| self.check_sentinel(event))?;
        let mut told = Vec::new();
        let manifest = events.iter().find(|event| event.key() == self.place.manifest.as_bytes());
        let opened = manifest.and_then(begun);
        // A batch that another writer has given up on is over when the next one begins.
        if opened.is_some() && self.held.is_some() {
            told.push(self.release());
        }
        self.heard = revision;
        for event in events {
            self.change(event);
        }
        match opened {
            Some((manifest, raw)) => self.hold(manifest, raw, now),
            None if manifest.is_some() => {
                self.faults.remove(self.place.manifest.as_bytes());
                told.push(self.release());
            }
            None if self.held.is_none() => told.push(self.release()),
            None => {}
        }
        Ok(told)
    }

    /// Everything up to this revision has been heard.
    pub(crate) fn progress(&mut self, revision: u64) -> Result<Option<Changes>, End> {
        if revision < self.heard {
            return Err(End::Resync);
        }
        self.heard = revision;
        let is_news = self.held.is_none() && revision > self.told;
        Ok(is_news.then(|| self.release()))
    }

    /// Waits no longer for the end of a batch, and says so.
    pub(crate) fn give_up(&mut self) -> Option<Changes> {
        let held = self.held.take()?;
        let fault = held.manifest.unfinished(self.place.location(&held.raw));
        self.faults.insert(held.raw.key, fault);
        Some(self.release())
    }

    fn hold(&mut self, manifest: Manifest, raw: Raw, now: Instant) {
        self.faults.remove(&raw.key);
        self.held = Some(Held { manifest, raw, until: now + PATIENCE });
    }

    /// The sentinel may be written again, but not go and not become another store's.
    fn check_sentinel(&self, event: &Happened) -> Result<(), End> {
        if event.key() != self.place.sentinel.as_bytes() {
            return Ok(());
        }
        let raw = match event {
            Happened::Put(raw) => Some(raw),
            Happened::Deleted { .. } => None,
        };
        match self.place.identity(raw) {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(End::Resync),
            Err(error) => Err(End::Failed(error)),
        }
    }

    fn change(&mut self, event: &Happened) {
        if event.key() != self.place.manifest.as_bytes() {
            self.faults.remove(event.key());
        }
        match event {
            Happened::Deleted { key, .. } => {
                if let Ok(Some(key)) = self.place.parse(key) {
                    self.wait(Change::Deleted(key), true);
                }
            }
            Happened::Put(raw) => match self.place.entry(raw) {
                Entry::Object(object) => self.wait(Change::Put(object), raw.created <= self.told),
                Entry::Broken(fault) => drop(self.faults.insert(raw.key.clone(), fault)),
                Entry::Nothing => {}
            },
        }
    }

    /// Adds a change to those that wait to be told. What came and went meanwhile is nothing.
    fn wait(&mut self, change: Change, existed: bool) {
        let key = change.key().clone();
        let existed = self.waiting.get(&key).map_or(existed, |net| net.existed);
        if !existed && matches!(change, Change::Deleted(_)) {
            self.waiting.remove(&key);
            return;
        }
        self.waiting.insert(key, Net { existed, change });
    }

    /// What waits is told now.
    fn release(&mut self) -> Changes {
        self.held = None;
        self.told = self.heard;
        let faults = (self.faults != self.faults_told).then(|| {
            self.faults_told.clone_from(&self.faults);
            by_location(&self.faults)
        });
        let changes = std::mem::take(&mut self.waiting).into_values().map(|net| net.change).collect();
        Changes { revision: Revision(self.told), changes, faults }
    }
}

/// The batch that begins with this event.
pub(crate) fn begun(event: &Happened) -> Option<(Manifest, Raw)> {
    let Happened::Put(raw) = event else { return None };
    Some((open_manifest(raw)?, raw.clone()))
}

#[cfg(test)]
mod tests;
