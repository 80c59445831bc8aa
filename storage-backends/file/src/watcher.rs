//! Which directories the kernel watches for us. notify is asked for single directories only: which
//! ones belong to the tree, and how links lead there, is the tree's business.
//!
//! notify drops its watch of a path by itself when the path is deleted or moved, and it may do so
//! after we have asked to watch what has come in its place. Each such event is also told to us, so
//! the rule that keeps this right is: what an event names is distrusted and asked for again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::inbox::Inbox;

/// The watched directories, by real path.
#[derive(Debug)]
pub(crate) struct Watcher {
    notify: Option<RecommendedWatcher>,
    /// What was asked for and not given back.
    asked: BTreeSet<PathBuf>,
    /// What of it is known to be watched still.
    certain: BTreeSet<PathBuf>,
    inbox: Arc<Inbox>,
}

impl Watcher {
    /// A watcher of nothing yet. Where the kernel gives none, the inbox is deaf.
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        let handler = inbox.clone();
        let notify = notify::recommended_watcher(move |event| handler.handle(event))
            .inspect_err(|error| inbox.go_deaf(&error.to_string()))
            .ok();
        Self { notify, asked: BTreeSet::new(), certain: BTreeSet::new(), inbox }
    }

    /// Watches a directory. One that has vanished meanwhile is found missing when it is read.
    pub(crate) fn ensure(&mut self, directory: &Path) {
        if self.certain.contains(directory) {
            return;
        }
        let Some(notify) = &mut self.notify else { return };
        match notify.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.asked.insert(directory.to_owned());
                self.certain.insert(directory.to_owned());
            }
            Err(error) if is_missing(&error.kind) => {}
            Err(error) => self.inbox.go_deaf(&error.to_string()),
        }
    }

    /// From now on a change of the name at `place` is told.
    pub(crate) fn expect_at(&mut self, place: &Path) {
        self.inbox.know(place);
        if let Some(directory) = place.parent() {
            self.ensure(directory);
        }
    }

    /// From now on whatever changes in the directory is told.
    pub(crate) fn read_in(&mut self, directory: &Path) {
        self.inbox.know(directory);
        self.ensure(directory);
    }

    /// An event named this path: whatever was watched there or below may not be any more.
    pub(crate) fn distrust(&mut self, path: &Path) {
        let from_here = self.certain.range(path.to_owned()..);
        let below: Vec<_> = from_here.take_while(|watched| watched.starts_with(path)).cloned().collect();
        for watched in &below {
            self.certain.remove(watched);
        }
    }

    /// Events were lost: no watch is certain.
    pub(crate) fn distrust_all(&mut self) {
        self.certain.clear();
    }

    /// Stops watching what is not wanted any more.
    pub(crate) fn retain(&mut self, wanted: &BTreeSet<PathBuf>) {
        let unwanted: Vec<_> = self.asked.difference(wanted).cloned().collect();
        for directory in unwanted {
            self.asked.remove(&directory);
            self.certain.remove(&directory);
            if let Some(notify) = &mut self.notify {
                // The directory may be gone, and its watch with it.
                let _ = notify.unwatch(&directory);
            }
        }
    }
}

fn is_missing(error: &ErrorKind) -> bool {
    match error {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied)
        }
        _ => false,
    }
}
