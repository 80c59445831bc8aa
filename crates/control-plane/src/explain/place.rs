//! Where the fields of objects are written.

use std::cell::RefCell;
use std::collections::HashMap;

use biplane_core::document::Lines;
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_core::path::FieldPath;
use biplane_store::StoredObject;
use imbl::OrdMap;

use crate::ingest::is_made;

/// The objects in use; the text of each is read once.
pub(super) struct Places<'a> {
    good: &'a OrdMap<ObjectKey, StoredObject>,
    lines: RefCell<HashMap<ObjectKey, Option<Lines<'a>>>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(good: &'a OrdMap<ObjectKey, StoredObject>) -> Self {
        Self { good, lines: RefCell::default() }
    }

    /// Where a field is: a file and line, or a key and revision and a line of the value.
    pub(super) fn of(&self, key: &ObjectKey, path: &FieldPath) -> Option<String> {
        let object = self.good.get(key)?;
        if is_made(object) {
            return Some("made from services".to_owned());
        }
        let mut lines = self.lines.borrow_mut();
        let lines =
            lines.entry(key.clone()).or_insert_with(|| Lines::of(std::str::from_utf8(&object.value).ok()?));
        let line = lines.as_ref().map_or(1, |lines| lines.line(path));
        Some(match &object.location {
            location @ Location::File { .. } => location.offset(line - 1).to_string(),
            location @ Location::Key { .. } => format!("{location} (line {line} of the value)"),
        })
    }
}
