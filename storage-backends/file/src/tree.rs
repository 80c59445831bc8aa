//! The walk: from the root to the files that count, through directories and links. It keeps what is
//! needed to read only what an event names, and feeds the catalog.
//!
//! Order matters everywhere: a place is made known and watched before it is read, so that a change
//! after the read is always told. All of it blocks and runs off the async threads.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_core::location::Location;
use biplane_store::{Changes, Fault, FaultKind, Identity, Listing, Revision, StoreError};
use tracing::debug;
use xxhash_rust::xxh3::xxh3_128;

use crate::catalog::Catalog;
use crate::git;
use crate::inbox::Inbox;
use crate::names::{is_resource, is_skipped};
use crate::options::{FileOptions, Limits};
use crate::parse::parse;
use crate::pending::Batch;
use crate::reach::Reach;
use crate::read::{Read, Stamp, read};
use crate::resolve::resolve;
use crate::watcher::Watcher;

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
    seen: Option<Root>,
    git_lock: Option<PathBuf>,
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

/// What is known of a file without reading it; nothing, if it could not be read.
#[derive(Debug, Default)]
struct FileState {
    stamp: Option<Stamp>,
    digest: Option<u128>,
}

/// The root as it was when it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    real: PathBuf,
    device: u64,
    inode: u64,
}

impl Tree {
    /// A tree that has not been read. `root` is absolute.
    pub(crate) fn new(root: PathBuf, options: &FileOptions, inbox: Arc<Inbox>) -> Self {
        Self {
            root,
            limits: options.limits,
            watcher: Watcher::new(inbox.clone()),
            inbox,
            reach: Reach::default(),
            files: BTreeMap::new(),
            catalog: Catalog::default(),
            seen: None,
            git_lock: None,
            entered: 0,
            reads: 0,
        }
    }

    /// Reads the whole tree. On an error nothing that was known is lost.
    pub(crate) fn sweep(&mut self, mode: Mode) -> Result<(), StoreError> {
        let root = self.root.clone();
        self.entered = 0;
        self.watcher.distrust_all();
        let real = self.resolve_root().map_err(|error| self.unavailable(&error))?;
        let metadata = real.metadata().map_err(|error| self.unavailable(&error))?;
        let now = Root { device: metadata.dev(), inode: metadata.ino(), real: real.clone() };
        if metadata.is_dir() {
            let empty = names(&real).map_err(|error| self.unavailable(&error))?.is_empty();
            self.refuse_empty_mount(&now, empty)?;
            self.forget_file(&root);
            self.walk(&root, &real, mode)?;
        } else {
            self.forget_unseen(&root, &BTreeSet::from([root.clone()]));
            self.reach.add_link(&root, &real);
            self.expect_at(&real);
            self.load(&root, &real, mode);
        }
        self.git_lock =
            git::lock_file(if metadata.is_dir() { &real } else { real.parent().unwrap_or(&real) });
        debug!(root = %root.display(), ?mode, files = self.files.len(), reads = self.reads, "tree read");
        self.seen = Some(now);
        self.settle()
    }

