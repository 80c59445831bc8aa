//! From what a store tells to edits of the graph, one object at a time.
//!
//! Every object has at most one good version, the last that decoded; a version that does not is
//! reported and changes nothing else (I4). An object that a listing lacks is gone only if no fault of
//! that listing may hide it (I1). What stays good is what the snapshot on disk keeps.
//!
//! Invariant: `good` holds exactly the objects that the graph has been given and not been told to delete.

mod made;
mod secret;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_core::decode::{Decoded, decode};
use biplane_core::document::Lines;
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_core::path::FieldPath;
use biplane_core::report::{Report, Severity};
use biplane_core::resources::Object;
use biplane_store::{Change, Changes, Fault, Listing, StoredObject};
use imbl::OrdMap;

use crate::graph::Edit;
use crate::news::News;
use crate::report_count::Count;
use made::Made;
pub(crate) use made::{MadeObject, Owners, is_made};

/// What a store event asks of the graph.
#[derive(Debug, Default)]
pub struct Edits {
    /// Objects to put.
    pub puts: Vec<Edit>,
    /// Objects that are gone from the store; whether they may go is decided with the graph.
    pub deletions: Vec<ObjectKey>,
}

/// The last good version of every object, and what there is to say about the others.
#[derive(Debug, Default)]
pub struct Ingest {
    /// Persistent: the writer of the snapshot takes a copy without copying.
    good: OrdMap<ObjectKey, StoredObject>,
    /// The latest version of an object, where it is not the good one.
    refused: BTreeMap<ObjectKey, StoredObject>,
    reports: BTreeMap<ObjectKey, Vec<Report>>,
    faults: Vec<Fault>,
    /// Objects of the snapshot on disk, until the store has been read for the first time.
    fallback: BTreeMap<ObjectKey, StoredObject>,
    /// Good objects that the store has not shown since it can be read, because a fault may hide them.
    /// The store does not know them, so it will never say that they are gone.
    assumed: BTreeSet<ObjectKey>,
    /// Objects that were made from services, and which of them are in use.
    made: Made,
    news: News,
}

