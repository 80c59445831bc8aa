//! The walk: from the root to the files that count, through directories and links. It keeps what is
//! needed to read only what an event names, and feeds the catalog.
//!
//! Order matters everywhere: a place is made known and watched before it is read, so that a change
//! after the read is always told. All of it blocks and runs off the async threads.

mod events;
mod file;
mod poll;
mod root;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use biplane_store::{Changes, Fault, FaultKind, Identity, Listing, Revision, StoreError};
use tracing::debug;

use crate::catalog::Catalog;
use crate::git;
use crate::inbox::Inbox;
use crate::names::{is_resource, is_skipped};
use crate::options::{FileOptions, Limits};
use crate::reach::{FileId, Reach};
use crate::resolve::resolve;
use crate::watcher::Watcher;
use file::FileState;
use root::Root;

/// What is said of a directory whose file system has gone.
const BARE: &str = "this is now on another device, which holds nothing";
const BARE_HINT: &str =
    "what it held before stays in force; mount what belongs there, or remove the directory";

/// The tree below one root and what it was last seen to hold.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    limits: Limits,
    inbox: Arc<Inbox>,
    watcher: Watcher,
    reach: Reach,
    files: BTreeMap<PathBuf, FileState>,
    catalog: Catalog,
    /// The root as of the last reading that ended well.
    seen: Option<Root>,
    /// The root of the present reading, or of the last one.
    reading: Option<Root>,
    /// A reading began and has not ended well: what is known may be of several moments.
    torn: bool,
    git_lock: Option<PathBuf>,
    /// What could not be read.
    failed: BTreeSet<PathBuf>,
    /// The last of these that has been tried again.
    retried: PathBuf,
    /// Since when what a poll has put off has been waiting.
    waiting: BTreeMap<PathBuf, Instant>,
    /// The same of the poll before, while one is under way.
    waited: Option<BTreeMap<PathBuf, Instant>>,
    /// Files and directories that the present reading has come by.
    entered: usize,
    reads: u64,
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every byte.
    Everything,
    /// Files whose stamps say that they changed.
    Changed,
}

impl Tree {
    /// A tree that has not been read, whose revisions come after `first`. `root` is absolute.
    pub(crate) fn new(root: PathBuf, options: &FileOptions, inbox: Arc<Inbox>, first: Revision) -> Self {
        Self {
            root,
            limits: options.limits,
            watcher: Watcher::new(inbox.clone()),
            inbox,
            reach: Reach::default(),
            files: BTreeMap::new(),
            catalog: Catalog::beginning_at(first),
            seen: None,
            reading: None,
            torn: false,
            git_lock: None,
            failed: BTreeSet::new(),
            retried: PathBuf::new(),
            waiting: BTreeMap::new(),
            waited: None,
            entered: 0,
            reads: 0,
        }
    }

    /// Reads the whole tree. After an error the next reading is one of the whole tree as well, so that
    /// what was read by halves is never told.
    pub(crate) fn sweep(&mut self, mode: Mode) -> Result<(), StoreError> {
        self.torn = true;
        self.entered = 0;
        self.watcher.distrust_all();
        let now = self.find_root()?;
        self.reading = Some(now.clone());
        self.read_root(&now, mode)?;
        let directory = if now.is_directory { Some(&*now.real) } else { now.real.parent() };
        self.git_lock = directory.and_then(git::lock_file);
        debug!(root = %self.root.display(), ?mode, files = self.files.len(), reads = self.reads, "tree read");
        self.confirm_root()?;
        self.settle()?;
        self.seen = Some(now);
        Ok(())
    }

    fn read_root(&mut self, now: &Root, mode: Mode) -> Result<(), StoreError> {
        let root = self.root.clone();
        if now.is_directory {
            self.refuse_bare_mount_point(now)?;
            self.forget_file(&root);
            self.walk(&root, &now.real, now.id, mode)
        } else {
            self.watcher.expect_at(&now.real);
            self.load_root(&now.real, mode)
        }
    }

    /// Whether a git is writing the tree just now.
    pub(crate) fn is_being_checked_out(&mut self) -> bool {
        if self.seen.is_none() {
            self.git_lock = self.root.canonicalize().ok().and_then(|real| git::lock_file(&real));
        }
        self.git_lock.as_deref().is_some_and(git::is_held)
    }

