//! Everything that is watched, and where a change of it would be. It is kept behind one lock; all of it blocks and
//! runs off the async threads.
//!
//! Each secret has a slot. [`Reach`] knows the real paths that matter to it by the slot's name, so that an event
//! leads to just the secrets that it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_source::{Secret, SourceError, SourceState};
use tokio::sync::watch;
use tracing::warn;

use super::fault;
use super::look::Way;
use super::reading::{Reading, read_secret};
use super::root::Root;
use super::slot::{Because, Slot, Told};
use super::state;
use crate::inbox::Inbox;
use crate::pending::Batch;
use crate::reach::{FileId, Reach};
use crate::watcher::Watcher;

/// What is watched of one source.
#[derive(Debug)]
pub(super) struct Register {
    root: Root,
    /// Which directory the root was when it was last looked at; none, if that could not be told.
    root_id: Option<FileId>,
    /// Whether it has become another one since everything was last read.
    root_has_moved: bool,
    inbox: Arc<Inbox>,
    watcher: Watcher,
    reach: Reach,
    slots: BTreeMap<PathBuf, Slot>,
    state: Arc<watch::Sender<SourceState>>,
    /// What was warned of.
    warned: BTreeSet<PathBuf>,
}

impl Register {
    /// Nothing is watched yet. `root` is absolute.
    pub(super) fn new(root: PathBuf, inbox: Arc<Inbox>, state: Arc<watch::Sender<SourceState>>) -> Self {
        let mut register = Self {
            root: Root::new(root),
            root_id: None,
            root_has_moved: false,
            watcher: Watcher::new(inbox.clone()),
            inbox,
            reach: Reach::default(),
            slots: BTreeMap::new(),
            state,
            warned: BTreeSet::new(),
        };
        register.look_at_root();
        register
    }

    /// The secret as it is now, whether or not it is watched.
    pub(super) fn read(&mut self, request: &Path) -> Result<Option<Secret>, SourceError> {
        let reading = read_secret(&self.root, request, None);
        self.judge(request, reading).answer
    }

    /// From now on the secret is watched, for as long as the receiver lives. It holds what is there now.
    pub(super) fn begin(&mut self, request: &Path) -> watch::Receiver<Told> {
        let name = slot_name(request);
        if self.slots.contains_key(&name) {
            self.reread(&name, Because::Asked);
        } else {
            let reading = read_secret(&self.root, request, Some(&mut self.watcher));
            let reading = self.judge(request, reading);
            set_way(&mut self.reach, &name, &reading.way);
            self.slots.insert(name.clone(), Slot::new(request, reading));
        }
        self.settle();
        self.slots[&name].told.subscribe()
    }

    /// Reads a watched secret again.
    pub(super) fn refresh(&mut self, request: &Path) {
        let name = slot_name(request);
        // Its watch may have been lost without a word.
        if let Some(directory) = self.slots.get(&name).and_then(|slot| slot.way.directory.as_deref()) {
            self.watcher.distrust(directory);
        }
        self.reread(&name, Because::Asked);
        self.settle();
    }

    /// Reads what events have named, and what is not well.
    pub(super) fn advance(&mut self) {
        let batch = self.inbox.take();
        let told = self.told_of(&batch);
        self.look_at_root();
        let everything = std::mem::take(&mut self.root_has_moved) || batch.rescan || self.inbox.is_deaf();
        if everything {
            self.watcher.distrust_all();
        }
        let is_due = |name: &PathBuf, slot: &Slot| everything || slot.is_uneasy() || told.contains(name);
        let due = self.slots.iter().filter(|(name, slot)| is_due(name, slot)).map(|(name, _)| name.clone());
        for name in due.collect::<Vec<_>>() {
            let because = if told.contains(&name) { Because::Told } else { Because::Asked };
            self.reread(&name, because);
        }
        self.settle();
    }

    /// Whether something is to be read again soon, whatever is told.
    pub(super) fn is_uneasy(&self) -> bool {
        self.root_id.is_none() || self.root_has_moved || self.slots.values().any(Slot::is_uneasy)
    }

    /// Forgets what nobody watches any more.
    pub(super) fn forget_unwatched(&mut self) {
        let reach = &mut self.reach;
        self.slots.retain(|name, slot| {
            let is_watched = slot.told.receiver_count() > 0;
            if !is_watched {
                reach.forget(name);
            }
            is_watched
        });
        self.settle();
    }

    /// How many secrets are watched.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn reread(&mut self, name: &Path, because: Because) {
        let Some(request) = self.slots.get(name).map(|slot| slot.request.clone()) else { return };
        let reading = read_secret(&self.root, &request, Some(&mut self.watcher));
        let reading = self.judge(&request, reading);
        let is_being_written = reading.files().any(|file| self.inbox.is_being_written(file));
        let slot = self.slots.get_mut(name).expect("it was there above");
        if slot.way != reading.way {
            set_way(&mut self.reach, name, &reading.way);
        }
        slot.take(reading, because, is_being_written);
    }

    /// The reading, unless it says that nothing is there because a file system is away.
    fn judge(&mut self, request: &Path, mut reading: Reading) -> Reading {
        self.look_at_root();
        let held_on = self.slots.get(&slot_name(request)).and_then(|slot| slot.held_on);
        let is_elsewhere = reading.found.device.zip(held_on).is_some_and(|(now, before)| now != before);
        if !reading.found.files.is_empty() {
            self.root_id.into_iter().for_each(|id| self.root.holds_something(id));
        } else if is_elsewhere && reading.answer.is_ok() {
            reading.answer = Err(fault::bare(&self.root.path.join(request)));
        }
        for path in &reading.exposed {
            if self.warned.insert(path.clone()) {
                warn!(path = %path.display(), "every user of this machine may read this private key");
            }
        }
        reading
    }

    /// Tells status how the root is, and remembers if it has become another directory.
    fn look_at_root(&mut self) {
        let found = self.root.check();
        let id = found.as_ref().ok().copied();
        self.root_has_moved |= self.root_id != id;
        self.root_id = id;
        state::note(&self.state, found.err());
    }

    /// The secrets that events are about.
    fn told_of(&mut self, batch: &Batch) -> BTreeSet<PathBuf> {
        batch.paths.iter().for_each(|path| self.watcher.distrust(path));
        let affected = batch.paths.iter().flat_map(|path| self.reach.affected(path));
        affected.filter_map(|path| path.iter().next().map(PathBuf::from)).collect()
    }

    /// What is watched, and what status shows, follows from what was found.
    fn settle(&mut self) {
        if self.reach.take_changed() {
            self.watcher.retain(&self.reach.watched());
            self.inbox.know_only(self.reach.known());
        }
        let exposed: BTreeSet<_> = self.slots.values().flat_map(|slot| &slot.exposed).collect();
        state::show_exposed(&self.state, &exposed);
    }
}

/// The name by which [`Reach`] knows a secret: one part of a path, whatever was asked for, so that the slot of a
/// directory is not above that of a directory in it.
fn slot_name(request: &Path) -> PathBuf {
    let text = request.to_string_lossy().replace('%', "%25").replace('/', "%2F");
    PathBuf::from(format!("@{text}"))
}

fn set_way(reach: &mut Reach, slot: &Path, way: &Way) {
    reach.forget(slot);
    if let Some(directory) = &way.directory {
        reach.set_directory(slot, directory);
    }
    for (name, places) in &way.places {
        let of_the_whole = name.as_os_str().is_empty();
        let logical = if of_the_whole { slot.to_owned() } else { slot.join(name) };
        reach.set_links(&logical, places);
    }
}

#[cfg(test)]
mod tests;
