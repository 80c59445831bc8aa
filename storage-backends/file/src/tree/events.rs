//! What events name: which places are looked at again, and how much of them.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use biplane_store::StoreError;

use super::{Mode, Tree, names};
use crate::names::is_skipped;
use crate::pending::Batch;
use crate::reach::FileId;

/// So many of the places that could not be read are tried again in quiet moments.
pub(super) const RETRIES: usize = 100;

impl Tree {
    /// Reads what the batch names.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // What the batch names is lost with an error, so the next reading has to be one of everything.
        let was_torn = std::mem::replace(&mut self.torn, true);
        if was_torn || batch.rescan || self.root_has_moved()? {
            return self.sweep(Mode::Changed);
        }
        batch.paths.iter().for_each(|path| self.watcher.distrust(path));
        let (mut affected, mut touched) = (BTreeSet::new(), BTreeSet::new());
        for path in &batch.paths {
            if batch.touched.contains(path) && self.reach.directories_at(path).next().is_some() {
                touched.extend(self.reach.directories_at(path).cloned());
            } else {
                affected.extend(self.reach.affected(path));
            }
        }
        if batch.is_empty() {
            affected = self.next_retries();
            affected.extend(self.swapped_behind_links());
        }
        if affected.contains(&self.root) {
            return self.sweep(Mode::Changed);
        }
        self.entered = 0;
        affected.iter().try_for_each(|logical| self.visit(logical))?;
        touched.iter().try_for_each(|logical| self.compare_names(logical))?;
        self.settle()
    }

    /// Not everything that cannot be read now tells when it can be again. All such places take turns.
    pub(super) fn next_retries(&mut self) -> BTreeSet<PathBuf> {
        let after = (Bound::Excluded(&*self.retried), Bound::Unbounded);
        let in_turn = self.failed.range::<Path, _>(after).chain(&self.failed).take(RETRIES);
        let in_turn: Vec<_> = in_turn.cloned().collect();
        self.retried = in_turn.last().cloned().unwrap_or_default();
        in_turn.into_iter().collect()
    }

    /// What is not what it was, although nothing was told: not every directory on the way to where a link
    /// leads is watched.
    fn swapped_behind_links(&mut self) -> BTreeSet<PathBuf> {
        let is_swapped = |logical: &Path| {
            let (parent, name) = logical.parent().zip(logical.file_name())?;
            let now = self.reach.directory(parent)?.join(name).metadata().ok();
            Some(now.as_ref().map(FileId::of) != self.reach.id(logical))
        };
        let swapped = self.reach.linked().filter(|(logical, _)| is_swapped(logical) == Some(true));
        let swapped: Vec<_> = swapped.map(|(logical, places)| (logical.clone(), places.clone())).collect();
        // The watches are of what was there.
        let directories = swapped.iter().flat_map(|(_, places)| places).filter_map(|place| place.parent());
        directories.for_each(|directory| self.watcher.distrust(directory));
        swapped.into_iter().map(|(logical, _)| logical).collect()
    }

    /// Looks at what an event has named.
    pub(super) fn visit(&mut self, logical: &Path) -> Result<(), StoreError> {
        let Some((parent, name)) = logical.parent().zip(logical.file_name()) else { return Ok(()) };
        let Some(real) = self.reach.directory(parent) else { return Ok(()) };
        if is_skipped(name) {
            return Ok(());
        }
        let at = real.join(name);
        if *parent != *self.root && !self.is_in_place(parent, real) {
            // An unmounted file system takes its files along: what there is to decide is decided above them.
            return self.visit(parent);
        }
        // The event says that the file changed, whatever its stamp says.
        if let Some(state) = self.files.get_mut(logical) {
            state.stamp = None;
        }
        self.enter(logical, &at, Mode::Changed)
    }

    /// Nothing but the mode or the owner of the directory has changed: what is known of what it holds stands.
    fn compare_names(&mut self, directory: &Path) -> Result<(), StoreError> {
        let Some(real) = self.reach.directory(directory).map(Path::to_owned) else { return Ok(()) };
        let unread = self.failed.contains(directory) || !self.is_in_place(directory, &real);
        match names(&real) {
            Ok(names) if !unread => {
                let children = names.iter().map(|name| directory.join(name)).collect();
                self.forget_unseen(directory, &children)?;
                let unknown = children.iter().filter(|child| !self.is_known(child)).cloned();
                let unknown: Vec<_> = unknown.collect();
                unknown.iter().try_for_each(|child| self.visit(child))
            }
            _ if *directory == *self.root => self.sweep(Mode::Changed),
            _ => self.visit(directory),
        }
    }

    fn is_known(&self, logical: &Path) -> bool {
        self.files.contains_key(logical) || self.reach.below(logical).next().is_some()
    }

    /// Whether a directory is still the one that was read, and where it was.
    fn is_in_place(&self, directory: &Path, real: &Path) -> bool {
        real.metadata().is_ok_and(|metadata| self.reach.id(directory) == Some(FileId::of(&metadata)))
    }
}
