//! Which logical paths (as they look from the root) lie behind which real ones (as events name
//! them). The two differ wherever a symbolic link is on the way, and one real path may be reached on
//! several logical ones. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The directories that are read, and what lies between the root and the files behind links.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    directories: Relation,
    links: Relation,
    /// Which directory each one was when it was last read, and which file each one behind links.
    ids: BTreeMap<PathBuf, FileId>,
    has_changed: bool,
}

/// Which file or directory something is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Logical paths to real ones, and back.
#[derive(Debug, Default)]
struct Relation {
    real: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    logical: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Reach {
    /// The logical path is a directory, which is really there.
    pub(crate) fn set_directory(&mut self, logical: &Path, real: &Path) {
        if self.directory(logical) != Some(real) {
            self.directories.forget(logical);
            self.directories.add(logical, real);
            self.has_changed = true;
        }
    }

    /// The real path of a directory that is read.
    pub(crate) fn directory(&self, logical: &Path) -> Option<&Path> {
        self.directories.real.get(logical)?.first().map(PathBuf::as_path)
    }

    /// The directory, or what is behind links, was read and was this.
    pub(crate) fn set_id(&mut self, logical: &Path, id: FileId) {
        self.ids.insert(logical.to_owned(), id);
    }

    /// Which directory or file it was when it was last read.
    pub(crate) fn id(&self, logical: &Path) -> Option<FileId> {
        self.ids.get(logical).copied()
    }

    /// The logical paths that are reached by links, with the places of the links and what is behind them.
    pub(crate) fn linked(&self) -> impl Iterator<Item = (&PathBuf, &BTreeSet<PathBuf>)> {
        self.links.real.iter()
    }

    /// The logical paths of a real directory that is read.
    pub(crate) fn directories_at(&self, real: &Path) -> impl Iterator<Item = &PathBuf> {
        self.directories.logical(real)
    }

    /// The way to the logical path leads through these links, and to this file behind them.
    pub(crate) fn set_links(&mut self, logical: &Path, places: &BTreeSet<PathBuf>) {
        if self.links.real.get(logical).map_or(places.is_empty(), |known| known == places) {
            return;
        }
        self.links.forget(logical);
        for place in places {
            self.links.add(logical, place);
        }
        self.has_changed = true;
    }

    /// The logical path, and what is below it, is not read any more.
    pub(crate) fn forget(&mut self, logical: &Path) {
        self.has_changed |= self.directories.forget_below(logical) | self.links.forget_below(logical);
        let from_here = self.ids.range(logical.to_owned()..).map(|(path, _)| path);
        let below: Vec<_> = from_here.take_while(|path| path.starts_with(logical)).cloned().collect();
        for path in &below {
            self.ids.remove(path);
        }
    }

    /// The link at the logical path leads to nothing now: what was behind it is not read any more, while the
    /// way to it still is watched.
    pub(crate) fn cut_off(&mut self, logical: &Path) {
        let behind: Vec<_> = self.links.below(logical).filter(|path| *path != logical).cloned().collect();
        for path in &behind {
            self.links.forget(path);
        }
        self.has_changed |= self.directories.forget_below(logical) || !behind.is_empty();
    }

    /// The logical paths below one, in both senses.
    pub(crate) fn below<'a>(&'a self, logical: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.directories.below(logical).chain(self.links.below(logical))
    }

    /// Whether anything has changed since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Whether `real` is already being read on the way to the logical path, so that reading it once more would
    /// never end.
    pub(crate) fn leads_back(&self, logical: &Path, real: &Path) -> bool {
        logical.ancestors().skip(1).any(|ancestor| self.directory(ancestor) == Some(real))
    }

    /// The logical paths to look at after an event at a real path, sorted.
    pub(crate) fn affected(&self, event: &Path) -> BTreeSet<PathBuf> {
        let through = self.links.through(event).chain(self.directories.through(event)).cloned();
        let within = event.parent().zip(event.file_name()).into_iter();
        let within =
            within.flat_map(|(parent, name)| self.directories.logical(parent).map(move |at| at.join(name)));
        through.chain(within).collect()
    }

    /// The real directories that have to be watched.
    pub(crate) fn watched(&self) -> BTreeSet<PathBuf> {
        let parents = self.links.logical.keys().filter_map(|place| place.parent());
        self.directories.logical.keys().map(PathBuf::as_path).chain(parents).map(Path::to_owned).collect()
    }