    /// What is at fault about a file that holds no objects.
    pub(crate) fn set_fault(&mut self, path: &Path, fault: Option<Fault>) {
        self.catalog.set_fault(path, fault);
    }

    /// What has changed since the last time.
    pub(crate) fn commit(&mut self) -> Option<Changes> {
        self.catalog.commit()
    }

    /// What the files hold.
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How many files have been read so far.
    #[cfg(test)]
    pub(crate) const fn reads(&self) -> u64 {
        self.reads
    }

    /// Lets all events be lost from now on.
    #[cfg(test)]
    pub(crate) fn stop_watching(&mut self) {
        self.watcher.retain(&BTreeSet::new());
    }

    /// Whether it has been read to its end before.
    pub(crate) const fn was_read(&self) -> bool {
        self.seen.is_some()
    }

    /// The revision of the last commit.
    pub(crate) const fn revision(&self) -> Revision {
        self.catalog.revision()
    }

    /// Everything as of the last commit.
    pub(crate) fn listing(&self) -> Listing {
        let root = self.seen.as_ref().expect("a tree is listed after it was read");
        Listing {
            identity: Identity::new(format!("{} on device {}", root.real.display(), root.id.device)),
            revision: self.catalog.revision(),
            items: self.catalog.objects(),
            faults: self.catalog.faults(),
        }
    }

