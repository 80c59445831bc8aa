//! A look at the place of one secret: which files hold its values, and the way there. Nothing is read.
//!
//! Whatever lies on the way is watched before it is looked at, so that a change after the look is always told.
//! Two looks that are equal, one before and one after reading, tell that nothing has changed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use biplane_source::SourceError;

use super::fault;
use super::root::Root;
use crate::names::is_value;
use crate::reach::FileId;
use crate::read::Stamp;
use crate::resolve::resolve;
use crate::watcher::Watcher;

/// A directory with more files than this is not one of a secret.
const FILES_MAX: usize = 256;

/// What was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) way: Way,
    pub(super) found: Result<Found, SourceError>,
}

/// Where a change would change what was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// The directory whose files are read, where it really is.
    pub(super) directory: Option<PathBuf>,
    /// Links on the way, what is behind them, and what is missing: by value, or for the whole by the empty name.
    pub(super) places: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// What is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether the secret is one file, instead of a directory of them.
    pub(super) is_file: bool,
    /// The device that the directory is on, if there is one.
    pub(super) device: Option<u64>,
    /// By name.
    pub(super) files: BTreeMap<String, FileAt>,
}

/// A file, really there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileAt {
    /// As people know it.
    pub(super) shown: PathBuf,
    pub(super) real: PathBuf,
    pub(super) stamp: Stamp,
    /// Whether every user of the machine may read it.
    pub(super) is_exposed: bool,
}

/// Looks at what is at `request`, a relative path without `..`. With a watcher, changes are told from now on.
pub(super) fn look(root: &Root, request: &Path, watcher: Option<&mut Watcher>) -> Look {
    let mut looking = Looking { root, watcher, way: Way::default() };
    let found = looking.find(request);
    Look { way: looking.way, found }
}

struct Looking<'a> {
    root: &'a Root,
    watcher: Option<&'a mut Watcher>,
    way: Way,
}

impl Looking<'_> {
    fn find(&mut self, request: &Path) -> Result<Found, SourceError> {
        let target = self.root.path.join(request);
        self.expect_directories_above(request);
        let real = self.follow(Path::new(""), Path::new("/"), &target);
        if real.is_err() {
            self.expect_missing(&target);
        }
        self.root.check()?;
        match real {
            Ok(real) => self.enter(&target, &real),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.missing(request),
            Err(error) => Err(fault::unreadable(&target, &error)),
        }
    }

    /// Where the path really leads. What lies on the way is noted for the value of this name.
    fn follow(&mut self, name: &Path, base: &Path, rest: &Path) -> io::Result<PathBuf> {
        let mut places = BTreeSet::new();
        let real = resolve(base, rest, &mut |place| {
            places.insert(place.to_owned());
            expect(&mut self.watcher, place);
        });
        // A plain file of a directory that is watched needs no more.
        let is_plain = places.is_empty() && !name.as_os_str().is_empty();
        if let Some(real) = real.as_ref().ok().filter(|_| !is_plain) {
            places.insert(real.clone());
            expect(&mut self.watcher, real);
        }
        if !places.is_empty() {
            self.way.places.entry(name.to_owned()).or_default().extend(places);
        }
        real
    }

    /// A directory that moves away tells nothing of those in it.
    fn expect_directories_above(&mut self, request: &Path) {
        for above in request.ancestors().skip(1) {
            let Ok(real) = self.root.path.join(above).canonicalize() else { continue };
            expect(&mut self.watcher, &real);
            self.way.places.entry(PathBuf::new()).or_default().insert(real);
        }
    }

    /// There is no way to the target: the first thing that it lacks is expected.
    fn expect_missing(&mut self, target: &Path) {
        let steps = target.ancestors().filter_map(|path| path.parent().zip(path.file_name()));
        let first = steps.into_iter().find_map(|(parent, name)| Some(parent.canonicalize().ok()?.join(name)));
        if let Some(place) = first {
            expect(&mut self.watcher, &place);
            self.way.places.entry(PathBuf::new()).or_default().insert(place);
        }
    }

    /// It is known to be absent, unless a link on the way leads nowhere.
    fn missing(&self, request: &Path) -> Result<Found, SourceError> {
        let on_the_way = request.ancestors().map(|part| self.root.path.join(part));
        match on_the_way.into_iter().find(|path| is_dangling(path)) {
            Some(link) => Err(fault::dangling(&link)),
            None => Ok(Found::default()),
        }
    }

    fn enter(&mut self, target: &Path, real: &Path) -> Result<Found, SourceError> {
        let metadata = real.metadata().map_err(|error| fault::unreadable(target, &error))?;
        if metadata.is_dir() {
            return self.directory(target, real, &metadata);
        }
        let name = target.file_name().unwrap_or_default();
        let name = name.to_str().ok_or_else(|| fault::odd_name(target))?;
        let file = FileAt::new(target.to_owned(), real.to_owned(), &metadata);
        Ok(Found { is_file: true, device: None, files: BTreeMap::from([(name.to_owned(), file)]) })
    }

    fn directory(&mut self, target: &Path, real: &Path, metadata: &Metadata) -> Result<Found, SourceError> {
        if let Some(watcher) = &mut self.watcher {
            watcher.read_in(real);
        }
        self.way.directory = Some(real.to_owned());
        let names = names(real).map_err(|error| fault::unreadable(target, &error))?;
        let mut files = BTreeMap::new();
        for name in names {
            let shown = target.join(&name);
            let Some(file) = self.value(&shown, real, &name)? else { continue };
            files.insert(name.into_string().map_err(|_| fault::odd_name(&shown))?, file);
            if files.len() > FILES_MAX {
                return Err(fault::too_many(target, FILES_MAX));
            }
        }
        Ok(Found { is_file: false, device: Some(FileId::of(metadata).device), files })
    }

    /// The file behind a name in the directory. Directories are other secrets.
    fn value(&mut self, shown: &Path, directory: &Path, name: &OsStr) -> Result<Option<FileAt>, SourceError> {
        let found = self
            .follow(Path::new(name), directory, Path::new(name))
            .and_then(|real| Ok((real.metadata()?, real)));
        match found {
            Ok((metadata, _)) if metadata.is_dir() => Ok(None),
            Ok((metadata, real)) => Ok(Some(FileAt::new(shown.to_owned(), real, &metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Or it has only just gone: the second look tells.
                if is_dangling(shown) { Err(fault::dangling(shown)) } else { Ok(None) }
            }
            Err(error) => Err(fault::unreadable(shown, &error)),
        }
    }
}

impl FileAt {
    fn new(shown: PathBuf, real: PathBuf, metadata: &Metadata) -> Self {
        let may_all = |path: &Path, bit| path.metadata().is_ok_and(|metadata| metadata.mode() & bit != 0);
        let is_exposed = metadata.mode() & 0o004 != 0 && real.parent().is_some_and(|at| may_all(at, 0o001));
        Self { shown, stamp: Stamp::of(metadata), is_exposed, real }
    }
}

fn expect(watcher: &mut Option<&mut Watcher>, place: &Path) {
    if let Some(watcher) = watcher {
        watcher.expect_at(place);
    }
}

fn is_dangling(path: &Path) -> bool {
    let is_there = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    is_there && path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn names(directory: &Path) -> io::Result<BTreeSet<std::ffi::OsString>> {
    let names = directory.read_dir()?.map(|entry| Ok(entry?.file_name()));
    names.filter(|name| name.as_ref().map_or(true, |name| is_value(name))).collect()
}