impl Ingest {
    /// Starts with what the last run knew to be good. Nothing of it counts until the store fails
    /// ([`Self::restore`]) or holds a version that does not decode.
    pub fn with_fallback(objects: impl IntoIterator<Item = StoredObject>) -> Self {
        let (left, fallback): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_made);
        let fallback = fallback.into_iter().map(|object| (object.key.clone(), object)).collect();
        Self { fallback, made: Made::left(left), ..Self::default() }
    }

    /// The store cannot be read: everything that the last run knew becomes good again.
    pub fn restore(&mut self) -> Edits {
        let fallback = std::mem::take(&mut self.fallback);
        let mut puts: Vec<_> = fallback.into_values().filter_map(|object| self.take(object)).collect();
        puts.extend(self.make_up());
        Edits { puts, deletions: Vec::new() }
    }

    /// What the last run left is of another store.
    pub fn forget_last_run(&mut self) {
        self.fallback.clear();
        self.forget_left();
    }

    /// The objects that the last run left and nothing was made of yet.
    pub fn fallback(&self) -> impl Iterator<Item = &ObjectKey> {
        self.fallback.keys()
    }

    /// The version of an object that is in use, or would be if the store failed now.
    pub fn in_use(&self, key: &ObjectKey) -> Option<&StoredObject> {
        self.good.get(key).or_else(|| self.fallback.get(key))
    }

    /// The latest version of an object that the store has shown, good or not.
    pub fn latest(&self, key: &ObjectKey) -> Option<&StoredObject> {
        self.refused.get(key).or_else(|| self.good.get(key))
    }

    /// Whether the object in use was made from services and is in no store.
    pub fn is_made(&self, key: &ObjectKey) -> bool {
        self.made.is_in_use(key)
    }

    /// The latest versions that are not good.
    pub const fn refused(&self) -> &BTreeMap<ObjectKey, StoredObject> {
        &self.refused
    }

    /// The store holds exactly this.
    pub fn listing(&mut self, listing: Listing) -> Edits {
        let present: BTreeSet<_> = listing.items.iter().map(|item| item.key.clone()).collect();
        self.set_faults(listing.faults);
        let mut puts: Vec<_> = listing.items.into_iter().filter_map(|item| self.take(item)).collect();
        puts.extend(self.recall(&present));
        puts.extend(self.make_up());
        let absent: Vec<_> = self.known().filter(|key| !present.contains(key)).collect();
        let (hidden, gone): (Vec<_>, Vec<_>) = absent.into_iter().partition(|key| self.is_hidden(key));
        self.assumed = hidden.into_iter().collect();
        puts.extend(self.drop_refused(&gone));
        Edits { puts, deletions: self.without_unknown(gone) }
    }

    /// This has changed since the last event.
    pub fn changes(&mut self, changes: Changes) -> Edits {
        let mut edits = Edits::default();
        let mut gone = Vec::new();
        for change in changes.changes {
            self.assumed.remove(change.key());
            match change {
                Change::Put(object) => edits.puts.extend(self.take(object)),
                Change::Deleted(key) => gone.push(key),
            }
        }
        if let Some(faults) = changes.faults {
            self.set_faults(faults);
            gone.extend(self.uncovered());
        }
        edits.puts.extend(self.drop_refused(&gone));
        edits.deletions = self.without_unknown(gone);
        edits
    }

    /// Takes out the assumed objects that no fault hides any more: the store was read there, and lacks them.
    fn uncovered(&mut self) -> Vec<ObjectKey> {
        let assumed = std::mem::take(&mut self.assumed);
        let (hidden, gone): (BTreeSet<_>, BTreeSet<_>) =
            assumed.into_iter().partition(|key| self.is_hidden(key));
        self.assumed = hidden;
        gone.into_iter().collect()
    }

    /// The graph is told to delete this object; gives what was made under its name, if anything was.
    pub fn forget(&mut self, key: &ObjectKey) -> Option<Edit> {
        self.good.remove(key);
        self.reports.remove(key);
        self.made.give_way(key);
        self.make_up_for(key)
    }

    /// The last good version of every object, in order of keys.
    pub const fn good(&self) -> &OrdMap<ObjectKey, StoredObject> {
        &self.good
    }

    /// All findings, those of the store's reading included.
    pub fn reports(&self) -> Vec<Report> {
        let faults = self.faults.iter().map(fault_report);
        self.reports.values().flatten().cloned().chain(faults).collect()
    }

    /// How many errors and warnings there are.
    pub fn count_reports(&self) -> Count {
        let faults = Count { errors: self.faults.len(), warnings: 0 };
        self.reports.values().flatten().fold(faults, Count::with)
    }

    /// Looks at one version of an object; gives the edit if it is a good one and new.
    fn take(&mut self, object: StoredObject) -> Option<Edit> {
        let key = object.key.clone();
        // What somebody has written counts, whatever was made under its name.
        self.made.give_way(&key);
        if let Some(refused) = self.refused.get(&key)
            && refused.value == object.value
            && refused.location == object.location
        {
            return None;
        }
        if let Some(good) = self.good.get_mut(&key)
            && good.value == object.value
            && good.created == object.created
        {
            let moved = good.location != object.location;
            *good = object;
            if self.refused.remove(&key).is_some() || moved {
                self.review(&key);
            }
            return None;
        }
        self.accept(object)
    }

    fn accept(&mut self, object: StoredObject) -> Option<Edit> {
        let key = object.key.clone();
        let Decoded { object: decoded, reports } = examine(&object);
        self.note(&key, reports);
        let Some(decoded) = decoded else {
            self.refused.insert(key.clone(), object);
            return self.fall_back(&key);
        };
        self.refused.remove(&key);
        let created = object.created;
        self.good.insert(key, object);
        Some(Edit::Put(Box::new(decoded), created))
    }

    /// The object is bad and has no good version yet: that of the last run will do.
    fn fall_back(&mut self, key: &ObjectKey) -> Option<Edit> {
        if self.good.contains_key(key) {
            return None;
        }
        let object = self.fallback.remove(key)?;
        self.adopt(object)
    }

    /// Takes a version over from the last run; what there is to say about it was said then.
    fn adopt(&mut self, object: StoredObject) -> Option<Edit> {
        let decoded = examine(&object).object?;
        self.made.give_way(&object.key);
        let created = object.created;
        self.good.insert(object.key.clone(), object);
        Some(Edit::Put(Box::new(decoded), created))
    }

    /// Objects of the last run that the first listing lacks: they were deleted while nobody looked, or one
    /// of its faults hides them, and go by the same rules as if somebody had looked.
    fn recall(&mut self, present: &BTreeSet<ObjectKey>) -> Vec<Edit> {
        let fallback = std::mem::take(&mut self.fallback);
        let absent = fallback.into_values().filter(|object| !present.contains(&object.key));
        absent.filter_map(|object| self.adopt(object)).collect()
    }

    fn is_hidden(&self, key: &ObjectKey) -> bool {
        let object = self.good.get(key).or_else(|| self.refused.get(key));
        object.is_some_and(|object| self.faults.iter().any(|fault| fault.may_hide(&object.location)))
    }

    /// The objects that the store has shown.
    fn known(&self) -> impl Iterator<Item = ObjectKey> {
        let good = self.good.keys().filter(|key| !self.made.is_in_use(key));
        let refused = self.refused.iter().filter(|(_, object)| !is_made(object)).map(|(key, _)| key);
        let keys: BTreeSet<_> = good.chain(refused).cloned().collect();
        keys.into_iter()
    }

    /// Forgets bad versions of objects that are gone; gives what was made under the names of those that had no good one.
    fn drop_refused(&mut self, gone: &[ObjectKey]) -> Vec<Edit> {
        let mut freed = Vec::new();
        for key in gone {
            if self.refused.remove(key).is_some() {
                self.reports.remove(key);
                freed.extend(self.make_up_for(key));
            }
        }
        freed
    }

    /// Those that the graph knows from the store.
    fn without_unknown(&self, keys: Vec<ObjectKey>) -> Vec<ObjectKey> {
        let is_known = |key: &ObjectKey| self.good.contains_key(key) && !self.made.is_in_use(key);
        keys.into_iter().filter(is_known).collect()
    }

    /// The findings of the good version, which counts again or has moved.
    fn review(&mut self, key: &ObjectKey) {
        let reports = examine(&self.good[key]).reports;
        self.note(key, reports);
    }

    fn note(&mut self, key: &ObjectKey, reports: Vec<Report>) {
        let before = self.reports.remove(key).unwrap_or_default();
        self.news.compare(&before, &reports);
        if !reports.is_empty() {
            self.reports.insert(key.clone(), reports);
        }
    }

    fn set_faults(&mut self, faults: Vec<Fault>) {
        let reports = |faults: &[Fault]| faults.iter().map(fault_report).collect::<Vec<_>>();
        self.news.compare(&reports(&self.faults), &reports(&faults));
        self.faults = faults;
    }

    /// The findings that are new since the last call, for the log.
    pub(crate) fn take_news(&mut self) -> Vec<Report> {
        self.news.take()
    }
}

