//! A reader that holds what a watch has told so far, and waits for it to become what a rule says.
//!
//! The watch is read by a task of its own, as a driver does: also while a test is busy writing, so that
//! half a write would be told if the store told such things.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::ObjectKey;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::StoreError;
use crate::object::{Change, Changes, Fault, Revision, StoredObject, WatchEvent};
use crate::store::{Store, WatchStream};

/// Longer than any store needs, shorter than anybody's patience.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

type Told = Result<WatchEvent, StoreError>;

/// A listing kept up to date by a watch.
pub struct Follower {
    watch: mpsc::UnboundedReceiver<Told>,
    /// The revision told last.
    pub revision: Revision,
    /// The objects by key.
    pub objects: BTreeMap<ObjectKey, StoredObject>,
    /// The present faults.
    pub faults: Vec<Fault>,
    /// Everything told, in order.
    pub told: Vec<Changes>,
    /// What the watch failed with when it ended, after [`Self::until_end`].
    pub ended: Option<StoreError>,
}

impl Follower {
    /// Lists, and watches from there.
    pub async fn start(store: &Arc<dyn Store>) -> Self {
        let listing = store.list().await.expect("the store lists");
        let watch = store.watch(listing.revision).await.expect("the store can be watched");
        let (events, told) = mpsc::unbounded_channel();
        tokio::spawn(read(watch, events));
        let objects = listing.items.into_iter().map(|object| (object.key.clone(), object)).collect();
        Self {
            watch: told,
            revision: listing.revision,
            objects,
            faults: listing.faults,
            told: Vec::new(),
            ended: None,
        }
    }

    /// Follows until `done`.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let Ok(event) = timeout(PATIENCE, self.watch.recv()).await else {
                panic!("waiting for {what}: nothing came for {PATIENCE:?}; {}", self.seen());
            };
            match event {
                Some(Ok(WatchEvent::Changes(changes))) => self.apply(changes),
                other => panic!("waiting for {what}: the watch said {other:?}; {}", self.seen()),
            }
        }
    }

    /// Follows until the watch ends, and says what it told on the way.
    pub async fn until_end(&mut self) -> Vec<Changes> {
        let mut told = Vec::new();
        loop {
            match timeout(PATIENCE, self.watch.recv()).await.expect("a watch of a store that is gone ends") {
                Some(Ok(WatchEvent::Changes(changes))) => told.push(changes),
                Some(Err(error)) => self.ended = Some(error),
                Some(Ok(WatchEvent::Resync)) | None => return told,
            }
        }
    }

    /// Follows until `key` is present and its value contains `note`.
    pub async fn until_note(&mut self, key: &ObjectKey, note: &str) {
        self.until(&format!("{key} to be {note}"), |seen| seen.has_note(key, note)).await;
    }

    /// Whether `key` is present and its value contains `note`.
    pub fn has_note(&self, key: &ObjectKey, note: &str) -> bool {
        self.objects.get(key).is_some_and(|object| contains(&object.value, note))
    }

    fn apply(&mut self, changes: Changes) {
        self.revision = changes.revision;
        for change in &changes.changes {
            match change {
                Change::Put(object) => self.objects.insert(object.key.clone(), object.clone()),
                Change::Deleted(key) => self.objects.remove(key),
            };
        }
        if let Some(faults) = &changes.faults {
            self.faults.clone_from(faults);
        }
        self.told.push(changes);
    }

    fn seen(&self) -> String {
        let objects: Vec<_> = self.objects.keys().take(10).map(ToString::to_string).collect();
        let Self { revision, faults, .. } = self;
        let count = self.objects.len();
        format!("seen so far: {count} objects, first {objects:?}, at {revision} with faults {faults:?}")
    }
}

/// Passes on what the watch tells, until it ends or nobody listens.
async fn read(mut watch: WatchStream, events: mpsc::UnboundedSender<Told>) {
    loop {
        tokio::select! {
            told = watch.next() => {
                let Some(told) = told else { return };
                if events.send(told).is_err() {
                    return;
                }
            }
            () = events.closed() => return,
        }
    }
}

/// Whether the bytes contain the text.
pub(super) fn contains(value: &[u8], text: &str) -> bool {
    value.windows(text.len()).any(|window| window == text.as_bytes())
}