    /// Reads what the batch names.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.rescan || self.root_has_moved()? {
            return self.sweep(Mode::Changed);
        }
        batch.paths.iter().for_each(|path| self.watcher.distrust(path));
        let affected: BTreeSet<_> = batch.paths.iter().flat_map(|path| self.reach.affected(path)).collect();
        if affected.contains(&self.root) {
            return self.sweep(Mode::Changed);
        }
        if affected.is_empty() {
            return Ok(());
        }
        self.entered = 0;
        affected.iter().try_for_each(|logical| self.visit(logical))?;
        self.settle()
    }

    /// Whether a git is writing the tree just now.
    pub(crate) fn is_being_checked_out(&self) -> bool {
        self.git_lock.as_deref().is_some_and(git::is_held)
    }

    /// What has changed since the last time.
    pub(crate) fn commit(&mut self) -> Option<Changes> {
        self.catalog.commit()
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

    /// The revision of the last commit.
    pub(crate) const fn revision(&self) -> Revision {
        self.catalog.revision()
    }

    /// Everything as of the last commit.
    pub(crate) fn listing(&self) -> Listing {
        let root = self.seen.as_ref().expect("a tree is listed after it was read");
        Listing {
            identity: Identity::new(format!("{} on device {}", root.real.display(), root.device)),
            revision: self.catalog.revision(),
            items: self.catalog.objects(),
            faults: self.catalog.faults(),
        }
    }

    fn visit(&mut self, logical: &Path) -> Result<(), StoreError> {
        let Some((parent, name)) = logical.parent().zip(logical.file_name()) else { return Ok(()) };
        let Some(at) = self.reach.directory(parent).map(|real| real.join(name)) else { return Ok(()) };
        if is_skipped(name) {
            return Ok(());
        }
        // The event says that the file changed, whatever its stamp says.
        if let Some(state) = self.files.get_mut(logical) {
            state.stamp = None;
        }
        self.enter(logical, &at, Mode::Changed)
    }

    /// Looks at one entry of a directory; `at` is its own place, links in it not yet followed.
    fn enter(&mut self, logical: &Path, at: &Path, mode: Mode) -> Result<(), StoreError> {
        self.reach.clear_links(logical);
        let real = match self.follow(logical, at) {
            Ok(real) => real,
            Err(error) => {
                self.unreachable(logical, at, &error);
                return Ok(());
            }
        };
        match real.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                self.forget_file(logical);
                self.walk(logical, &real, mode)
            }
            Ok(_) => self.enter_file(logical, &real, mode),
            Err(error) => {
                self.unreachable(logical, at, &error);
                Ok(())
            }
        }
    }

    fn enter_file(&mut self, logical: &Path, real: &Path, mode: Mode) -> Result<(), StoreError> {
        let counts = logical.file_name().is_some_and(is_resource);
        if !counts || self.reach.directory(logical).is_some() {
            self.forget(logical);
        }
        if counts {
            self.enter_one()?;
            self.load(logical, real, mode);
        }
        Ok(())
    }

    /// The real path of an entry. What lies on the way is watched, and known by the entry.
    fn follow(&mut self, logical: &Path, at: &Path) -> io::Result<PathBuf> {
        if !at.symlink_metadata()?.is_symlink() {
            return Ok(at.to_owned());
        }
        let (parent, name) = at.parent().zip(at.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
        let mut links = Vec::new();
        let real = resolve(parent, Path::new(name), &mut |link| {
            watch_place(&mut self.watcher, &self.inbox, link);
            links.push(link.to_owned());
        });
        links.iter().chain(real.as_ref().ok()).for_each(|place| self.reach.add_link(logical, place));
        self.expect_at(real.as_ref().map_or(at, PathBuf::as_path));
        real
    }

    fn resolve_root(&mut self) -> io::Result<PathBuf> {
        let root = self.root.clone();
        self.reach.clear_links(&root);
        let (watcher, inbox, reach) = (&mut self.watcher, &self.inbox, &mut self.reach);
        resolve(Path::new("/"), &root, &mut |link| {
            watch_place(watcher, inbox, link);
            reach.add_link(&root, link);
        })
    }

    fn walk(&mut self, logical: &Path, real: &Path, mode: Mode) -> Result<(), StoreError> {
        if self.reach.leads_back(logical, real) {
            debug!(path = %logical.display(), "a link leads back to a directory above it, not followed");
            self.forget(logical);
            return Ok(());
        }
        self.inbox.know(real);
        self.watcher.ensure(real);
        self.reach.set_directory(logical, real);
        self.enter_one()?;
        let names = match names(real) {
            Ok(names) => names,
            Err(error) => {
                self.unreachable(logical, real, &error);
                return Ok(());
            }
        };
        self.catalog.clear_fault(logical);
        let children: BTreeSet<_> = names.iter().map(|name| logical.join(name)).collect();
        self.forget_unseen(logical, &children);
        names.iter().try_for_each(|name| self.enter(&logical.join(name), &real.join(name), mode))
    }

    fn load(&mut self, logical: &Path, real: &Path, mode: Mode) {
        let state = self.files.get(logical);
        if state.is_some() && self.inbox.is_being_written(real) {
            return;
        }
        let stamp = state.and_then(|state| state.stamp.as_ref()).filter(|_| mode == Mode::Changed);
        match read(real, stamp, self.limits.file_bytes) {
            Read::Unchanged => {}
            Read::Missing => self.forget(logical),
            Read::Content(content, stamp) => self.take_in(logical, &content, stamp),
            Read::TooLarge(size) => {
                let message =
                    format!("the file has {size} bytes, more than the limit of {}", self.limits.file_bytes);
                self.fail(logical, FaultKind::TooLarge, &message, "split it into several files");
            }
            Read::Failed(why) => {
                let hint = "what it held before stays in force; make it readable, or remove it";
                self.fail(logical, FaultKind::Unreadable, &format!("the file cannot be read: {why}"), hint);
            }
        }
    }

    fn take_in(&mut self, logical: &Path, content: &[u8], stamp: Option<Stamp>) {
        let digest = Some(xxh3_128(content));
        let state = self.files.entry(logical.to_owned()).or_default();
        let known = state.digest == digest;
        *state = FileState { stamp, digest };
        self.reads += 1;
        if !known {
            let shown = self.shown(logical);
            self.catalog.put(logical, &shown, parse(logical, &shown, content, &self.limits));
        }
    }

    /// There is something that cannot be read: what was known of it stays. What is just not there goes.
    fn unreachable(&mut self, logical: &Path, at: &Path, error: &io::Error) {
        let missing = error.kind() == io::ErrorKind::NotFound;
        if missing && at.symlink_metadata().is_err() {
            return self.forget(logical);
        }
        let matters =
            logical.file_name().is_some_and(is_resource) || self.catalog.below(logical).next().is_some();
        if missing && !matters {
            return debug!(path = %logical.display(), "a dangling link that nothing was read through");
        }
        let why = if missing { "it is a link to nothing".to_owned() } else { error.to_string() };
        let hint = "what it held before stays in force; make it readable, or remove it";
        self.fail(logical, FaultKind::Unreadable, &format!("this cannot be read: {why}"), hint);
    }

    fn fail(&mut self, logical: &Path, kind: FaultKind, message: &str, hint: &str) {
        let fault = Fault::new(kind, Location::file(self.shown(logical), 1), message).hint(hint);
        self.catalog.fail(logical, fault);
        self.files.remove(logical);
    }

    fn forget_unseen(&mut self, directory: &Path, seen: &BTreeSet<PathBuf>) {
        let child = |path: &Path| Some(directory.join(path.strip_prefix(directory).ok()?.iter().next()?));
        let known = below(&self.files, directory)
            .chain(self.reach.below(directory))
            .chain(self.catalog.below(directory));
        let gone: BTreeSet<_> =
            known.filter_map(|path| child(path)).filter(|child| !seen.contains(child)).collect();
        for child in &gone {
            self.forget(child);
        }
    }

    /// The path and everything below it is known to be gone, or does not count.
    fn forget(&mut self, logical: &Path) {
        let files: Vec<_> = below(&self.files, logical).cloned().collect();
        for file in &files {
            self.files.remove(file);
        }
        self.reach.forget(logical);
        self.catalog.remove(logical);
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
        self.watcher.retain(&self.reach.watched());
        self.inbox.know_only(self.reach.known());
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

    fn refuse_empty_mount(&self, now: &Root, empty: bool) -> Result<(), StoreError> {
        let moved = self.seen.as_ref().is_some_and(|seen| seen.device != now.device);
        if !(moved && empty) || self.catalog.len() == 0 {
            return Ok(());
        }
        let root = self.root.display();
        Err(StoreError::unavailable(format!("{root} is now on another device, which is empty"))
            .with_hint(format!("is the file system that belongs at {root} mounted?")))
    }

    fn root_has_moved(&self) -> Result<bool, StoreError> {
        let metadata = self.root.metadata().map_err(|error| self.unavailable(&error))?;
        let is_there = |seen: &Root| (seen.device, seen.inode) == (metadata.dev(), metadata.ino());
        Ok(!self.seen.as_ref().is_some_and(is_there))
    }

    fn unavailable(&self, error: &io::Error) -> StoreError {
        let root = self.root.display();
        let hint = match error.kind() {
            io::ErrorKind::NotFound => format!("create {root}, mount it, or name another directory"),
            io::ErrorKind::PermissionDenied => format!("let the user that Biplane runs as read {root}"),
            _ => format!("look at {root} with ls"),
        };
        StoreError::unavailable(format!("{root} cannot be read: {error}")).with_hint(hint)
    }

    fn expect_at(&mut self, place: &Path) {
        watch_place(&mut self.watcher, &self.inbox, place);
    }

    /// The path as people know it: relative to the root.
    fn shown(&self, logical: &Path) -> Arc<str> {
        let relative = logical.strip_prefix(&self.root).unwrap_or(logical);
        let single_file = relative.as_os_str().is_empty().then(|| logical.file_name()).flatten();
        single_file.map_or_else(|| relative.to_string_lossy(), |name| name.to_string_lossy()).into()
    }
}

/// From now on a change of the name at `place` is told.
fn watch_place(watcher: &mut Watcher, inbox: &Inbox, place: &Path) {
    inbox.know(place);
    if let Some(directory) = place.parent() {
        watcher.ensure(directory);
    }
}

/// The names in a directory that may count, sorted.
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let names: io::Result<BTreeSet<_>> = directory.read_dir()?.map(|entry| Ok(entry?.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !is_skipped(name)).collect())
}

fn below<'a, T>(map: &'a BTreeMap<PathBuf, T>, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    map.range(path.to_owned()..).map(|(key, _)| key).take_while(move |key| key.starts_with(path))
}
