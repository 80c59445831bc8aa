//! Which objects the files hold. Pure: files come in parsed, changes go out.
//!
//! Two ideas live here. A file *keeps* objects that it held and that may be hidden now, by bytes that
//! cannot be read or identified. And a key that several documents claim belongs to the first of
//! them, by path and line; a document that is there goes before one that is only kept.
//!
//! Everything costs what was touched: a commit looks at the keys of changed files and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Change, Changes, Fault, FaultKind, Revision, StoredObject};

use crate::parse::{Document, Parsed};

/// Objects by file and by key.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    files: BTreeMap<PathBuf, Entry>,
    owners: BTreeMap<ObjectKey, BTreeSet<PathBuf>>,
    current: BTreeMap<ObjectKey, StoredObject>,
    faults: BTreeMap<Place, Vec<Fault>>,
    touched: BTreeSet<ObjectKey>,
    faults_touched: bool,
    revision: Revision,
}

/// What has faults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Path(PathBuf),
    Key(ObjectKey),
}

#[derive(Debug)]
struct Entry {
    shown: Arc<str>,
    documents: BTreeMap<ObjectKey, Vec<Document>>,
    kept: BTreeMap<ObjectKey, Document>,
    unidentified: BTreeSet<u64>,
}

impl Catalog {
    /// A catalog of nothing, whose revisions come after `first`.
    pub(crate) fn beginning_at(first: Revision) -> Self {
        Self { revision: first, ..Self::default() }
    }

    /// The file was read.
    pub(crate) fn put(&mut self, path: &Path, shown: &Arc<str>, parsed: Parsed) {
        let old = self.detach(path);
        let documents = by_key(parsed.documents);
        let mut kept = BTreeMap::new();
        if let Some(old) = old.filter(|_| !parsed.unidentified.is_empty()) {
            let hides_more = !parsed.unidentified.is_subset(&old.unidentified);
            let live = Some(old.documents).filter(|_| hides_more).into_iter().flat_map(firsts);
            kept.extend(old.kept.into_iter().chain(live).filter(|(key, _)| !documents.contains_key(key)));
        }
        let unidentified = parsed.unidentified;
        self.attach(path, Entry { shown: shown.clone(), documents, kept, unidentified });
        self.set_faults(&Place::Path(path.to_owned()), parsed.faults);
    }

    /// The file or directory cannot be read: what is known of it and below stays.
    pub(crate) fn fail(&mut self, path: &Path, fault: Fault) {
        let live = |file: &&PathBuf| self.files.get(*file).is_some_and(|entry| !entry.documents.is_empty());
        let hidden: Vec<_> = self.below(path).filter(live).cloned().collect();
        for file in &hidden {
            self.keep(file);
        }
        self.set_faults(&Place::Path(path.to_owned()), vec![fault]);
    }

    /// The directory can be read.
    pub(crate) fn clear_fault(&mut self, path: &Path) {
        self.set_faults(&Place::Path(path.to_owned()), Vec::new());
    }

    /// What is at fault about a file that holds no objects.
    pub(crate) fn set_fault(&mut self, path: &Path, fault: Option<Fault>) {
        self.set_faults(&Place::Path(path.to_owned()), fault.into_iter().collect());
    }

    /// The file, or everything below the directory, is known to be gone.
    pub(crate) fn remove(&mut self, path: &Path) {
        let gone: Vec<_> = self.below(path).cloned().collect();
        for file in gone {
            self.detach(&file);
        }
        let first = Place::Path(path.to_owned());
        let under = |place: &Place| matches!(place, Place::Path(place) if place.starts_with(path));
        let faulty: Vec<_> =
            self.faults.range(first..).map(|(place, _)| place.clone()).take_while(under).collect();
        for place in faulty {
            self.set_faults(&place, Vec::new());
        }
    }