    /// Looks at one entry of a directory; `at` is its own place, links in it not yet followed.
    fn enter(&mut self, logical: &Path, at: &Path, mode: Mode) -> Result<(), StoreError> {
        self.failed.remove(logical);
        let real = match self.follow(logical, at) {
            Ok(real) => real,
            Err(error) => return self.cut_off(logical, at, &error),
        };
        match real.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                self.forget_file(logical);
                self.walk(logical, &real, FileId::of(&metadata), mode)
            }
            Ok(metadata) => {
                if real != at {
                    self.reach.set_id(logical, FileId::of(&metadata));
                }
                self.enter_file(logical, &real, mode)
            }
            Err(error) => self.cut_off(logical, at, &error),
        }
    }

    /// There is no way to it any more.
    fn cut_off(&mut self, logical: &Path, at: &Path, error: &io::Error) -> Result<(), StoreError> {
        self.reach.cut_off(logical);
        self.unreachable(logical, at, error)
    }

    fn enter_file(&mut self, logical: &Path, real: &Path, mode: Mode) -> Result<(), StoreError> {
        let counts = logical.file_name().is_some_and(is_resource);
        if !counts || self.reach.directory(logical).is_some() {
            self.forget(logical);
        }
        if counts {
            self.enter_one()?;
            self.load(logical, real, mode)?;
        }
        Ok(())
    }

    /// The real path of an entry. What lies on the way is watched, and known by the entry.
    fn follow(&mut self, logical: &Path, at: &Path) -> io::Result<PathBuf> {
        let found = at.symlink_metadata();
        if !found.as_ref().is_ok_and(Metadata::is_symlink) {
            self.reach.set_links(logical, &BTreeSet::new());
            return found.map(|_| at.to_owned());
        }
        let (parent, name) = at.parent().zip(at.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
        let mut links = BTreeSet::new();
        let real = resolve(parent, Path::new(name), &mut |link| {
            self.watcher.expect_at(link);
            links.insert(link.to_owned());
        });
        links.extend(real.as_ref().ok().cloned());
        self.reach.set_links(logical, &links);
        self.watcher.expect_at(real.as_ref().map_or(at, PathBuf::as_path));
        real
    }

    fn walk(&mut self, logical: &Path, real: &Path, id: FileId, mode: Mode) -> Result<(), StoreError> {
        if self.reach.leads_back(logical, real) {
            debug!(path = %logical.display(), "a link leads back to a directory above it, not followed");
            self.forget(logical);
            return Ok(());
        }
        self.watcher.read_in(real);
        self.reach.set_directory(logical, real);
        self.enter_one()?;
        let names = match names(real) {
            Ok(names) => names,
            Err(error) if *logical == *self.root => return Err(self.unavailable(&error)),
            Err(error) => return self.unreachable(logical, real, &error),
        };
        if self.is_bare_mount_point(logical, id) && !holds_something(real, &names) {
            self.fail(logical, FaultKind::Unreadable, BARE, BARE_HINT);
            return Ok(());
        }
        self.reach.set_id(logical, id);
        self.catalog.clear_fault(logical);
        let children: BTreeSet<_> = names.iter().map(|name| logical.join(name)).collect();
        self.forget_unseen(logical, &children)?;
        names.iter().try_for_each(|name| self.enter(&logical.join(name), &real.join(name), mode))
    }

    /// Whether a directory that holds nothing would be one whose file system is not mounted.
    fn is_bare_mount_point(&self, logical: &Path, now: FileId) -> bool {
        self.reach.id(logical).is_some_and(|known| known.device != now.device)
            && self.catalog.below(logical).next().is_some()
    }

    fn forget_unseen(&mut self, directory: &Path, seen: &BTreeSet<PathBuf>) -> Result<(), StoreError> {
        let child = |path: &Path| Some(directory.join(path.strip_prefix(directory).ok()?.iter().next()?));
        let known = below(&self.files, directory)
            .chain(self.reach.below(directory))
            .chain(self.catalog.below(directory));
        let gone: BTreeSet<_> =
            known.filter_map(|path| child(path)).filter(|child| !seen.contains(child)).collect();
        gone.iter().try_for_each(|child| self.gone(child))
    }

    /// It is not there any more, provided that the root is.
    fn gone(&mut self, logical: &Path) -> Result<(), StoreError> {
        self.confirm_root()?;
        if !self.has_to_wait(logical) {
            self.forget(logical);
        }
        Ok(())
    }

    /// The path and everything below it is known to be gone, or does not count.
    fn forget(&mut self, logical: &Path) {
        self.unlearn(logical);
        self.failed.retain(|failed| !failed.starts_with(logical));
        self.reach.forget(logical);
        self.catalog.remove(logical);
    }

    /// What is at or below the path is read anew when it can be.
    fn unlearn(&mut self, logical: &Path) {
        let files: Vec<_> = below(&self.files, logical).cloned().collect();
        for file in &files {
            self.files.remove(file);
        }
    }

    /// Whatever is here now, it is no file.
    fn forget_file(&mut self, logical: &Path) {
        if self.files.remove(logical).is_some() {
            self.catalog.remove(logical);
        }
    }

    /// After reading: what is watched and known follows from what was found.
    fn settle(&mut self) -> Result<(), StoreError> {
        self.refuse_more_than_the_limit(self.catalog.len())?;
        if self.reach.take_changed() {
            self.watcher.retain(&self.reach.watched());
            self.inbox.know_only(self.reach.known());
        }
        self.torn = false;
        Ok(())
    }

    /// Counts on the way, so that a root that is far too large is not read to its end.
    fn enter_one(&mut self) -> Result<(), StoreError> {
        self.entered += 1;
        self.refuse_more_than_the_limit(self.entered)
    }

    fn refuse_more_than_the_limit(&self, count: usize) -> Result<(), StoreError> {
        let (root, limit) = (self.root.display(), self.limits.objects);
        if count <= limit {
            return Ok(());
        }
        Err(StoreError::invalid(format!("{root} holds more than {limit} objects, files or directories"))
            .with_hint("point the store at the directory that holds the resources and nothing else"))
    }

    /// The path as people know it: relative to the root.
    fn shown(&self, logical: &Path) -> Arc<str> {
        let relative = logical.strip_prefix(&self.root).unwrap_or(logical);
        let single_file = relative.as_os_str().is_empty().then(|| logical.file_name()).flatten();
        single_file.map_or_else(|| relative.to_string_lossy(), |name| name.to_string_lossy()).into()
    }
}

/// The names in a directory that may count, sorted.
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let names: io::Result<BTreeSet<_>> = directory.read_dir()?.map(|entry| Ok(entry?.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !is_skipped(name)).collect())
}

/// Whether any of the names in a directory may lead to documents.
fn holds_something(directory: &Path, names: &[OsString]) -> bool {
    names.iter().any(|name| is_resource(name) || directory.join(name).is_dir())
}

fn below<'a, T>(map: &'a BTreeMap<PathBuf, T>, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    map.range(path.to_owned()..).map(|(key, _)| key).take_while(move |key| key.starts_with(path))
}

#[cfg(test)]
mod tests;