    /// The real paths whose events matter whatever their names.
    pub(crate) fn known(&self) -> HashSet<PathBuf> {
        self.directories.logical.keys().chain(self.links.logical.keys()).cloned().collect()
    }
}

impl Relation {
    fn add(&mut self, logical: &Path, real: &Path) {
        self.real.entry(logical.to_owned()).or_default().insert(real.to_owned());
        self.logical.entry(real.to_owned()).or_default().insert(logical.to_owned());
    }

    /// Whether there was anything to forget.
    fn forget(&mut self, logical: &Path) -> bool {
        let Some(forgotten) = self.real.remove(logical) else { return false };
        for real in forgotten {
            let Some(known) = self.logical.get_mut(&real) else { continue };
            known.remove(logical);
            if known.is_empty() {
                self.logical.remove(&real);
            }
        }
        true
    }

    fn forget_below(&mut self, logical: &Path) -> bool {
        let below: Vec<_> = self.below(logical).cloned().collect();
        for path in &below {
            self.forget(path);
        }
        !below.is_empty()
    }

    fn below<'a>(&'a self, logical: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        let from_here = self.real.range(logical.to_owned()..).map(|(path, _)| path);
        from_here.take_while(move |path| path.starts_with(logical))
    }

    fn logical(&self, real: &Path) -> impl Iterator<Item = &PathBuf> {
        self.logical.get(real).into_iter().flatten()
    }

    /// The logical paths whose way leads through the real one, or to something below it.
    fn through<'a>(&'a self, real: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        let from_here = self.logical.range(real.to_owned()..);
        from_here.take_while(move |(path, _)| path.starts_with(real)).flat_map(|(_, logical)| logical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(of: &[&str]) -> BTreeSet<PathBuf> {
        of.iter().map(PathBuf::from).collect()
    }

    fn reach() -> Reach {
        let mut reach = Reach::default();
        reach.set_directory(Path::new("/tree"), Path::new("/tree"));
        reach.set_directory(Path::new("/tree/current"), Path::new("/srv/release-1"));
        reach.set_links(Path::new("/tree/current"), &paths(&["/tree/current"]));
        reach.set_links(Path::new("/tree/a.yaml"), &paths(&["/tree/..data"]));
        reach.set_links(Path::new("/tree/b.yaml"), &paths(&["/tree/..data"]));
        reach
    }

    #[test]
    fn an_event_in_a_directory_is_seen_on_every_logical_path_to_it() {
        assert_eq!(reach().affected(Path::new("/srv/release-1/x.yaml")), paths(&["/tree/current/x.yaml"]));
    }

    #[test]
    fn a_swapped_link_affects_everything_behind_it() {
        let affected = reach().affected(Path::new("/tree/..data"));
        assert_eq!(affected, paths(&["/tree/..data", "/tree/a.yaml", "/tree/b.yaml"]));
    }

    #[test]
    fn a_moved_directory_affects_every_link_that_leads_into_it() {
        assert!(reach().affected(Path::new("/srv")).contains(Path::new("/tree/current")));
    }

    #[test]
    fn what_is_forgotten_is_neither_watched_nor_known() {
        let mut reach = reach();
        reach.forget(Path::new("/tree/current"));
        reach.forget(Path::new("/tree/a.yaml"));
        reach.forget(Path::new("/tree/b.yaml"));
        assert_eq!(reach.watched(), paths(&["/tree"]));
        assert_eq!(reach.known().len(), 1);
    }

    #[test]
    fn the_same_links_again_are_no_change() {
        let mut reach = reach();
        assert!(reach.take_changed());
        reach.set_links(Path::new("/tree/a.yaml"), &paths(&["/tree/..data"]));
        reach.set_links(Path::new("/tree/plain.yaml"), &BTreeSet::new());
        assert!(!reach.take_changed());
        reach.set_links(Path::new("/tree/a.yaml"), &BTreeSet::new());
        assert!(reach.take_changed());
    }

    #[test]
    fn a_link_to_an_ancestor_leads_back() {
        let reach = reach();
        assert!(reach.leads_back(Path::new("/tree/current/loop"), Path::new("/srv/release-1")));
        assert!(!reach.leads_back(Path::new("/tree/other"), Path::new("/srv/release-1")));
    }
}