    /// The files that are known at or below the path.
    pub(crate) fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.files
            .range(path.to_owned()..)
            .map(|(file, _)| file)
            .take_while(move |file| file.starts_with(path))
    }

    /// How many objects there are, whether committed or not.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    /// The object as of the last commit.
    pub(crate) fn object(&self, key: &ObjectKey) -> Option<&StoredObject> {
        self.current.get(key)
    }

    /// The files that give the object, or may: by path.
    pub(crate) fn files_of(&self, key: &ObjectKey) -> impl Iterator<Item = &Path> {
        self.owners.get(key).into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether anything is known of the file.
    pub(crate) fn knows(&self, file: &Path) -> bool {
        self.files.contains_key(file)
    }

    /// Whether the file is the object's alone: it holds one document, which is or may be that object.
    pub(crate) fn holds_only(&self, file: &Path, key: &ObjectKey) -> bool {
        let Some(entry) = self.files.get(file) else { return false };
        let documents = entry.documents.values().map(Vec::len).sum::<usize>();
        documents + entry.unidentified.len() <= 1 && entry.keys().all(|held| held == key)
    }

    /// Settles what was touched. `None`: nothing that anybody can see has changed.
    pub(crate) fn commit(&mut self) -> Option<Changes> {
        let next = self.revision.next();
        let touched = std::mem::take(&mut self.touched);
        let changes: Vec<_> = touched.into_iter().filter_map(|key| self.settle(key, next)).collect();
        let faults_changed = std::mem::take(&mut self.faults_touched);
        if changes.is_empty() && !faults_changed {
            return None;
        }
        self.revision = next;
        Some(Changes { revision: next, changes, faults: faults_changed.then(|| self.faults()) })
    }

    /// The revision of the last commit.
    pub(crate) const fn revision(&self) -> Revision {
        self.revision
    }

    /// All objects, by key.
    pub(crate) fn objects(&self) -> Vec<StoredObject> {
        self.current.values().cloned().collect()
    }

    /// All faults, by place.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<_> = self.faults.values().flatten().cloned().collect();
        faults.sort_by(|a, b| (&a.location, &a.key).cmp(&(&b.location, &b.key)));
        faults
    }

    fn settle(&mut self, key: ObjectKey, revision: Revision) -> Option<Change> {
        let (winner, duplicates) = self.claims(&key);
        self.set_faults(&Place::Key(key.clone()), duplicates);
        let Some((shown, document)) = winner else {
            return self.current.remove(&key).map(|_| Change::Deleted(key));
        };
        let location = Location::file(shown, document.line);
        let same = |old: &StoredObject| old.value == document.value && old.location == location;
        if self.current.get(&key).is_some_and(same) {
            return None;
        }
        let object =
            StoredObject { key: key.clone(), value: document.value, location, revision, created: None };
        self.current.insert(key, object.clone());
        Some(Change::Put(object))
    }

    /// The document that the key belongs to, and the faults of all others.
    fn claims(&self, key: &ObjectKey) -> (Option<(Arc<str>, Document)>, Vec<Fault>) {
        let owners = || self.owners.get(key).into_iter().flatten().filter_map(|path| self.files.get(path));
        let mut live = owners().flat_map(|entry| {
            entry
                .documents
                .get(key)
                .into_iter()
                .flatten()
                .map(|document| (entry.shown.clone(), document.clone()))
        });
        let Some(first) = live.next() else {
            let kept = owners().find_map(|entry| Some((entry.shown.clone(), entry.kept.get(key)?.clone())));
            return (kept, Vec::new());
        };
        let place = Location::file(first.0.clone(), first.1.line);
        let duplicates =
            live.map(|(shown, document)| duplicate(key, Location::file(shown, document.line), &place));
        let duplicates = duplicates.collect();
        (Some(first), duplicates)
    }

    /// What the file held is not seen any more: whatever is seen elsewhere goes before it.
    fn keep(&mut self, file: &Path) {
        let Some(mut entry) = self.detach(file) else { return };
        let live = std::mem::take(&mut entry.documents);
        entry.kept.extend(firsts(live));
        self.attach(file, entry);
    }

    fn attach(&mut self, path: &Path, entry: Entry) {
        for key in entry.keys() {
            self.touched.insert(key.clone());
            self.owners.entry(key.clone()).or_default().insert(path.to_owned());
        }
        self.files.insert(path.to_owned(), entry);
    }

    fn detach(&mut self, path: &Path) -> Option<Entry> {
        let entry = self.files.remove(path)?;
        for key in entry.keys() {
            self.touched.insert(key.clone());
            self.disown(key, path);
        }
        Some(entry)
    }

    fn disown(&mut self, key: &ObjectKey, path: &Path) {
        let Some(owners) = self.owners.get_mut(key) else { return };
        owners.remove(path);
        if owners.is_empty() {
            self.owners.remove(key);
        }
    }

    fn set_faults(&mut self, place: &Place, faults: Vec<Fault>) {
        let old = if faults.is_empty() {
            self.faults.remove(place)
        } else {
            self.faults.insert(place.clone(), faults)
        };
        let new = self.faults.get(place);
        self.faults_touched |= old.as_ref() != new;
    }
}

impl Entry {
    fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.documents.keys().chain(self.kept.keys())
    }
}

fn by_key(documents: Vec<Document>) -> BTreeMap<ObjectKey, Vec<Document>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for document in documents {
        by_key.entry(document.key.clone()).or_default().push(document);
    }
    by_key
}

/// Of each key the document that wins.
fn firsts(documents: BTreeMap<ObjectKey, Vec<Document>>) -> impl Iterator<Item = (ObjectKey, Document)> {
    documents.into_iter().filter_map(|(key, found)| Some((key, found.into_iter().next()?)))
}

fn duplicate(key: &ObjectKey, at: Location, winner: &Location) -> Fault {
    Fault::new(FaultKind::Duplicate, at, format!("the same object is already given at {winner}"))
        .of(key.clone())
        .hint("the first one by path and line is used; remove or rename the other")
}

#[cfg(test)]
mod tests;
