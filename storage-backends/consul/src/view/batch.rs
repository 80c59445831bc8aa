//! Batches that readers must see as one: how long what is known is held back for them.
//!
//! While a manifest is open more is to come. Once it is closed all is there, but the parts that are watched one by
//! one may not all have said so: those that are behind the manifest are waited for, or asked.

use std::time::Duration;

use biplane_store::Fault;
use biplane_store::layout::MANIFEST;
use biplane_store::manifest::{Manifest, PATIENCE};
use tokio::time::Instant;

use super::View;

/// How long parts may lag behind the manifest that names them before they are asked.
pub(crate) const SIBLINGS: Duration = Duration::from_millis(20);

/// The manifest as it was last seen.
#[derive(Debug)]
pub(super) struct Seen {
    manifest: Manifest,
    index: u64,
    /// When this batch was first seen.
    since: Instant,
    /// When it was seen to be closed.
    closed: Option<Instant>,
    /// Whether it has been waited for in vain.
    given_up: bool,
}

impl Seen {
    /// A batch that another reader of this instance has waited for in vain.
    pub(super) fn given_up((manifest, index): (Manifest, u64)) -> Self {
        Self { manifest, index, since: Instant::now(), closed: None, given_up: true }
    }

    fn waits(&self, now: Instant) -> bool {
        self.manifest.open && !self.given_up && now < self.since + PATIENCE
    }
}

/// What is held back, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// More of an open batch is to come; nobody waits longer than this.
    Open(Instant),
    /// These parts have not been seen since the batch was closed; ask them at this time.
    Behind(Vec<String>, Instant),
}

impl View {
    /// Why nothing can be told now.
    pub(crate) fn hold(&self, now: Instant) -> Option<Hold> {
        let seen = self.seen.as_ref()?;
        if seen.manifest.open {
            return seen.waits(now).then(|| Hold::Open(seen.since + PATIENCE));
        }
        let behind: Vec<_> = self.behind(seen).collect();
        let since = seen.closed.unwrap_or(seen.since);
        (!behind.is_empty()).then(|| Hold::Behind(behind, since + SIBLINGS))
    }

    /// The index at which the manifest was last seen: a part that is asked after that, and has answered, has all.
    pub(crate) fn batch_index(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.index)
    }

    /// Takes in the manifest as it is now.
    pub(super) fn see_batch(&mut self, value: &[u8], index: u64, now: Instant) {
        // What nobody understands holds nothing back.
        let Some(manifest) = Manifest::decode(value) else {
            self.seen = None;
            return;
        };
        let before = self.seen.take().filter(|seen| seen.manifest.id == manifest.id);
        let (since, given_up) = before.map_or((now, false), |seen| (seen.since, seen.given_up));
        let closed = (!manifest.open).then_some(now);
        self.seen = Some(Seen { manifest, index, since, closed, given_up });
    }

    /// The open batch and its manifest's index.
    pub(crate) fn open_manifest(&self) -> Option<(&Manifest, u64)> {
        self.seen.as_ref().filter(|seen| seen.manifest.open).map(|seen| (&seen.manifest, seen.index))
    }

    /// Nobody waits for the open batch any more.
    pub(crate) fn give_up(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.given_up = seen.manifest.open;
        }
    }

    /// The fault of a batch that was waited for in vain.
    pub(super) fn unfinished(&self, now: Instant) -> Option<Fault> {
        let seen = self.seen.as_ref().filter(|seen| seen.manifest.open && !seen.waits(now))?;
        Some(seen.manifest.unfinished(self.place.location(&self.place.config(MANIFEST), seen.index)))
    }

    /// The parts that hold a folder of the batch and have not been seen since.
    fn behind<'a>(&'a self, seen: &'a Seen) -> impl Iterator<Item = String> + 'a {
        let touches = |part: &str| {
            seen.manifest.folders.iter().any(|folder| {
                let folder = format!("{folder}/");
                folder.starts_with(part) || part.starts_with(&folder)
            })
        };
        let behind = self.parts.iter().filter(move |(part, index)| **index < seen.index && touches(part));
        behind.map(|(part, _)| part.clone())
    }
}