/// Decodes one version of an object and looks at what decoding cannot see.
pub fn examine(object: &StoredObject) -> Decoded {
    let Ok(text) = std::str::from_utf8(&object.value) else {
        return refuse(object, "the value is not UTF-8 text");
    };
    let mut decoded = decode(text, &object.key, &object.location);
    if let Some(Object { spec: biplane_core::resources::Spec::Secret(secret), .. }) = &decoded.object {
        let mut found = secret::check(&object.key, secret);
        let lines = Lines::of(text);
        for report in &mut found {
            let line = lines.as_ref().map_or(1, |lines| lines.line(&report.path));
            put_at(report, &object.location, line);
        }
        decoded.reports.extend(found);
    }
    if decoded.reports.iter().any(|report| report.severity == Severity::Error) {
        decoded.object = None;
    }
    decoded
}

fn refuse(object: &StoredObject, why: &str) -> Decoded {
    let report = Report::error(&object.key, FieldPath::root(), why).at(object.location.clone());
    Decoded { object: None, reports: vec![report] }
}

/// Gives the findings of the translator, which knows no places, the places of their fields. Each
/// object's text is read once, however many findings there are about it.
pub fn locate(reports: &mut [Report], good: &OrdMap<ObjectKey, StoredObject>) {
    let mut lines: HashMap<ObjectKey, Option<(Location, Lines<'_>)>> = HashMap::new();
    for report in reports.iter_mut().filter(|report| report.location.is_none()) {
        let Some(key) = report.object.clone() else { continue };
        let known = lines.entry(key).or_insert_with_key(|key| {
            let object = good.get(key)?;
            Some((object.location.clone(), Lines::of(std::str::from_utf8(&object.value).ok()?)?))
        });
        if let Some((location, lines)) = known {
            put_at(report, location, lines.line(&report.path));
        }
    }
}

/// Places a finding at a line (from 1) of an object's text. The key of a store has no line to show it, so
/// the words do, as those of decoding.
fn put_at(report: &mut Report, location: &Location, line: u32) {
    if let Location::Key { .. } = location {
        report.message = format!("{} (line {line} of the value)", report.message);
    }
    report.location = Some(location.offset(line - 1));
}

fn fault_report(fault: &Fault) -> Report {
    Report {
        object: fault.key.clone(),
        location: Some(fault.location.clone()),
        path: FieldPath::root(),
        severity: Severity::Error,
        message: fault.message.clone(),
        hint: fault.hint.clone(),
    }
}
