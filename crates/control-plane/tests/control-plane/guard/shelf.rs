//! A small store that can be written, wiped, taken back and replaced.

use std::collections::BTreeMap;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::scalars::Timestamp;
use biplane_store::{
    Author, Change, Changes, Identity, Intent, Listing, Revision, SourceEvent, StoredObject, layout,
};

/// How many objects there are of each of two kinds.
pub(super) const NAMES: usize = 9;

/// All keys that there ever are. None of the objects names another.
pub(super) fn keys() -> Vec<ObjectKey> {
    let named = |kind| (0..NAMES).map(move |n| ObjectKey::new(kind, "default", format!("n{n}")));
    named(Kind::Upstream).chain(named(Kind::RouteTable)).collect()
}

/// A store as its users see it.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) identity: u32,
    pub(super) revision: u64,
    pub(super) objects: BTreeMap<ObjectKey, StoredObject>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self { identity: 1, revision: 1, objects: BTreeMap::new() }
    }

    pub(super) fn full() -> Self {
        let mut shelf = Self::new();
        shelf.put(&keys());
        shelf
    }

    pub(super) fn put(&mut self, keys: &[ObjectKey]) -> SourceEvent {
        self.revision += 1;
        let objects: Vec<_> = keys.iter().map(|key| object(key, self.revision)).collect();
        self.objects.extend(objects.iter().map(|object| (object.key.clone(), object.clone())));
        self.changes(objects.into_iter().map(Change::Put).collect())
    }

    pub(super) fn delete(&mut self, keys: &[ObjectKey]) -> SourceEvent {
        self.revision += 1;
        let gone = keys.iter().filter(|key| self.objects.remove(key).is_some());
        let gone = gone.cloned().map(Change::Deleted).collect();
        self.changes(gone)
    }

    pub(super) fn changes(&self, changes: Vec<Change>) -> SourceEvent {
        SourceEvent::Changes(Changes { revision: Revision(self.revision), changes, faults: None })
    }

    pub(super) fn listed(&self) -> SourceEvent {
        SourceEvent::Complete(Listing {
            identity: Identity::new(self.identity.to_string()),
            revision: Revision(self.revision),
            items: self.objects.values().cloned().collect(),
            faults: Vec::new(),
        })
    }

    pub(super) fn values(&self) -> BTreeMap<ObjectKey, bytes::Bytes> {
        self.objects.iter().map(|(key, object)| (key.clone(), object.value.clone())).collect()
    }

    pub(super) fn intent(&mut self, deletes: &[ObjectKey]) -> (Revision, Intent) {
        self.revision += 1;
        (Revision(self.revision), intent(deletes))
    }
}

pub(super) fn object(key: &ObjectKey, revision: u64) -> StoredObject {
    let fields = match key.kind {
        Kind::Upstream => {
            format!("static: {{hosts: [{{addr: 127.0.0.1, port: {}}}]}}", 1000 + revision % 60_000)
        }
        _ => format!("routes: [{{directResponseAction: {{status: 200, body: '{revision}'}}}}]"),
    };
    StoredObject {
        key: key.clone(),
        value: format!("metadata: {{name: {}, namespace: default}}\n{fields}\n", key.name).into(),
        location: Location::Key {
            store: "memory://test".into(),
            key: layout::format_key(key).into(),
            revision,
        },
        revision: Revision(revision),
        created: Some(1),
    }
}

pub(super) fn intent(deletes: &[ObjectKey]) -> Intent {
    let author = Author { name: "ann".to_owned(), message: String::new() };
    let deletes = deletes.iter().map(layout::format_key).collect();
    Intent { author, at: Timestamp(0), puts: Vec::new(), deletes, accepts: None }
}
