//! What stores hand out: objects with their bytes and place, listings, changes, and the faults
//! found while reading. Plain data; equality compares everything.

use std::fmt;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use bytes::Bytes;

/// A point in a store's history. Revisions of one store are ordered; those of two are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision right after this one, for stores that count by themselves.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which store this is, as opposed to where it was found: the sentinel's id in etcd and Consul, the
/// canonical root and its device for files. Another identity means another store's content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub Arc<str>);

impl Identity {
    /// An identity from its text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One object as a store holds it: its bytes, not yet decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Which object.
    pub key: ObjectKey,
    /// YAML or JSON, one document.
    pub value: Bytes,
    /// Where it was read, for every message about it.
    pub location: Location,
    /// The revision at which it last changed.
    pub revision: Revision,
    /// The revision at which it was created, where the store remembers that.
    pub created: Option<u64>,
}

/// Values may be secret, and listings and changes are passed about.
impl fmt::Debug for StoredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredObject({} at revision {}, {} bytes)", self.key, self.revision, self.value.len())
    }
}

/// Everything that a store holds at one revision. There is no partial listing: what could not be
/// read as a whole is a [`StoreError`](crate::StoreError); what could not be read for one file or
/// one key is a [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which store answered.
    pub identity: Identity,
    /// The revision to watch from so that nothing is missed.
    pub revision: Revision,
    /// All objects, sorted by key, each key once.
    pub items: Vec<StoredObject>,
    /// All present faults, sorted by location.
    pub faults: Vec<Fault>,
}

/// One thing that could not be read, and cost only itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of trouble, which decides what it may hide.
    pub kind: FaultKind,
    /// The file and line, the directory, or the key.
    pub location: Location,
    /// The object, where it could be told.
    pub key: Option<ObjectKey>,
    /// What failed and why, one sentence without a full stop.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A file, a directory or a key could not be read: what it holds is unknown.
    Unreadable,
    /// The bytes were read, but not which object they are: one of those known from here may be meant.
    Unidentified,
    /// The bytes were refused before they were looked at because they exceed a limit.
    TooLarge,
    /// The object is given more than once; this one is not used, and nothing is hidden by it.
    Duplicate,
    /// A batch of writes was begun and never finished: what is shown may be half an edit. It hides nothing.
    Unfinished,
}

impl Fault {
    /// A fault at a place, of an object that is not known.
    pub fn new(kind: FaultKind, location: Location, message: impl Into<String>) -> Self {
        Self { kind, location, key: None, message: message.into(), hint: None }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault, of an object that could be told.
    #[must_use]
    pub fn of(mut self, key: ObjectKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the object that it names is unknown because of it, and not absent.
    pub fn hides_its_object(&self) -> bool {
        self.key.is_some() && self.hides()
    }

    const fn hides(&self) -> bool {
        !matches!(self.kind, FaultKind::Duplicate | FaultKind::Unfinished)
    }

    /// Whether an object that was last seen at `location` may still exist behind this fault. An
    /// object that a listing lacks, but that one of its faults may hide, is unknown and not absent.
    pub fn may_hide(&self, location: &Location) -> bool {
        if !self.hides() {
            return false;
        }
        match (&self.location, location) {
            (Location::File { path: broken, .. }, Location::File { path, .. }) => {
                is_at_or_below(path, broken)
            }
            (Location::Key { store: s, key: k, .. }, Location::Key { store, key, .. }) => {
                s == store && k == key
            }
            _ => false,
        }
    }
}

/// `file:12: message (hint: ...)`, as logs and `validate` print it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " (hint: {hint})"))
    }
}

/// One object came, changed or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The object is now this.
    Put(StoredObject),
    /// The object is known to be gone.
    Deleted(ObjectKey),
}

impl Change {
    /// Which object.
    pub const fn key(&self) -> &ObjectKey {
        match self {
            Self::Put(object) => &object.key,
            Self::Deleted(key) => key,
        }
    }
}

/// What happened between the previous revision and `revision`. Changes that were made together
/// arrive together. No changes and no faults is a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The revision that the store is at after these changes.
    pub revision: Revision,
    /// At most one change per object, sorted by key.
    pub changes: Vec<Change>,
    /// All faults that are now present, if they are not what they were; `None`: as before.
    pub faults: Option<Vec<Fault>>,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// Objects or faults changed.
    Changes(Changes),
    /// Changes were lost (compaction, overflow, another history): list again. The stream ends here.
    Resync,
}

/// Whether `path` is `above` or lies below it; a root that is itself at fault is the empty path.
fn is_at_or_below(path: &str, above: &str) -> bool {
    above.is_empty()
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || above.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    #[test]
    fn printing_for_debugging_shows_no_value() {
        let object = StoredObject {
            key: ObjectKey::new(Kind::Secret, "edge", "s"),
            value: Bytes::from_static(b"hunter2"),
            location: Location::file("s.yaml", 1),
            revision: Revision(7),
            created: None,
        };
        let changes = Changes { revision: Revision(7), changes: vec![Change::Put(object)], faults: None };
        let text = format!("{changes:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("at revision 7, 7 bytes"), "{text}");
    }

    fn unreadable(path: &str) -> Fault {
        Fault::new(FaultKind::Unreadable, Location::file(path, 1), "denied")
    }

    #[test]
    fn a_fault_hides_its_file_and_everything_below_its_directory() {
        assert!(unreadable("a/b.yaml").may_hide(&Location::file("a/b.yaml", 40)));
        assert!(unreadable("a").may_hide(&Location::file("a/b.yaml", 1)));
        assert!(!unreadable("a").may_hide(&Location::file("ab/c.yaml", 1)));
        assert!(unreadable("").may_hide(&Location::file("x.yaml", 1)));
    }

    #[test]
    fn a_duplicate_and_an_unfinished_batch_hide_nothing() {
        for kind in [FaultKind::Duplicate, FaultKind::Unfinished] {
            let fault = Fault { kind, ..unreadable("a.yaml") };
            assert!(!fault.may_hide(&Location::file("a.yaml", 1)));
        }
    }

    #[test]
    fn a_fault_prints_where_what_and_what_to_try() {
        let fault = unreadable("a.yaml").hint("chmod a+r a.yaml");
        assert_eq!(fault.to_string(), "a.yaml:1: denied (hint: chmod a+r a.yaml)");
    }
}
